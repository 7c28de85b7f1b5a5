"""`dstop plan MODEL` on a terminal: the plan with sliders as a program of its own."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from dstop.draw.palette import theme_for
from dstop.ui.lone_app import LoneApp
from dstop.ui.screens.plan import PlanScreen

if TYPE_CHECKING:
    from textual.screen import Screen

    from dstop.footprint.spec.values import Spec
    from dstop.settings import Settings
    from dstop.ui.screens.plan import Judge


class PlanApp(LoneApp):
    """The screen of a plan."""

    def __init__(self, spec: Spec, judge: Judge, settings: Settings, *, theme: str) -> None:
        super().__init__(settings, theme=theme)
        self.plan = PlanScreen(spec, judge)

    def first_screen(self) -> Screen[None]:
        """Begin with the plan."""
        return self.plan


def run_plan(spec: Spec, judge: Judge, settings: Settings) -> None:
    """Show a plan until the user leaves it.

    Args:
        spec: where it begins.
        judge: computes a spec and holds it against cards.
        settings: theme and ASCII are used.

    Raises:
        PlanError: the spec itself cannot be computed.
    """
    app = PlanApp(spec, judge, settings, theme=theme_for(settings.theme, os.environ))
    app.run()
    if app.failure is not None:
        raise app.failure
