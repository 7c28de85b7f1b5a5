"""`dstop record`: a monitor whose frames go into a file."""

from __future__ import annotations

import gc
import math
import os
import signal
import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from dstop.cli import terminal
from dstop.units import bytes_text, duration_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from dstop.model.frame import Frame
    from dstop.monitor import Monitor
    from dstop.sources.replay.writer import RecordingWriter

FIRST_PATIENCE_S = 5.0


def record_verb(path: str, options: Mapping[str, Any]) -> None:
    """Record until SIGTERM, Ctrl-C, or for so many seconds; what was read by then is written.

    Raises:
        RecordingError: the file cannot be written, or is there already.
        SourceError: there is no driver.
    """
    from dstop.sources.replay.writer import RecordingWriter  # noqa: PLC0415 - a verb loads what it needs

    interval_s = options["interval"]
    monitor = monitor_of(interval_s, demo=options["demo"], config=options["config"], tier=options["tier"])
    try:
        first = monitor.step(
            patience_s=FIRST_PATIENCE_S
        )  # without a driver there is nothing to make a file for
        writer = RecordingWriter(path, step_s=interval_s, append=options["append"])
        try:
            with _told_to_stop() as stop:
                run(
                    monitor, writer, stop.wait, first=first, interval_s=interval_s, seconds=options["seconds"]
                )
        finally:
            writer.close()
            _say(f"{writer.moments} steps, {bytes_text(writer.written_bytes)} in {path}")
    finally:
        monitor.close()


@contextmanager
def _told_to_stop() -> Iterator[threading.Event]:
    """Give an event that is set when the user or the system wants an end: never in the middle of a block.

    Raises:
        StoppedError: at the end, when it was the user.
    """
    stop, by = threading.Event(), set()

    def told(number: int, _frame: object) -> None:
        by.add(number)
        stop.set()

    before = {
        number: signal.signal(number, told) for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
    }
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if signal.SIGINT in by:
        raise terminal.StoppedError


def monitor_of(
    interval_s: float, *, demo: bool = False, config: str | None = None, tier: str | None = None
) -> Monitor:
    """Give the monitor that is recorded: of this machine with its hooks, or of the demo."""
    from dstop.cli.request import Request  # noqa: PLC0415 - a verb loads what it needs
    from dstop.cli.watching import expectations_of  # noqa: PLC0415 - as above
    from dstop.monitor import Monitor  # noqa: PLC0415 - as above
    from dstop.monitor.findings import of_plugins  # noqa: PLC0415 - as above
    from dstop.settings.load import load  # noqa: PLC0415 - as above

    request = Request(settings=load(config, environ=os.environ, flags={}), face="record", tier=tier)
    if demo:
        from dstop.sources.demo.guests import DemoGuests  # noqa: PLC0415 - as above
        from dstop.sources.demo.reach import DemoReach  # noqa: PLC0415 - as above
        from dstop.sources.demo.source import DemoSource  # noqa: PLC0415 - as above

        source = DemoSource()
        hooks = DemoGuests(source)
        expectations = expectations_of(request, hooks, DemoReach(source), at_once=True)
        return Monitor(
            source, interval_s=interval_s, guests=hooks, expectations=expectations, more_rules=of_plugins()
        )
    from dstop.cli.sources import open_source  # noqa: PLC0415 - as above
    from dstop.pytorch.guests import LiveGuests  # noqa: PLC0415 - as above
    from dstop.sources.procfs.reach import HostReach  # noqa: PLC0415 - as above

    live = LiveGuests()
    expected = expectations_of(request, live, HostReach())
    return Monitor(
        open_source(request),
        interval_s=interval_s,
        guests=live,
        expectations=expected,
        more_rules=of_plugins(),
    )


def run(
    monitor: Monitor,
    writer: RecordingWriter,
    wait: Callable[[float], bool],
    *,
    first: Frame,
    interval_s: float,
    seconds: float | None = None,
    say: Callable[[str], None] | None = None,
) -> None:
    """Step and write.

    Args:
        monitor: what is recorded.
        writer: where to.
        wait: waits so many seconds and says whether it is time to stop.
        first: what has been read already.
        interval_s: seconds between two steps.
        seconds: when to stop by itself.
        say: told what is recorded, when it begins.

    Raises:
        RecordingError: when nothing more can be written.
    """
    begin = due = time.monotonic()
    end = math.inf if seconds is None else begin + seconds
    cards = len(first.sample.gpus)
    until = "until Ctrl-C" if seconds is None else f"for {duration_text(seconds)}"
    what = f"{cards} GPU{'s' if cards != 1 else ''} every {interval_s:g} s"
    (say or _say)(f"recording {what} into {writer.path}, {until}")
    frame = first
    gc.enable()  # it is off for those that end at once
    while True:
        writer.add(frame)
        now = time.monotonic()
        due = max(due + interval_s, now)
        if due > end or wait(due - now):
            return
        frame = monitor.step(patience_s=min(FIRST_PATIENCE_S, interval_s))


def _say(text: str) -> None:
    words = "".join(char if char.isprintable() else "?" for char in text)
    print(f"dstop record: {words}", file=sys.stderr, flush=True)  # noqa: T201 - said beside the file
