"""`dstop snapshot FILE` on a terminal: the screen of a snapshot as a program of its own, without cards or processes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.app import App
from textual.binding import Binding

from dstop.draw.line import clean
from dstop.draw.look import Look
from dstop.draw.palette import PALETTES, theme_for
from dstop.ui.recording.reading import read_file
from dstop.ui.screens.base import FrameScreen
from dstop.ui.screens.snapshot import SnapshotScreen

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from textual.binding import BindingType
    from textual.screen import Screen
    from textual.timer import Timer

    from dstop.errors import DstopError
    from dstop.settings import Settings
    from dstop.snapshot.study import DeviceStudy
    from dstop.ui.messages import PollerFailed
    from dstop.ui.screens.recording import Read

NOTICE_S = 4.0
THEMES = tuple(PALETTES)


class SnapshotApp(App[None]):
    """What the screen of a snapshot needs of a desk (`dstop.ui.desk`), and no more: nothing here is live."""

    TITLE = "dstop"
    CSS_PATH = "dstop.tcss"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q,f10", "quit", show=False),
        Binding("ctrl+c", "quit", show=False, priority=True),
        Binding("ctrl+z", "suspend_process", show=False),
        Binding("ctrl+l", "draw_again", show=False),
        Binding("f2", "next_theme", show=False),
    ]
    frame = None
    hands = None
    guests = None
    paused = False

    def __init__(self, read: Read, settings: Settings, *, title: str, theme: str) -> None:
        super().__init__()
        self.settings = settings
        self.theme_name = theme
        self.look = Look()
        self.notice = ""
        self.failure: BaseException | None = None
        self.snapshot = SnapshotScreen(read, title, self._refuse)
        self._notice_timer: Timer | None = None

    def get_default_screen(self) -> Screen[None]:
        """Begin with the snapshot."""
        return self.snapshot

    def on_mount(self) -> None:
        """Wear the theme."""
        self._wear()

    def _refuse(self, error: DstopError) -> None:
        """End: who asked for a file that cannot be read wants to see why on the terminal."""
        self.failure = error
        self.exit(return_code=1)

    def on_poller_failed(self, message: PollerFailed) -> None:
        """End with the bug that a thread met, and not in silence."""
        self.failure = message.error
        self.exit(return_code=1)

    def say(self, text: str) -> None:
        """Show a sentence in the status line for a while."""
        self.notice = text
        if self._notice_timer is not None:
            self._notice_timer.stop()
        self._notice_timer = self.set_timer(NOTICE_S, self._silence) if text else None
        self._draw()

    def _silence(self) -> None:
        self.notice = ""
        self._draw()

    def _draw(self) -> None:
        if isinstance(self.screen, FrameScreen):
            self.screen.draw()

    def cancel_question(self) -> bool:
        """Say that there is none: nothing here asks."""
        return False

    def action_draw_again(self) -> None:
        """Repaint everything, for a terminal that something else has written to."""
        self.refresh(repaint=True, layout=True)
        self.screen.refresh(repaint=True, layout=True)

    def action_next_theme(self) -> None:
        """Go to the next theme."""
        self.theme_name = THEMES[(THEMES.index(self.theme_name) + 1) % len(THEMES)]
        self._wear()
        self.say(f"theme {self.theme_name}")

    def _wear(self) -> None:
        self.theme = "textual-light" if self.theme_name == "light" else "textual-dark"
        for screen in self.screen_stack:
            if isinstance(screen, FrameScreen):
                screen.canvas.look(self.theme_name, ascii_only=self.settings.ascii)


def run_snapshot(what: str | Path | Sequence[DeviceStudy], settings: Settings, title: str = "") -> None:
    """Show a snapshot until the user leaves it.

    Args:
        what: a file, which is read behind the first frame; or studies, which need not be computed yet.
        settings: what the user has configured: theme and ASCII are used.
        title: what to call it; the file's name unless given.

    Raises:
        SnapshotError: when the file cannot be read.
    """
    if isinstance(what, str | Path):
        path = Path(what)
        read: Callable[[Callable[[str], None]], Sequence[DeviceStudy]] = lambda tell: read_file(path, tell)  # noqa: E731
        title = title or path.name
    else:
        studies = what
        read = lambda tell: studies  # noqa: ARG005, E731
    app = SnapshotApp(read, settings, title=clean(title), theme=theme_for(settings.theme, os.environ))
    app.run()
    if app.failure is not None:
        raise app.failure
