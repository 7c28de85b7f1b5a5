"""What every screen of dstop is: one canvas that draws lines, and the newest frame."""

from __future__ import annotations

import time
from abc import abstractmethod
from typing import TYPE_CHECKING, cast

from textual.screen import Screen

from dstop.ui.widgets.line_view import LineView

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.app import ComposeResult
    from textual.events import Resize, ScreenResume

    from dstop.model.frame import Frame
    from dstop.ui.desk import Desk


class FrameScreen(Screen[None]):
    """Draws when there is a new frame, a new size or a new wish; only the screen on top does."""

    def __init__(self) -> None:
        super().__init__()
        self.canvas = LineView(id="canvas")
        self.now_ns: Callable[[], int] = self._now_ns
        """The clock of what is shown, for the age of a problem: the wall's, or the recording's."""

    def _now_ns(self) -> int:
        replay = self.frame.replay if self.frame is not None else None
        return time.time_ns() if replay is None else replay.at_ns

    @property
    def dstop(self) -> Desk:
        """The app, as far as screens know it."""
        return cast("Desk", self.app)

    @property
    def frame(self) -> Frame | None:
        """The newest frame; None before the first."""
        return self.dstop.frame

    def compose(self) -> ComposeResult:
        """One canvas is all there is."""
        yield self.canvas

    def on_mount(self) -> None:
        """Wear the theme."""
        self.canvas.look(self.dstop.theme_name, ascii_only=self.dstop.settings.ascii)

    def on_resize(self, event: Resize) -> None:
        """Draw for the new size."""
        del event
        self.draw()

    def on_screen_resume(self, event: ScreenResume) -> None:
        """Take the latest frame when what covered this screen is gone."""
        del event
        self.draw()

    @abstractmethod
    def draw(self) -> None:
        """Draw the newest frame at the present size."""

    @property
    def area(self) -> tuple[int, int]:
        """Cells and lines there are to draw on."""
        width, height = self.size
        return max(1, width), max(1, height)
