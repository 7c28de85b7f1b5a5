"""`dstop replay`: a recording on the screen, or on paper."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

from dstop.cli import terminal
from dstop.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from dstop.cli.request import Request
    from dstop.model.frame import Frame
    from dstop.monitor.player import Player
    from dstop.settings import Settings
    from dstop.sources.replay.recording import Recording


def replay_verb(path: str, request: Request, *, at: str | None, speed: float) -> None:
    """Show a recording.

    Args:
        path: of the file.
        request: what was asked of this run.
        at: where to begin, as it was typed.
        speed: seconds of the recording per second.

    Raises:
        RecordingError: the file cannot be read.
        UsageError: the time is none, or not of the recording.
    """
    from dstop.cli.replay_time import place_of  # noqa: PLC0415 - a verb loads what it needs
    from dstop.sources.replay.recording import Recording  # noqa: PLC0415 - as above

    if request.tier is not None:
        raise UsageError(
            "--tier: a recording has what was expected when it was made",
            fix="it is an option of dstop record",
        )
    recording = Recording(path)
    try:
        at_ns = recording.begin_ns if at is None else place_of(at, recording)
        if request.face == "live":
            _show(recording, request, at_ns, speed)
        else:
            _print(_player(recording, request, at_ns, speed), request)
    finally:
        recording.close()


def _player(recording: Recording, request: Request, at_ns: int, speed: float) -> Player:
    from dstop.cli.sources import Narrowed  # noqa: PLC0415 - a verb loads what it needs
    from dstop.monitor.findings import of_plugins  # noqa: PLC0415 - as above
    from dstop.monitor.player import Player  # noqa: PLC0415 - as above
    from dstop.sources.replay.guests import ReplayGuests  # noqa: PLC0415 - as above
    from dstop.sources.replay.source import ReplaySource  # noqa: PLC0415 - as above

    source = ReplaySource(recording)
    return Player(
        source,
        speed=speed,
        at_ns=at_ns,
        refresh_s=request.settings.interval_s,
        source=Narrowed(source, request),
        guests=ReplayGuests(source),
        more_rules=of_plugins(),
    )


def _show(recording: Recording, request: Request, at_ns: int, speed: float) -> None:
    from dstop.cli.printing import view_of  # noqa: PLC0415 - a verb loads what it needs
    from dstop.settings.save import save  # noqa: PLC0415 - as above
    from dstop.sources.replay.guests import ReplayGuests  # noqa: PLC0415 - as above
    from dstop.sources.replay.source import ReplaySource  # noqa: PLC0415 - as above
    from dstop.ui.live import show_live  # noqa: PLC0415 - as above

    def keep(settings: Settings) -> None:
        save(settings, request.config)

    show_live(
        lambda: _player(recording, request, at_ns, speed),
        request.settings,
        view_of(request),
        guests=ReplayGuests(ReplaySource(recording)),
        save=keep,
        incidents=tuple,
        replays=True,
    )


def _print(player: Player, request: Request, write: Callable[[bytes], None] = terminal.write) -> None:
    """Print the moment that was asked for, or, with an interval, all from there on, as fast as they are read.

    The interval is one of the recording: `-i 10` is a line each ten seconds of it.
    """
    from dstop.cli.printing import face  # noqa: PLC0415 - a verb loads what it needs

    gc.enable()  # it is off for those that end at once
    head, draw = face(request)
    left = request.count if request.repeat else 1
    due_ns = 0
    try:
        frame: Frame | None = player.step()
        while frame is not None:
            now_ns = frame.replay.at_ns if frame.replay is not None else 0
            if now_ns >= due_ns:
                write(head + draw(frame))
                head = b""
                due_ns = (now_ns if due_ns == 0 else due_ns) + round(request.settings.interval_s * 1e9)
                due_ns = max(due_ns, now_ns + 1)
                left = None if left is None else left - 1
                if left == 0:
                    return
            frame = player.step_one()
    finally:
        player.close()
