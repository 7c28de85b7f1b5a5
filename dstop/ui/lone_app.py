"""One screen of dstop as a program of its own: a snapshot, a plan. There are no cards and no processes behind it."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar

from textual.app import App
from textual.binding import Binding

from dstop.draw.look import Look
from dstop.draw.palette import PALETTES
from dstop.ui.screens.base import FrameScreen

if TYPE_CHECKING:
    from textual.binding import BindingType
    from textual.screen import Screen
    from textual.timer import Timer

    from dstop.settings import Settings
    from dstop.ui.messages import PollerFailed

NOTICE_S = 4.0
THEMES = tuple(PALETTES)


class LoneApp(App[None]):
    """What a screen needs of a desk (`dstop.ui.desk`), and no more: nothing here is live."""

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

    def __init__(self, settings: Settings, *, theme: str) -> None:
        super().__init__()
        self.settings = settings
        self.theme_name = theme
        self.look = Look()
        self.notice = ""
        self.failure: BaseException | None = None
        self._notice_timer: Timer | None = None

    @abstractmethod
    def first_screen(self) -> Screen[None]:
        """Give the screen that the program is about."""

    def get_default_screen(self) -> Screen[None]:
        """Begin with it: no blank screen is ever composed."""
        return self.first_screen()

    def on_mount(self) -> None:
        """Wear the theme."""
        self._wear()

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
