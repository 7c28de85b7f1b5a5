"""`dstop recorder`: reads, adds up and writes until it is told to stop; says on stderr what is wrong."""

from __future__ import annotations

import gc
import os
import shlex
import shutil
import signal
import sys
import threading
import time
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dstop.cli import terminal
from dstop.errors import UsageError
from dstop.model.event import EventKind
from dstop.model.new_events import NewEvents
from dstop.settings.load import load
from dstop.store.connect import default_file
from dstop.units import bytes_text, parse_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from dstop.model.event import Event
    from dstop.model.past import PastIncident
    from dstop.monitor import Monitor
    from dstop.store.writer import Writer

FLUSH_S = 10.0
LEAST_BYTES = 2**20
FIRST_PATIENCE_S = 5.0
LAST_WORDS_S = 3.0
"""How long alerts that are under way may still take when we are told to stop."""

MOST_UNWRITTEN = 500
"""Events that wait for a reading they can be written with."""
_ALERTS = frozenset({EventKind.ALERT_STARTED, EventKind.ALERT_ENDED, EventKind.ALERT_FAILED})

UNIT = """[Unit]
Description=dstop flight recorder: GPU memory of this machine

[Service]
ExecStart={command}
Restart=on-failure
RestartSec=30
Nice=10
MemoryMax=512M

[Install]
WantedBy=default.target
"""


def recorder_verb(options: Mapping[str, Any]) -> None:
    """Do what was asked for.

    Raises:
        UsageError: the size is none, or too small to hold anything.
        StoreError: the file cannot be used.
        SourceError: there is no driver.
    """
    path = options["path"] or default_file(os.environ)
    most = _size(options["most"])
    if options["print_unit"]:
        terminal.write(unit_text(options).encode())
    elif options["status"]:
        terminal.write(status_text(path).encode())
    else:
        record(
            path,
            interval_s=options["interval"],
            most_bytes=most,
            seconds=options["seconds"],
            config=options["config"],
        )


def _size(text: str) -> int:
    try:
        size = parse_bytes(text)
    except ValueError as error:
        raise UsageError(f"--most: {error}", fix="such as 512MiB") from None
    if size < LEAST_BYTES:
        raise UsageError(f"--most: {text} holds no recording", fix="at least 1MiB, such as 512MiB")
    return size


def unit_text(options: Mapping[str, Any]) -> str:
    """Write the unit that starts this very program again with the options that were given."""
    program = shutil.which(sys.argv[0]) or shutil.which("dstop")
    words = [str(Path(program).resolve())] if program else [sys.executable, "-m", "dstop"]
    words.append("recorder")
    if options["path"]:
        words += ["--file", str(Path(options["path"]).absolute())]
    if options["config"]:
        words += ["--config", str(Path(options["config"]).absolute())]
    words += ["--interval", f"{options['interval']:g}", "--most", options["most"]]
    # In a unit a percent sign begins a specifier, a dollar a variable.
    command = " ".join(shlex.quote(word).replace("%", "%%").replace("$", "$$") for word in words)
    return UNIT.format(command=command)


def status_text(path: str) -> str:
    """Say what a recording holds.

    Raises:
        StoreError: there is none, or it cannot be read.
    """
    from dstop.store.reader import Reader  # noqa: PLC0415 - a verb loads what it needs

    with Reader(path) as reader:
        span, cards = reader.span(), reader.cards()
    lines = [f"{path}  {bytes_text(Path(path).stat().st_size)}"]
    if span is None:
        lines.append("nothing is recorded yet")
    else:
        first, last = (time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at_s)) for at_s in span)
        lines.append(f"from {first} to {last}")
    lines += [
        f"GPU {card.index}  {card.name or card.uuid}  {bytes_text(card.memory_total_bytes)}" for card in cards
    ]
    return "".join(f"{''.join(char if char.isprintable() else '?' for char in line)}\n" for line in lines)


