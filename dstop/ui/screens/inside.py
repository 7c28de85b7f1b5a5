"""What only a request to the process can tell: segments, stacks, summary, model; and its fellow ranks."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding

from dstop.draw.line import clean, fit_line
from dstop.errors import AttachError
from dstop.model.segment import ModelFacts, SegmentMap
from dstop.ui.screens.guest import GuestScreen

if TYPE_CHECKING:
    from textual.binding import BindingType

    from dstop.draw.line import Line
    from dstop.model.guest import ProcessId
    from dstop.model.process import ProcessFacts
    from dstop.sources.guests import Guests
    from dstop.ui.messages import Answered

ASKED = "inside"


class CloseUp(GuestScreen):
    """One view of a process; the keys of the process' screen lead from it to the others."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("m", "other('SegmentScreen')", show=False),
        Binding("a", "other('SiteScreen')", show=False),
        Binding("s", "other('SummaryScreen')", show=False),
        Binding("M", "other('ModelScreen')", show=False),
        Binding("o", "other('RankScreen')", show=False),
    ]

    def __init__(self, process: ProcessId, facts: ProcessFacts | None) -> None:
        super().__init__()
        self._whose = process
        self.facts = facts

    @property
    def process_id(self) -> ProcessId:
        """Whose screen it is."""
        return self._whose

    def action_other(self, name: str) -> None:
        """Go to another view of the same process; Esc leads to the process all the same."""
        screen: type[CloseUp] = globals()[name]
        if type(self) is screen:
            return
        if screen is RankScreen and (self.facts is None or self.facts.job is None):
            self.dstop.say(f"{self._whose.pid} is not one of several ranks")
        elif screen is RankScreen or self.may_look_inside():
            self.app.switch_screen(screen(self._whose, self.facts))


class InsideScreen(CloseUp):
    """Asks when it opens and when `r` is pressed; meanwhile shows the last answer and that it waits."""

    TITLE_TEXT: ClassVar[str]
    KEYS: ClassVar[tuple[tuple[str, str], ...]] = (
        ("Esc", "back"),
        ("r", "ask again"),
        ("↑↓", "scroll"),
        ("q", "quit"),
    )
    BINDINGS: ClassVar[list[BindingType]] = [Binding("r", "ask_again", show=False)]

    def __init__(self, process: ProcessId, facts: ProcessFacts | None) -> None:
        super().__init__(process, facts)
        self.answer: object | None = None
        self._drawn: tuple[object, list[Line]] | None = None

    def on_mount(self) -> None:
        """Ask."""
        super().on_mount()
        self.action_ask_again()

    def action_ask_again(self) -> None:
        """Ask for what is the case now."""
        guests = self.dstop.guests
        if guests is None:
            self._refusal = AttachError("there are no processes behind this source")
        else:
            self.ask(ASKED, lambda: self.question(guests))
        self.draw()

    def on_answered(self, message: Answered) -> None:
        """Take the answer to our question; others are told in the status line."""
        if message.about != ASKED:
            super().on_answered(message)
            return
        self._busy.discard(ASKED)
        self._refusal = message.error
        if message.error is None:
            self.answer, self._drawn = message.value, None
        self.draw()

    def title_of(self, width: int) -> Line:
        """Name the process and what is told of it."""
        command = clean(self.facts.command or "") if self.facts is not None else ""
        return fit_line(((f" {self._whose.pid}  {command}  {self.TITLE_TEXT}", "head"),), width, "head")

    def body(self, width: int) -> list[Line]:
        """What is being waited for, what is wrong, and the last answer."""
        lines = self.refusal_lines(width)
        if self.answer is not None:
            lines += self._answer_lines(width)
        return lines

    def _answer_lines(self, width: int) -> list[Line]:
        """Draw an answer once for a width: a map may have thousands of lines."""
        key = (width, self.guest.history if self.guest is not None else False)
        if self._drawn is None or self._drawn[0] != key:
            self._drawn = (key, self.answer_lines(self.answer, width))
        return self._drawn[1]

    @abstractmethod
    def question(self, guests: Guests) -> object:
        """Ask the process; called in a thread of its own, and never gives None."""

    @abstractmethod
    def answer_lines(self, answer: object, width: int) -> list[Line]:
        """Draw the answer."""


class SegmentScreen(InsideScreen):
    """Where the allocator has its memory."""

    TITLE_TEXT = "segments"

    def question(self, guests: Guests) -> object:
        """Ask for the map."""
        return guests.segments(self._whose)

    def answer_lines(self, answer: object, width: int) -> list[Line]:
        """Draw the map."""
        from dstop.draw.segment_map import segment_map_lines  # noqa: PLC0415 - only when it is wanted

        return segment_map_lines(answer, width) if isinstance(answer, SegmentMap) else []


class SiteScreen(InsideScreen):
    """Which code holds the memory."""

    TITLE_TEXT = "who allocated what is alive"
    KEYS = (("Esc", "back"), ("r", "ask again"), ("H", "record"), ("↑↓", "scroll"), ("q", "quit"))

    def question(self, guests: Guests) -> object:
        """Ask for the stacks."""
        return guests.sites(self._whose)

    def answer_lines(self, answer: object, width: int) -> list[Line]:
        """Draw the stacks."""
        from dstop.draw.sites import site_lines  # noqa: PLC0415 - only when it is wanted

        recorded = self.guest is not None and self.guest.history
        return site_lines(answer, width, recorded=recorded) if isinstance(answer, tuple) else []


class SummaryScreen(InsideScreen):
    """PyTorch's own table."""

    TITLE_TEXT = "torch.cuda.memory_summary"

    def question(self, guests: Guests) -> object:
        """Ask for the table of every device.

        Raises:
            AttachError: when the process has no device.
        """
        guest = self.guest
        if guest is None or not guest.devices:
            raise AttachError(
                f"process {self._whose.pid} has no memory on a device", fix="A attaches; r asks again"
            )
        return "\n".join(guests.summary(self._whose, device.index) for device in guest.devices)

    def answer_lines(self, answer: object, width: int) -> list[Line]:
        """Show the text as it is."""
        return [fit_line(((f" {clean(row)}", ""),), width) for row in str(answer).splitlines()]


class ModelScreen(InsideScreen):
    """Modules, optimizers and configuration."""

    TITLE_TEXT = "model"

    def question(self, guests: Guests) -> object:
        """Have them counted."""
        return guests.facts(self._whose)

    def answer_lines(self, answer: object, width: int) -> list[Line]:
        """Draw them."""
        from dstop.draw.model_lines import model_lines  # noqa: PLC0415 - only when it is wanted

        return model_lines(answer, width) if isinstance(answer, ModelFacts) else []


class RankScreen(CloseUp):
    """The ranks of a job side by side; nobody is asked, every frame has them."""

    KEYS = (("Esc", "back"), ("↑↓", "scroll"), ("q", "quit"))

    def title_of(self, width: int) -> Line:
        """Name the job."""
        job = self.facts.job if self.facts is not None else None
        return fit_line(((f" ranks of {clean(job or 'no job')}", "head"),), width, "head")

    def body(self, width: int) -> list[Line]:
        """The table, as the newest frame has it."""
        from dstop.draw.ranks import rank_lines, ranks_of  # noqa: PLC0415 - only when it is wanted

        if self.frame is None or self.facts is None:
            return []
        return rank_lines(ranks_of(self.frame.sample.processes, self.facts), self.facts, width)
