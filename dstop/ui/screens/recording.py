"""What a screen of a snapshot needs before any key: reading, studying and asking in threads, and drawing a page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.draw.detail import wrapped
from dstop.draw.line import BLANK, clean, fit_line, spread
from dstop.draw.recording_title import reading_line, title_line
from dstop.draw.status_line import status_line
from dstop.ui.asking import ask_apart
from dstop.ui.recording.pages import PAGES, first_page
from dstop.ui.recording.studied import Studied
from dstop.ui.recording.timeline_page import TimelinePage
from dstop.ui.screens.base import FrameScreen

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from textual.app import App
    from textual.timer import Timer
    from textual.widgets import Input

    from dstop.draw.line import Line
    from dstop.errors import DstopError
    from dstop.snapshot.study import DeviceStudy
    from dstop.ui.messages import Answered
    from dstop.ui.recording.page import Page

    Read = Callable[[Callable[[str], None]], Sequence[DeviceStudy]]
    """Gives the studies, in a thread; tells what it is doing meanwhile."""

LOOK_S = 0.2
"""How often the screen looks how far the reading has come."""
_READ, _OPEN = "read", "open"
_ALWAYS = (("t", "timeline"), ("m", "map"), ("a", "sites"), ("g", "growth"), ("w", "what if"), ("?", "help"))


class RecordingScreen(FrameScreen):
    """One page at a time, of one device at a time.

    Args:
        read: gives the studies.
        title: what the snapshot is of.
        refused: told what was wrong when nothing could be read; the screen says it itself where there is none.
    """

    def __init__(self, read: Read, title: str, refused: Callable[[DstopError], None] | None = None) -> None:
        super().__init__()
        self._read, self._what, self._refused = read, clean(title), refused
        self.doing = f"reading {self._what} …"
        """What the reading thread is at."""
        self.studies: Sequence[DeviceStudy] = ()
        self.error: DstopError | None = None
        self._pages: dict[int, dict[str, Page]] = {}
        """Of every device that was looked at, its pages."""
        self.place = 0
        self.page_name = TimelinePage.NAME
        self._waits_for: str | None = _READ
        self._timer: Timer | None = None
        self._prompt: Input | None = None

    # ---- what is read ------------------------------------------------------------------------------------------

    def on_mount(self) -> None:
        """Have it read, and say how far it is."""
        super().on_mount()
        self._timer = self.set_interval(LOOK_S, self.draw)
        self._ask(_READ, self._opened)

    def _tell(self, text: str) -> None:
        self.doing = text

    def _opened(self) -> object:
        studies = tuple(self._read(self._tell))
        self.doing = "finding the peak …"
        return (studies, Studied(studies[0]) if studies else None)

    def _ask(self, about: str, work: Callable[[], object]) -> None:
        app: App[object] = self.app
        self._waits_for = about
        ask_apart(self, work, app=app, about=about)

    @property
    def waiting(self) -> bool:
        """Whether a thread is still finding something out."""
        return self._waits_for is not None

    def on_answered(self, message: Answered) -> None:
        """Take what a thread found, and ask the next thing that the page needs."""
        self._waits_for = None
        if message.about == _READ:
            self._take_studies(message)
        elif message.about.startswith(_OPEN):
            if isinstance(message.value, Studied):
                self._open(int(message.about.removeprefix(_OPEN)), message.value)
            self.error = message.error or self.error
        else:
            place, _, about = message.about.partition(":")
            studied = self._pages[int(place)][TimelinePage.NAME].studied
            if message.error is not None:
                studied.errors[about] = message.error
            else:
                studied.answers[about] = message.value
        self._ask_next()
        self.draw()

    def _take_studies(self, message: Answered) -> None:
        if self._timer is not None:
            self._timer.stop()
        if message.error is not None:
            self.error = message.error
            if self._refused is not None:
                self._refused(message.error)
        elif isinstance(message.value, tuple):
            self.studies, studied = message.value
            if studied is not None:
                self._open(0, studied)

    def _open(self, place: int, studied: Studied) -> None:
        self._pages[place] = {name: make(studied) for name, make in PAGES.items()}
        if place == 0 and len(self._pages) == 1:
            self.page_name = first_page(studied)

    def _ask_next(self) -> None:
        page = self.page
        if self._waits_for is not None:
            return
        if page is None:
            if self.studies and self.place not in self._pages:
                study = self.studies[self.place]
                self._ask(f"{_OPEN}{self.place}", lambda: Studied(study))
            return
        for about, work in page.questions().items():
            if about not in page.studied.asked:
                page.studied.asked.add(about)
                self._ask(f"{self.place}:{about}", work)
                return

    # ---- drawing -----------------------------------------------------------------------------------------------

    @property
    def page(self) -> Page | None:
        """What is on the screen; None while it is read."""
        return self._pages.get(self.place, {}).get(self.page_name)

    @property
    def area(self) -> tuple[int, int]:
        """Leave the prompt its line."""
        width, height = super().area
        return width, max(1, height - (self._prompt is not None))

    def draw(self) -> None:
        """Draw title, page and keys."""
        width, height = self.area
        room = max(0, height - 2)
        page = self.page
        lines = self._without_page(width) if page is None else page.lines(width, room)
        lines = lines[:room] + [fit_line(BLANK, width)] * (room - len(lines))
        self.canvas.show([self._title(width), *lines, self._status(width)][-height:])

    def _without_page(self, width: int) -> list[Line]:
        if self.error is not None:
            fix = self.error.fix
            return wrapped(self.error.message, width, "bad") + (wrapped(fix, width) if fix else [])
        if self._waits_for is None:
            return wrapped("there is nothing in this snapshot: no segments, no events", width, "note")
        return [reading_line(self.doing, width)]

    def _title(self, width: int) -> Line:
        page = self.page
        if page is None:
            return fit_line(((f" {self._what}", "head"),), width, "head")
        left, right = title_line(self._what, page.studied.study.device, page.studied.facts, page.NAME)
        line = spread(left, right, width)
        return fit_line(tuple((text, role or "head") for text, role in line), width, "head")

    def _status(self, width: int) -> Line:
        page = self.page
        keys: tuple[tuple[str, str], ...] = (("q", "back"),)
        flags: list[str] = []
        if page is not None:
            more = (("d", "device"),) if len(self.studies) > 1 else ()
            keys = (*page.KEYS, *more, *(key for key in _ALWAYS if key[1] != page.NAME), ("q", "back"))
            flags = list(page.flags())
            if self.waiting:
                flags.append("computing …")
        return status_line(keys, width, cost=None, flags=flags, notice=self.dstop.notice)
