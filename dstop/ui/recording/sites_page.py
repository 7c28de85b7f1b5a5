"""Who holds the memory at the cursor: all sites, in an order of one's choice, those with a word in them alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.draw.line import fit_line
from dstop.draw.moment_lines import moment_line
from dstop.draw.site_uses import matching
from dstop.model.study import CATEGORIES
from dstop.ui.recording.page import Page
from dstop.ui.recording.site_list import SiteList
from dstop.ui.recording.studied import MOST_SITES
from dstop.units import bytes_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from dstop.draw.line import Line
    from dstop.model.study import SiteUse
    from dstop.ui.recording.studied import Studied

ORDERS: Mapping[str, Callable[[SiteUse], tuple[object, ...]]] = {
    "bytes": lambda site: (-site.size_bytes,),
    "blocks": lambda site: (-site.blocks, -site.size_bytes),
    "category": lambda site: (CATEGORIES.index(site.category), -site.size_bytes),
    "place": lambda site: ((site.own.file, site.own.line) if site.own else ("~", 0), -site.size_bytes),
}


class SitesPage(Page):
    """The same list as under the timeline, with the whole height."""

    NAME = "sites"
    KEYS = (("↑↓", "move"), ("Enter", "stack"), ("< >", "order"), ("/", "filter"))

    def __init__(self, studied: Studied) -> None:
        super().__init__(studied)
        self.list = SiteList()
        self.order = "bytes"
        self.filter = ""

    def lines(self, width: int, height: int) -> list[Line]:
        """Draw what the moment is, what the list shows of it, and the list."""
        moment = self.studied.moment
        sites = sorted(matching(moment.sites, self.filter), key=ORDERS[self.order])
        held = sum(site.size_bytes for site in sites)
        who = "1 site holds" if len(sites) == 1 else f"{len(sites)} sites hold"
        text = f" {who} {bytes_text(held)}, by {self.order}"
        if len(moment.sites) == MOST_SITES:
            text += f" (the {MOST_SITES} largest are looked through)"
        lines = [
            moment_line(moment, self.studied.marks.begin_us, width, recorded=self.studied.facts.events > 0),
            fit_line(((text, "group"),), width),
        ]
        return [*lines, *self.list.lines(sites, moment.live_bytes, width, height - len(lines))][:height]

    def sort_next(self, by: int) -> None:
        """Take the next order."""
        names = list(ORDERS)
        self.order = names[(names.index(self.order) + by) % len(names)]

    def flags(self) -> Sequence[str]:
        """Say that not all are listed."""
        return (f"filter {self.filter}",) if self.filter else ()

    def move(self, by: int) -> None:
        """Choose another."""
        self.list.move(by)

    def enter(self) -> bool:
        """Unfold it."""
        self.list.fold()
        return True

    def click(self, x: int, y: int, *, twice: bool) -> bool:
        """Choose it; twice unfolds."""
        del x
        return self.list.click(y - 2, twice=twice)
