"""What the live rules have found, the worst first; and one finding with its proof, its fixes and its rule's page."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding

from dstop.draw.finding_lines import finding_detail_lines, finding_lines, finding_summary
from dstop.draw.line import fit_line
from dstop.ui.asking import ask_apart
from dstop.ui.screens.choice import ChoiceScreen
from dstop.ui.screens.copying import FixScreen

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.app import App
    from textual.binding import BindingType

    from dstop.doctor.rule import Rule
    from dstop.draw.line import Line
    from dstop.model.evidence import Fix
    from dstop.model.finding import Finding
    from dstop.ui.messages import Answered


class FindingsScreen(ChoiceScreen):
    """The list; the key that opened it takes it away."""

    KEYS = (
        ("Enter", "proof and fixes"),
        ("↑↓", "move"),
        ("d", "past crashes"),
        ("Esc", "back"),
        ("q", "quit"),
    )
    BINDINGS: ClassVar[list[BindingType]] = [Binding("F", "back", show=False)]

    def __init__(self) -> None:
        super().__init__()
        self._chosen: object | None = None
        """Whose line the cursor is on: findings come and go above it."""

    @property
    def findings(self) -> Sequence[Finding]:
        """What stands now."""
        return self.frame.findings if self.frame is not None else ()

    def title_of(self, width: int) -> Line:
        """Count them."""
        count = len(self.findings)
        text = f" {count} finding{'' if count == 1 else 's'}, the worst first"
        return fit_line(((text, "head"),), width, "head")

    def choices(self, width: int) -> list[Line]:
        """A line each."""
        return finding_lines(self.findings, width)

    def body(self, width: int) -> list[Line]:
        """The list, and the whole sentence of the chosen one."""
        lines = super().body(width)
        if self.cursor < len(self.findings):
            lines += [fit_line((("", ""),), width), *finding_summary(self.findings[self.cursor], width)]
        return lines

    def nothing(self) -> str:
        """Say that all is well, as far as the rules know."""
        return "nothing is found: no memory runs out, no card is in trouble (dstop explain lists what is looked for)"

    def draw(self) -> None:
        """Keep the cursor on its finding while others come and go."""
        keys = [identity(finding) for finding in self.findings]
        if self._chosen in keys:
            self.cursor = keys.index(self._chosen)
        super().draw()
        self._chosen = keys[self.cursor] if self.cursor < len(keys) else None

    def action_scroll_by(self, lines: int) -> None:
        """Move to another finding."""
        self._chosen = None
        super().action_scroll_by(lines)

    def action_scroll_to_top(self) -> None:
        """Go to the worst."""
        self._chosen = None
        super().action_scroll_to_top()

    def action_scroll_to_end(self) -> None:
        """Go to the last."""
        self._chosen = None
        super().action_scroll_to_end()

    def open(self, place: int) -> None:
        """Show one close up."""
        self._chosen = None
        self.app.push_screen(FindingScreen(self.findings[place]))


class FindingScreen(FixScreen):
    """One finding, as it stands now or as it stood last; below it the page of its rule."""

    KEYS = (
        ("Esc", "back"),
        ("y", "copy the fix"),
        ("1-9", "that one"),
        ("g", "GPU"),
        ("↑↓", "scroll"),
        ("q", "quit"),
    )
    BINDINGS: ClassVar[list[BindingType]] = [Binding("g", "open_gpu", show=False)]

    def __init__(self, finding: Finding) -> None:
        super().__init__()
        self.finding = finding
        self._rule: Rule | None = None
        self._waits = True

    def on_mount(self) -> None:
        """Have the page read apart: all rules are loaded for it."""
        super().on_mount()
        app: App[object] = self.app
        number = self.finding.rule

        def page() -> object:
            from dstop.doctor.plugged import page_of  # noqa: PLC0415 - only who asks for a page loads the rules

            return page_of(number)

        ask_apart(self, page, app=app)

    def on_answered(self, message: Answered) -> None:
        """Take the page."""
        from dstop.doctor.rule import Rule  # noqa: PLC0415 - it is loaded by now

        self._waits = False
        self._rule = message.value if isinstance(message.value, Rule) else None
        self.draw()

    @property
    def waiting(self) -> bool:
        """Whether the page is still being read."""
        return self._waits

    @property
    def fixes(self) -> Sequence[Fix]:
        """Its own."""
        return self.finding.fixes

    def title_of(self, width: int) -> Line:
        """Say whether it still stands."""
        standing = self.frame.findings if self.frame is not None else ()
        now = next((each for each in standing if identity(each) == identity(self.finding)), None)
        self.finding = now or self.finding
        text = f" {self.finding.rule}" + (f" {self._rule.name}" if self._rule is not None else "")
        if now is None:
            text += ": it is over; this is what was found last"
        return fit_line(((text, "head"),), width, "head")

    def body(self, width: int) -> list[Line]:
        """Proof, fixes, page."""
        lines = finding_detail_lines(self.finding, width)
        if self._rule is not None:
            from dstop.draw.rule_page import page_lines  # noqa: PLC0415 - as above

            lines.append(fit_line((("", ""),), width))
            page = page_lines(self._rule, width - 2)
            lines += [fit_line(((" ", ""), *line), width) for line in page]
        return lines

    def action_open_gpu(self) -> None:
        """Show its card."""
        if self.finding.gpu_index is None:
            self.dstop.say("it is not about one GPU")
        else:
            self.dstop.open_gpu(self.finding.gpu_index)


def identity(finding: Finding) -> object:
    """Give what stays the same of a finding while its figures move."""
    return (finding.rule, finding.gpu_index, finding.pid, finding.started_at_s)