def record(
    path: str, *, interval_s: float, most_bytes: int, seconds: float | None, config: str | None = None
) -> None:
    """Record until SIGTERM, Ctrl-C, or for so many seconds; what was read by then is written.

    Raises:
        StoreError: the file cannot be used.
        SourceError: there is no driver.
        SettingsError: the configuration file is not usable.
    """
    from dstop.cli.alerting import alarms_of  # noqa: PLC0415 - a verb loads what it needs
    from dstop.monitor import Monitor  # noqa: PLC0415 - a verb loads what it needs
    from dstop.monitor.findings import of_plugins  # noqa: PLC0415 - as above
    from dstop.plugin import LabelledSource, Labeller  # noqa: PLC0415 - as above
    from dstop.pytorch.guests import LiveGuests  # noqa: PLC0415 - as above
    from dstop.sources.nvml.source import NvmlSource  # noqa: PLC0415 - as above
    from dstop.store.writer import Writer  # noqa: PLC0415 - as above

    alarms = alarms_of(load(config, environ=os.environ))
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.set())
    writer = Writer(path, most_bytes=most_bytes)
    source = LabelledSource(NvmlSource(), Labeller(), figures_s=0.0)
    monitor = Monitor(
        source,
        interval_s=interval_s,
        capacity=60,
        guests=LiveGuests(),
        alarms=alarms,
        more_rules=of_plugins(),
    )
    try:
        run(monitor, writer, stop.wait, seconds=seconds, interval_s=interval_s, incidents=_Incidents())
    finally:
        if alarms is not None:
            alarms.close(LAST_WORDS_S)
        monitor.close()
        if not writer.close():
            _say(writer.trouble or "the last seconds could not be written")


def run(
    monitor: Monitor,
    writer: Writer,
    wait: Callable[[float], bool],
    *,
    interval_s: float,
    seconds: float | None = None,
    incidents: Callable[[], Iterable[PastIncident]] = tuple,
    say: Callable[[str], None] | None = None,
) -> None:
    """Step, add and write.

    Args:
        monitor: what is read.
        writer: what is written to; it is flushed every ten seconds.
        wait: waits so many seconds and says whether it is time to stop.
        interval_s: seconds between two readings.
        seconds: when to stop by itself.
        incidents: gives the black boxes that were left since it was last asked.
        say: told when something begins to be wrong, and when it is right again.

    Raises:
        SourceError: at the first reading, when there is no driver.
    """
    say = say or _say
    begin = due = flushed = time.monotonic()
    fresh = NewEvents()
    patience_s, first = FIRST_PATIENCE_S, True
    trouble: str | None = None
    unwritten: deque[Event] = deque(maxlen=MOST_UNWRITTEN)
    bells = 0
    while True:
        frame = monitor.step(patience_s=patience_s)
        events = fresh.of(frame)
        unwritten.extend(events)
        for event in events:
            if event.kind in _ALERTS:
                say(event.text)
        bells = _ring(frame.bells, bells)
        if frame.problem is None:
            writer.add(frame.sample, tuple(unwritten))
            unwritten.clear()
        if first:
            cards = len(frame.sample.gpus)
            say(f"recording {cards} GPU{'s' if cards != 1 else ''} every {interval_s:g} s into {writer.path}")
            patience_s, first = min(FIRST_PATIENCE_S, interval_s), False
            gc.enable()  # it was off for verbs that end at once
        now = time.monotonic()
        if now - flushed >= FLUSH_S:
            flushed = now
            writer.note(incidents())
            writer.flush()
            if writer.trouble != trouble:
                trouble = writer.trouble
                say(trouble or "recording goes on")
        if seconds is not None and now - begin >= seconds:
            return
        due = max(due + interval_s, now)
        if wait(due - now):
            return


class _Incidents:
    """The black boxes that have been written since it was last asked, from the usual place."""

    def __init__(self) -> None:
        self._since_ns = time.time_ns()

    def __call__(self) -> tuple[PastIncident, ...]:
        from dstop.model.past import PastIncident  # noqa: PLC0415 - a verb loads what it needs
        from dstop.pytorch.incident.listing import list_incidents  # noqa: PLC0415 - as above
        from dstop.pytorch.incident.place import default_place  # noqa: PLC0415 - as above

        since_ns, self._since_ns = self._since_ns, time.time_ns()
        return tuple(
            PastIncident(
                path=str(found.directory),
                at_ns=found.at_ns or since_ns,
                title="out of memory" if found.kind == "oom" else "a run ended badly",
                pid=found.pid,
            )
            for found in list_incidents(Path(default_place(os.environ)), since_ns)
        )


def _ring(asked: int, before: int) -> int:
    """Ring the bell of the terminal that the recorder was started from, if there is one; gives what was asked for."""
    if asked > before and terminal.is_terminal(sys.stderr):
        print("\a", end="", file=sys.stderr, flush=True)  # noqa: T201 - the bell
    return asked


def _say(text: str) -> None:
    line = "".join(char if char.isprintable() else "?" for char in text)
    print(f"dstop recorder: {line}", file=sys.stderr, flush=True)  # noqa: T201 - a service's log
