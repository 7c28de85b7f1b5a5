"""What of the first screen is worth keeping for the next time."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dstop.settings import Settings
    from dstop.ui.screens.overview import OverviewScreen


def settings_now(settings: Settings, overview: OverviewScreen) -> Settings:
    """Give the settings with what the first screen shows now."""
    view = overview.view
    return replace(
        settings,
        mode=overview.state.mode,
        sort=view.sort,
        filter=overview.filter_text,
        tree=view.tree,
        group=view.group,
    )
