"""What the flight recorder has of one card: hours and days, where the live screen has minutes."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding

from dstop.draw.detail import wrapped
from dstop.draw.gpu_line import short_name
from dstop.draw.line import BLANK, fit_line
from dstop.draw.past_lines import past_event_lines, past_lines, past_process_lines
from dstop.store.connect import default_file
from dstop.store.gather import gpu_name
from dstop.store.look_back import LookBack, look_back
from dstop.ui.asking import ask_apart
from dstop.ui.screens.text import TextScreen

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.binding import BindingType

    from dstop.draw.line import Line
    from dstop.errors import DstopError
    from dstop.model.gpu import Gpu
    from dstop.ui.messages import Answered

SPANS_S = (600, 3600, 6 * 3600, 86_400, 7 * 86_400, 30 * 86_400)
"""What the keys + and - go through."""
_NAMES = ("10 minutes", "1 hour", "6 hours", "1 day", "7 days", "30 days")
REFRESH_S = 10.0


class PastScreen(TextScreen):
    """One card over a time that can be widened and moved.

    Args:
        gpu: the card.
        path: of the recording; the usual place unless given.
        now_s: the wall clock.
    """

    KEYS = (
        ("Esc", "back"),
        ("← →", "earlier, later"),
        ("+ -", "shorter, longer"),
        ("0", "now"),
        ("q", "quit"),
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,h", "move(-1)", show=False),
        Binding("right,l", "move(1)", show=False),
        Binding("plus,equals_sign", "widen(-1)", show=False),
        Binding("minus,underscore", "widen(1)", show=False),
        Binding("0", "now", show=False),
        Binding("t", "back", show=False),
    ]

    def __init__(self, gpu: Gpu, path: str | None = None, now_s: Callable[[], float] = time.time) -> None:
        super().__init__()
        self._gpu, self._path, self._now_s = gpu, path or default_file(os.environ), now_s
        self.span = 1
        self._end_s: int | None = None
        """The right edge; None goes with the clock."""
        self._found: LookBack | None = None
        self._error: DstopError | None = None
        self._asked: tuple[int, int] | None = None

    @property
    def waiting(self) -> bool:
        """Whether the recording is still being read."""
        return self._asked is not None

    @property
    def edges(self) -> tuple[int, int]:
        """From when to when it shows, in seconds since the epoch."""
        until = self._end_s if self._end_s is not None else int(self._now_s())
        return until - SPANS_S[self.span], until

    def on_mount(self) -> None:
        """Read, and again every ten seconds while the right edge is now."""
        super().on_mount()
        self._ask()
        self.set_interval(REFRESH_S, self._again)

    def _again(self) -> None:
        if self._end_s is None:
            self._ask()

    def _ask(self) -> None:
        """Read in a thread; a wish that came meanwhile is read after it."""
        wanted = self.edges
        if self._asked is None:
            self._asked = wanted
            gpu, path = self._gpu, self._path
            ask_apart(self, lambda: look_back(path, gpu_name(gpu), gpu.index, *wanted), app=self.app)
        self.draw()

    def on_answered(self, message: Answered) -> None:
        """Take what was read."""
        asked, self._asked = self._asked, None
        self._error = message.error
        if isinstance(message.value, LookBack):
            self._found = message.value
        if asked != self.edges and (self._end_s is not None or asked is None or self._stale(asked)):
            self._ask()
        self.draw()

    def _stale(self, asked: tuple[int, int]) -> bool:
        """Whether what was asked is of another span, or has been overtaken by the clock."""
        since, until = self.edges
        return until - since != asked[1] - asked[0] or until - asked[1] > REFRESH_S

    def title_of(self, width: int) -> Line:
        """Name the card and the time."""
        text = f" GPU {self._gpu.index}  {short_name(self._gpu.name)}  recorded: {_NAMES[self.span]}"
        return fit_line(((text, "head"),), width, "head")

    def body(self, width: int) -> list[Line]:
        """Graphs, processes and events."""
        if self._error is not None:
            fix = self._error.fix
            return wrapped(self._error.message, width, "bad") + (wrapped(fix, width) if fix else [])
        found = self._found
        if found is None:
            return [fit_line(((" reading …", "note"),), width)]
        total = self._gpu.memory_total_bytes
        blank = fit_line(BLANK, width)
        lines = past_lines(found.past, found.since_s, found.until_s, total, width)
        for block in (past_process_lines(found.processes, width), past_event_lines(found.events, width)):
            lines += [blank, *block] if block else []
        return lines

    def action_move(self, by: int) -> None:
        """Go earlier or later by half of what is shown; never past now."""
        _, until = self.edges
        moved = until + by * SPANS_S[self.span] // 2
        self._end_s = None if moved >= int(self._now_s()) else moved
        self._ask()

    def action_widen(self, by: int) -> None:
        """Show a longer or a shorter time."""
        self.span = max(0, min(len(SPANS_S) - 1, self.span + by))
        self._ask()

    def action_now(self) -> None:
        """Go back to the present."""
        self._end_s = None
        self._ask()
