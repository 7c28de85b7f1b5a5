"""The live screen over a recording: the same app, with keys that the present has no use for."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, runtime_checkable

from textual.app import SystemCommand
from textual.binding import Binding

from dstop.ui.app import DstopApp
from dstop.ui.keys import PLAY_BINDINGS, REPLAY_KEYS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from textual.binding import BindingType
    from textual.screen import Screen

    from dstop.ui.messages import FrameReady

STEP_S, FAR_S = 10.0, 60.0


@runtime_checkable
class Seeks(Protocol):
    """What can be taken to another time: a recording that is played."""

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


_NAMES: Mapping[str, tuple[str, str]] = {
    "incident_after": ("Next incident", "where something of weight happens next"),
    "incident_before": ("Incident before", "where something of weight happened last"),
    "begin": ("Begin", "the first moment of the recording"),
    "end": ("End", "its last moment"),
}


class ReplayApp(DstopApp):
    """Shows what a Player steps through; whatever steps it must be able to seek once it is there."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(keys, action, show=False) for keys, action in PLAY_BINDINGS
    ]

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._said: str | None = None
        self._overview.state = replace(self._overview.state, keys=REPLAY_KEYS)

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Offer the jumps by name, too."""
        for what, (name, help_) in _NAMES.items():
            yield SystemCommand(name, help_, partial(self.action_play, what))
        yield from super().get_system_commands(screen)

    def on_frame_ready(self, message: FrameReady) -> None:
        """Say what the player has to say; the app itself then takes the frame."""
        replay = message.frame.replay
        notice = replay.notice if replay is not None else None
        if notice != self._said:
            self._said = notice
            if notice is not None:
                self.say(notice)

    @property
    def player(self) -> Seeks | None:
        """What plays; None while the recording is still being opened."""
        monitor = self.poller.monitor
        return monitor if isinstance(monitor, Seeks) else None

    def action_play(self, what: str) -> None:
        """Jump, also while frames stand still: then to stand there."""
        if self.player is not None:
            self._said = None  # what is true again is said again
            _JUMPS[what](self.player)
            self.poller.poke(even_paused=True)

    def action_interval(self, factor: float) -> None:
        """Play faster (+) or slower (-); how often the screen is drawn stays."""
        if self.player is not None:
            speed = self.player.faster(1 if factor > 1 else -1)
            self.say(f"{speed:g} seconds of the recording a second")
            self.poller.poke()
