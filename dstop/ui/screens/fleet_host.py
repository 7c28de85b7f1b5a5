"""One host of a fleet: its cards, what was found there, its processes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.draw.fleet_host import host_detail
from dstop.draw.line import clean, fit_line
from dstop.ui.screens.text import TextScreen

if TYPE_CHECKING:
    from dstop.draw.line import Line
    from dstop.ui.screens.fleet import FleetScreen


class FleetHostScreen(TextScreen):
    """Follows the fleet's screen below it: what that reads is here too.

    Args:
        fleet: the screen that it was opened from.
        name: of the host.
    """

    def __init__(self, fleet: FleetScreen, name: str) -> None:
        super().__init__()
        self._fleet, self._name = fleet, name

    def title_of(self, width: int) -> Line:
        """Name the host."""
        return fit_line(((f" {clean(self._name)}  fleet", "head"),), width, "head")

    def body(self, width: int) -> list[Line]:
        """Cards, findings, processes."""
        known = self._fleet.known
        host = next((one for one in known.fleet.hosts if one.name == self._name), None) if known else None
        if host is None or known is None:
            return [fit_line(((" no series are left of this host", "note"),), width)]
        return [*self._fleet.state(width), *host_detail(host, known, width)]
