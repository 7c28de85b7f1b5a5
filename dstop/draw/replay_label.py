"""What is said of figures before anything else: that no hardware is behind them, or that they are of another day."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.units import duration_text

if TYPE_CHECKING:
    from dstop.draw.line import Line
    from dstop.model.frame import Frame
    from dstop.model.replay import Replay

_SIMULATED = " SIMULATED "


def labels(frame: Frame) -> Line:
    """Give the marks that stand first on every face; none for what a machine says now."""
    simulated = () if frame.sample.simulated is None else ((_SIMULATED, "simulated"),)
    if frame.replay is None:
        return simulated
    return (*simulated, (f" {replay_text(frame.replay)} ", "badge"))


def replay_text(replay: Replay) -> str:
    """Say that this is a recording, of when, and where in it we are: `REPLAY 2026-11-28 17:03:20 3:20/1:00:00`."""
    text = f"{replay.label} {duration_text(replay.passed_s)}/{duration_text(replay.length_s)}"
    if replay.ended:
        return f"{text} END"
    return text if replay.speed == 1 else f"{text} ×{replay.speed:g}"
