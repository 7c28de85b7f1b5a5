"""One card, close up."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding

from dstop.draw.gpu_detail import gpu_detail_lines
from dstop.draw.gpu_line import short_name
from dstop.draw.line import fit_line
from dstop.ui.screens.text import TextScreen

if TYPE_CHECKING:
    from textual.binding import BindingType

    from dstop.draw.line import Line
    from dstop.model.gpu import Gpu


class GpuScreen(TextScreen):
    """Everything one card says, and why it does not say the rest."""

    KEYS = (("Esc", "back"), ("← →", "other GPU"), ("t", "recorded"), ("↑↓", "scroll"), ("q", "quit"))
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,h", "other(-1)", show=False),
        Binding("right,l", "other(1)", show=False),
        Binding("t", "past", show=False),
    ]

    def __init__(self, index: int) -> None:
        super().__init__()
        self.index = index

    @property
    def gpu(self) -> Gpu | None:
        """The card, as the newest frame has it."""
        gpus = self.frame.sample.gpus if self.frame is not None else ()
        return next((gpu for gpu in gpus if gpu.index == self.index), None)

    def title_of(self, width: int) -> Line:
        """Name the card."""
        name = short_name(self.gpu.name) if self.gpu is not None else "gone"
        return fit_line(((f" GPU {self.index}  {name}", "head"),), width, "head")

    def body(self, width: int) -> list[Line]:
        """Its figures."""
        gpu, frame = self.gpu, self.frame
        if gpu is None or frame is None:
            return [fit_line(((" this GPU is not in the machine any more", "bad"),), width)]
        return gpu_detail_lines(frame, gpu, width, self.dstop.look)

    def action_past(self) -> None:
        """Show what the flight recorder has of it."""
        from dstop.ui.screens.past import PastScreen  # noqa: PLC0415 - only when it is wanted

        if self.frame is not None and self.frame.replay is not None:
            self.dstop.say("this is a replay: the flight recorder's past is of this machine")
        elif self.gpu is not None:
            self.app.push_screen(PastScreen(self.gpu))

    def action_other(self, step: int) -> None:
        """Go to the card before or after."""
        gpus = self.frame.sample.gpus if self.frame is not None else ()
        places = [gpu.index for gpu in gpus]
        if places:
            here = places.index(self.index) if self.index in places else 0
            self.index = places[(here + step) % len(places)]
            self.draw()
