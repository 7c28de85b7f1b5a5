"""A plan with sliders: turn a knob, and see at once what it does to each GPU's memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding

from dstop.draw.knob_lines import first_shown, knob_lines, track_place
from dstop.draw.line import BLANK, fit_line, spread
from dstop.draw.plan_gauge import gauge_lines, plan_title
from dstop.draw.status_line import status_line
from dstop.errors import PlanError
from dstop.footprint.knobs import knobs_of, put, turned
from dstop.footprint.spec.settle import settle
from dstop.ui.screens.base import FrameScreen

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from textual.binding import BindingType
    from textual.events import Click, Key, MouseScrollDown, MouseScrollUp

    from dstop.draw.line import Line
    from dstop.footprint.knobs import Knob
    from dstop.footprint.spec.values import Spec
    from dstop.model.footprint import Fit, Footprint

    Judge = Callable[[Spec], tuple[Footprint, Sequence[Fit]]]
    """Computes a spec and holds it against cards."""

KEYS = (
    ("↑↓", "knob"),
    ("←→", "turn"),
    ("0-9", "type"),
    ("g", "GPU"),
    ("u", "undo"),
    ("R", "as it was"),
    ("?", "help"),
    ("q", "leave"),
)
_LEAST_LEFT, _MOST_LEFT = 36, 52
_MOST_DIGITS = 9
_MOST_UNDO = 200


class PlanScreen(FrameScreen):
    """Knobs at the left, the answer at the right; the mouse turns what it points at.

    Args:
        spec: where it begins.
        judge: computes.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q,f10", "back", show=False),
        Binding("escape", "escape", show=False),
        Binding("question_mark,f1,h", "help", show=False),
        Binding("up,k", "move(-1)", show=False),
        Binding("down,j", "move(1)", show=False),
        Binding("home", "move(-1000)", show=False),
        Binding("end", "move(1000)", show=False),
        Binding("left,minus", "turn(-1)", show=False),
        Binding("right,plus,equals_sign,l,space", "turn(1)", show=False),
        Binding("shift+left,H,pagedown", "turn(-4)", show=False),
        Binding("shift+right,L,pageup", "turn(4)", show=False),
        Binding("g", "card(1)", show=False),
        Binding("G", "card(-1)", show=False),
        Binding("u", "undo", show=False),
        Binding("R", "start_over", show=False),
        Binding("enter", "enter", show=False),
        Binding("backspace", "rub", show=False),
    ]

    def __init__(self, spec: Spec, judge: Judge) -> None:
        super().__init__()
        self._judge = judge
        self._start = spec
        self._past: list[Spec] = []
        self.spec = spec
        self.typed = ""
        self._at = "batch"
        self._card: str | None = spec.gpu
        self.footprint, self.fits = judge(spec)
        self.knobs = knobs_of(settle(spec)[0])

    # ---- what is computed --------------------------------------------------------------------------------------

    @property
    def at(self) -> int:
        """Which knob the keys turn: it stays with its field when a phase has others."""
        return next((place for place, knob in enumerate(self.knobs) if knob.name == self._at), 0)

    @property
    def knob(self) -> Knob:
        """The chosen knob."""
        return self.knobs[self.at]

    @property
    def card(self) -> Fit | None:
        """The card that the bar is measured against: the chosen one, or the smallest that does."""
        if self._card is not None:
            return next((fit for fit in self.fits if fit.gpu == self._card), None)
        smallest = sorted(
            self.fits, key=lambda fit: (not fit.fits, fit.usable_bytes if fit.fits else -fit.usable_bytes)
        )
        return smallest[0] if smallest else None

    def _take(self, change: Callable[[], Spec], *, remember: bool = True) -> None:
        """Compute a changed spec; where it cannot be, say why and keep what there is."""
        before = self.spec
        try:
            spec = change()
            footprint, fits = self._judge(spec)
        except PlanError as error:
            self.dstop.say(str(error))
            return
        if remember and spec != before:
            self._past = [*self._past[-_MOST_UNDO:], before]
        self.spec, self.footprint, self.fits = spec, footprint, fits
        self.knobs = knobs_of(settle(spec)[0])
        self.draw()

    # ---- drawing -----------------------------------------------------------------------------------------------

    @property
    def _left(self) -> int:
        """Cells for the knobs."""
        return max(_LEAST_LEFT, min(_MOST_LEFT, self.area[0] * 2 // 5))

    def draw(self) -> None:
        """Draw title, knobs, answer and keys."""
        width, height = self.area
        room = max(0, height - 2)
        left = min(self._left, width)
        right = max(0, width - left - 1)
        knobs = knob_lines(self.knobs, self.at, left, room, self.typed)
        gauge = gauge_lines(self.footprint, self.fits, self.card, right, room) if right else []
        lines = [
            (
                *(knobs[place] if place < len(knobs) else fit_line(BLANK, left)),
                ("│", "seg.free"),
                *(gauge[place] if place < len(gauge) else fit_line(BLANK, right)),
            )
            for place in range(room)
        ]
        body = [fit_line(line, width) for line in lines]
        self.canvas.show([self._title(width), *body, self._status(width)][-height:])

    def _title(self, width: int) -> Line:
        line = spread(((f" {plan_title(self.footprint)}", "head"),), ((" plan ", "head.sorted"),), width)
        return fit_line(tuple((text, role or "head") for text, role in line), width, "head")

    def _status(self, width: int) -> Line:
        flags = ["changed"] if self.spec != self._start else []
        return status_line(KEYS, width, cost=None, flags=flags, notice=self.dstop.notice)

    # ---- keys --------------------------------------------------------------------------------------------------

    def action_back(self) -> None:
        """Leave it."""
        if len(self.app.screen_stack) > 1:
            self.dismiss()
        else:
            self.app.exit()

    def action_escape(self) -> None:
        """Drop what is being typed; else leave."""
        if self.typed:
            self.typed = ""
            self.draw()
        else:
            self.action_back()

    def action_help(self) -> None:
        """Show the keys."""
        from dstop.ui.screens.plan_help import PlanHelp  # noqa: PLC0415 - only when it is wanted

        self.app.push_screen(PlanHelp())

    def action_move(self, by: int) -> None:
        """Choose another knob; a number that was being typed is set first."""
        self._set_typed()
        self._at = self.knobs[max(0, min(len(self.knobs) - 1, self.at + by))].name
        self.draw()

    def action_turn(self, by: int) -> None:
        """Turn the knob."""
        self.typed = ""
        knob = self.knob
        self._take(lambda: turned(self.spec, knob, by))

    def action_card(self, by: int) -> None:
        """Measure against another card."""
        if self.fits and self.card is not None:
            place = (self.fits.index(self.card) + by) % len(self.fits)
            self._card = self.fits[place].gpu
            self.draw()

    def action_undo(self) -> None:
        """Go back to what was before."""
        if not self._past:
            self.dstop.say("nothing to undo")
            return
        before = self._past.pop()
        self._take(lambda: before, remember=False)

    def action_start_over(self) -> None:
        """Go back to where it began; u brings the changes back."""
        self._take(lambda: self._start)

    def on_key(self, event: Key) -> None:
        """Take digits: a number goes to the knob when Enter is pressed."""
        if event.character is not None and event.character.isdecimal() and event.character.isascii():
            event.stop()
            if not self.knob.slides:
                self.dstop.say(f"{self.knob.name} is no number: turn it with the arrows")
            elif len(self.typed) < _MOST_DIGITS:
                self.typed += event.character
                self.draw()

    def action_rub(self) -> None:
        """Take the last digit away."""
        self.typed = self.typed[:-1]
        self.draw()

    def action_enter(self) -> None:
        """Set what was typed."""
        self._set_typed()

    def _set_typed(self) -> None:
        typed, self.typed = self.typed, ""
        if not typed:
            return
        knob = self.knob
        number = int(typed)
        least = knob.choices[0]
        if isinstance(least, float):
            number_or_share: float = number / 100
        else:
            number_or_share = number
        if number_or_share < least or (isinstance(least, float) and number_or_share > 1):
            self.dstop.say(f"{knob.name}: {number_or_share:g} is out of bounds")
            self.draw()
            return
        self._take(lambda: put(self.spec, knob.name, number_or_share))

    # ---- mouse -------------------------------------------------------------------------------------------------

    def _knob_at(self, y: int) -> str | None:
        """Name the knob in a line of the screen."""
        room = max(0, self.area[1] - 2)
        place = y - 1 + first_shown(len(self.knobs), self.at, room) if len(self.knobs) > room else y - 1
        return self.knobs[place].name if 0 <= y - 1 < room and 0 <= place < len(self.knobs) else None

    def on_click(self, event: Click) -> None:
        """Choose a knob; on its track, set it."""
        name = self._knob_at(event.screen_y) if event.screen_x < self._left else None
        if name is None:
            return
        self._at = name
        place = track_place(event.screen_x, self._left)
        knob = self.knob
        if knob.slides and place is not None:
            choice = knob.choices[round(place * (len(knob.choices) - 1))]
            self._take(lambda: put(self.spec, knob.name, choice))
        elif not knob.slides:
            self._take(lambda: turned(self.spec, knob, 1))
        self.draw()

    def _wheel(self, x: int, y: int, by: int) -> None:
        name = self._knob_at(y) if x < self._left else None
        if name is not None:
            self._at = name
            self.action_turn(by)

    def on_mouse_scroll_up(self, event: MouseScrollUp) -> None:
        """Turn what the mouse points at up."""
        event.stop()
        self._wheel(event.screen_x, event.screen_y, 1)

    def on_mouse_scroll_down(self, event: MouseScrollDown) -> None:
        """Turn it down."""
        event.stop()
        self._wheel(event.screen_x, event.screen_y, -1)
