"""Past crashes of this machine, the newest first; and what the doctor says of one."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding

from dstop.draw.detail import wrapped
from dstop.draw.incident_lines import run_line, what_happened
from dstop.draw.line import fit_line
from dstop.model.diagnosis import Report
from dstop.ui.asking import ask_apart
from dstop.ui.past import diagnosed, incidents_here, runs_of
from dstop.ui.screens.choice import ChoiceScreen
from dstop.ui.screens.copying import FixScreen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from textual.app import App
    from textual.binding import BindingType

    from dstop.draw.line import Line
    from dstop.errors import DstopError
    from dstop.model.diagnosis import Fix
    from dstop.pytorch.incident.values import Incident
    from dstop.ui.messages import Answered


class DoctorScreen(ChoiceScreen):
    """The list; the key that opened it takes it away.

    Args:
        read: gives the incidents, in a thread of its own.
    """

    KEYS = (("Enter", "diagnosis"), ("↑↓", "move"), ("r", "look again"), ("Esc", "back"), ("q", "quit"))
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("d", "back", show=False),
        Binding("r", "look_again", show=False),
    ]

    def __init__(self, read: Callable[[], Iterable[Incident]] = incidents_here) -> None:
        super().__init__()
        self._read = read
        self.runs: tuple[tuple[Incident, ...], ...] | None = None

    def on_mount(self) -> None:
        """Look for them."""
        super().on_mount()
        self.action_look_again()

    @property
    def waiting(self) -> bool:
        """Whether they are still being looked for."""
        return self.runs is None

    def action_look_again(self) -> None:
        """Look for what is there now."""
        app: App[object] = self.app
        ask_apart(self, lambda: runs_of(self._read()), app=app)

    def on_answered(self, message: Answered) -> None:
        """Take what was found."""
        self.runs = message.value if isinstance(message.value, tuple) else ()
        self.draw()

    def title_of(self, width: int) -> Line:
        """Say what is listed."""
        count = len(self.runs or ())
        what = "1 past crash" if count == 1 else f"{count or ''} past crashes".lstrip()
        return fit_line(((f" {what} that left a black box, newest first", "head"),), width, "head")

    def choices(self, width: int) -> list[Line]:
        """A line a run."""
        return [run_line(run, width) for run in self.runs or ()]

    def nothing(self) -> str:
        """Say what would leave something here."""
        if self.runs is None:
            return "looking …"
        return "none is left here: dstop run -- python train.py, or an attached hook, leaves one when memory runs out"

    def open(self, place: int) -> None:
        """Show what the doctor says."""
        if self.runs is not None and place < len(self.runs):
            self.app.push_screen(DiagnosisScreen(self.runs[place]))


class DiagnosisScreen(FixScreen):
    """What happened, the proof, where the memory was, and what helps."""

    def __init__(self, run: Sequence[Incident]) -> None:
        super().__init__()
        self.incidents = run
        self.report: Report | None = None
        self._drawn: tuple[int, list[Line]] | None = None
        self._error: DstopError | None = None

    def on_mount(self) -> None:
        """Have it diagnosed apart: a log may be long, and all rules are loaded."""
        super().on_mount()
        app: App[object] = self.app
        ask_apart(self, lambda: diagnosed(self.incidents), app=app)

    def on_answered(self, message: Answered) -> None:
        """Take the report."""
        self.report = message.value if isinstance(message.value, Report) else None
        self._error = message.error
        self._drawn = None
        self.draw()

    @property
    def waiting(self) -> bool:
        """Whether the doctor is still looking."""
        return self.report is None and self._error is None

    @property
    def fixes(self) -> Sequence[Fix]:
        """Those of the best diagnosis."""
        return self.report.diagnoses[0].fixes if self.report is not None and self.report.diagnoses else ()

    def title_of(self, width: int) -> Line:
        """Name the run."""
        newest = self.incidents[-1]
        text = f" {what_happened(self.incidents)}  {newest.name}"
        return fit_line(((text, "head"),), width, "head")

    def body(self, width: int) -> list[Line]:
        """The report, drawn once for a width."""
        if self._error is not None:
            return wrapped(str(self._error), width, "bad")
        if self.report is None:
            return [fit_line(((" looking at it …", "dim"),), width)]
        if self._drawn is None or self._drawn[0] != width:
            from dstop.draw.doctor_text import report_lines  # noqa: PLC0415 - only when it is wanted

            lines = report_lines(self.report, width - 1, every=True)
            self._drawn = (width, [fit_line(line or (("", ""),), width) for line in lines])
        return self._drawn[1]
