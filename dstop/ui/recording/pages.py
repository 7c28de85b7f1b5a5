"""Which pages a snapshot has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.ui.recording.growth_page import GrowthPage
from dstop.ui.recording.map_page import MapPage
from dstop.ui.recording.sites_page import SitesPage
from dstop.ui.recording.timeline_page import TimelinePage
from dstop.ui.recording.what_if_page import WhatIfPage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dstop.ui.recording.page import Page
    from dstop.ui.recording.studied import Studied

PAGES: Mapping[str, type[Page]] = {
    page.NAME: page for page in (TimelinePage, MapPage, SitesPage, GrowthPage, WhatIfPage)
}


def first_page(studied: Studied) -> str:
    """Begin with the timeline; it says how to record where there is nothing to draw."""
    del studied
    return TimelinePage.NAME
