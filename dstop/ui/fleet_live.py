"""`dstop fleet` on a terminal: the fleet as a program of its own."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from dstop.draw.palette import theme_for
from dstop.ui.lone_app import LoneApp
from dstop.ui.screens.fleet import FleetScreen

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.screen import Screen

    from dstop.model.fleet import Fleet
    from dstop.settings import Settings
    from dstop.sources.prometheus.source import FleetSource
    from dstop.view.fleet import FleetView


class FleetApp(LoneApp):
    """The screen of a fleet.

    Args:
        read: gives the fleet as it is now; runs in a thread.
        server: the address it is read from.
        view: order and filter to begin with.
        settings: theme and ASCII are used.
        theme: the theme.
        interval_s: seconds between two readings.
        show: the table to begin with.
        host: a host to begin with, close up.
    """

    def __init__(
        self,
        read: Callable[[], Fleet],
        server: str,
        view: FleetView,
        settings: Settings,
        *,
        theme: str,
        interval_s: float,
        show: int = 0,
        host: str | None = None,
    ) -> None:
        super().__init__(settings, theme=theme)
        self.fleet = FleetScreen(read, server, view, interval_s=interval_s, show=show, host=host)

    def first_screen(self) -> Screen[None]:
        """Begin with the fleet."""
        return self.fleet


def run_fleet(
    source: FleetSource,
    view: FleetView,
    settings: Settings,
    *,
    interval_s: float,
    show: int = 0,
    host: str | None = None,
) -> None:
    """Show a fleet until the user leaves it.

    Args:
        source: reads it.
        view: order and filter to begin with.
        settings: theme and ASCII are used.
        interval_s: seconds between two readings.
        show: the table to begin with.
        host: a host to begin with, close up.
    """
    theme = theme_for(settings.theme, os.environ)
    app = FleetApp(
        source.read, source.server, view, settings, theme=theme, interval_s=interval_s, show=show, host=host
    )
    app.run()
    if app.failure is not None:
        raise app.failure
