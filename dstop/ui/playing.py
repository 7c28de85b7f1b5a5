"""The keys of a recording: jump back, on, to what matters. Where the present is shown there is nothing to seek in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PLAY_BINDINGS: tuple[tuple[str, str], ...] = (
    ("left_square_bracket", "play('back')"),
    ("right_square_bracket", "play('on')"),
    ("left_curly_bracket", "play('far_back')"),
    ("right_curly_bracket", "play('far_on')"),
    ("left_parenthesis", "play('incident_before')"),
    ("right_parenthesis", "play('incident_after')"),
    ("ctrl+home,circumflex_accent", "play('begin')"),
    ("ctrl+end,dollar_sign", "play('end')"),
)
STEP_S, FAR_S = 10.0, 60.0


@runtime_checkable
class Seeks(Protocol):
    """What can be taken to another time: a recording that is played."""

    @property
    def speed(self) -> float:
        """Seconds of the recording per second."""
        ...

    def faster(self, steps: int) -> float:
        """Play faster, or slower; gives the speed."""
        ...

    def seek_by(self, seconds: float) -> None:
        """Jump so many seconds."""
        ...

    def seek_end(self, *, last: bool) -> None:
        """Jump to the beginning, or to the end."""
        ...

    def seek_weight(self, *, forward: bool) -> None:
        """Jump to where something of weight happened."""
        ...


_JUMPS: Mapping[str, Callable[[Seeks], None]] = {
    "back": lambda player: player.seek_by(-STEP_S),
    "on": lambda player: player.seek_by(STEP_S),
    "far_back": lambda player: player.seek_by(-FAR_S),
    "far_on": lambda player: player.seek_by(FAR_S),
    "incident_before": lambda player: player.seek_weight(forward=False),
    "incident_after": lambda player: player.seek_weight(forward=True),
    "begin": lambda player: player.seek_end(last=False),
    "end": lambda player: player.seek_end(last=True),
}


def jump(player: object, what: str) -> str | None:
    """Have a recording jump; gives what to say where there is none."""
    if not isinstance(player, Seeks):
        return "this is the present: dstop replay FILE shows a recording, and jumps in it"
    _JUMPS[what](player)
    return None
