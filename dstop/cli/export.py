"""`dstop export`: reads, serves the newest reading, and ends in order; says on stderr where the page is."""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

from dstop.cli import terminal
from dstop.cli.request import Request
from dstop.errors import UsageError
from dstop.settings.load import load
from dstop.sources import LAZY_FIELDS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dstop.export.scrape.newest import Newest
    from dstop.export.scrape.server import Server
    from dstop.export.scrape.tls import Renewal
    from dstop.monitor import Monitor
    from dstop.sources import Source
    from dstop.sources.guests import Guests
    from dstop.sources.reach import Reach

FIRST_PATIENCE_S = 5.0
DRAIN_S = 2.0
"""How long answers that are being given may still take when we are told to stop."""
_ENDINGS = (signal.SIGTERM, signal.SIGHUP)


def export_verb(options: Mapping[str, Any]) -> None:
    """Do what was asked for.

    Raises:
        UsageError: options that do not go together.
        ExportError: the page cannot be served there, or with that key.
        SourceError: there is no driver.
    """
    paper = _paper(options)
    if paper is not None:
        terminal.write(paper.encode())
        return
    if options["key"] is not None and options["cert"] is None:
        raise UsageError("--key is the key of a certificate", fix="add --cert")
    if options["client_ca"] is not None and options["cert"] is None:
        raise UsageError("--client-ca is for TLS", fix="add --cert")
    if options["demo"] and options["source"] is not None:
        raise UsageError("--demo and --source are two sources", fix="choose one")
    request = _request(options)
    if options["once"]:
        _print_page(_monitor(request, options), options)
    else:
        _serve(request, options)


def run(
    newest: Newest,
    wait: Callable[[float], bool],
    *,
    interval_s: float,
    seconds: float | None = None,
    monotonic: Callable[[], float] = time.monotonic,
) -> None:
    """Read again and again.

    Args:
        newest: keeps what is read; it has been read once.
        wait: waits so many seconds and says whether it is time to stop.
        interval_s: seconds between two readings.
        seconds: when to stop by itself.
        monotonic: a clock that does not jump.
    """
    begin = due = monotonic()
    while True:
        now = monotonic()
        if seconds is not None and now - begin >= seconds:
            return
        due = max(due + interval_s, now)
        left = due - now if seconds is None else min(due - now, begin + seconds - now)
        if wait(left):
            return
        newest.step(patience_s=min(FIRST_PATIENCE_S, interval_s))


def _request(options: Mapping[str, Any]) -> Request:
    flags = {} if options["interval"] is None else {"interval_s": options["interval"]}
    return Request(
        settings=load(options["config"], environ=os.environ, flags=flags),
        # A page that is served is as a screen: nothing slow is waited for, the next one has it.
        face="text" if options["once"] else "live",
        config=options["config"],
        source=options["source"],
        tier=options["tier"],
    )


def _monitor(request: Request, options: Mapping[str, Any]) -> Monitor:
    from dstop.cli.watching import expectations_of  # noqa: PLC0415 - a verb loads what it needs
    from dstop.monitor import Monitor  # noqa: PLC0415 - as above
    from dstop.monitor.findings import of_plugins  # noqa: PLC0415 - as above

    source, guests, reach = _parts(request, demo=options["demo"])
    monitor = Monitor(
        source,
        interval_s=request.settings.interval_s,
        guests=guests,
        expectations=expectations_of(request, guests, reach, at_once=options["demo"]),
        more_rules=of_plugins(),
    )
    if options["links"]:
        monitor.watch(LAZY_FIELDS)
    return monitor


def _parts(request: Request, *, demo: bool) -> tuple[Source, Guests | None, Reach | None]:
    """Give what is read, the hooks in its processes, and what reads more of them."""
    if demo:
        from dstop.sources.demo.guests import DemoGuests  # noqa: PLC0415 - a verb loads what it needs
        from dstop.sources.demo.reach import DemoReach  # noqa: PLC0415 - as above
        from dstop.sources.demo.source import DemoSource  # noqa: PLC0415 - as above

        source = DemoSource()
        return source, DemoGuests(source), DemoReach(source)
    from dstop.cli.sources import open_source  # noqa: PLC0415 - as above

    opened = open_source(request)
    if request.source is not None:
        return opened, None, None
    from dstop.pytorch.guests import LiveGuests  # noqa: PLC0415 - as above
    from dstop.sources.procfs.reach import HostReach  # noqa: PLC0415 - as above

    return opened, LiveGuests(), HostReach()


def _newest(monitor: Monitor, options: Mapping[str, Any]) -> Newest:
    from dstop.export.scrape.newest import Newest  # noqa: PLC0415 - a verb loads what it needs

    return Newest(monitor, most_processes=options["most_processes"])


def _print_page(monitor: Monitor, options: Mapping[str, Any]) -> None:
    from dstop.export.metrics.page import page  # noqa: PLC0415 - a verb loads what it needs
    from dstop.export.metrics.text import plain  # noqa: PLC0415 - as above

    newest = _newest(monitor, options)
    try:
        newest.step(patience_s=FIRST_PATIENCE_S)
        terminal.write(plain(page(newest.moment())))
    finally:
        monitor.close()


def _serve(request: Request, options: Mapping[str, Any]) -> None:
    from dstop.export.metrics.page import page  # noqa: PLC0415 - a verb loads what it needs

    interval_s = request.settings.interval_s
    monitor: Monitor | None = None
    held: list[Newest] = []
    # Whatever is wrong with the options is told before the driver is asked for anything.
    server = _open(options, lambda: held[0])
    stop = threading.Event()
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in _ENDINGS}
    try:
        monitor = _monitor(request, options)
        newest = _newest(monitor, options)
        newest.step(patience_s=FIRST_PATIENCE_S)
        held.append(newest)
        page(newest.moment())  # names are written once: the first scrape should not wait for them
        threading.Thread(target=server.serve_forever, name="scrapes", daemon=True).start()
        _say(f"serving at {server.url}, reading every {interval_s:g} s")
        # Off for those that end at once; what is there by now stays, and need not be looked through again and again.
        gc.freeze()
        gc.enable()
        renewal = _renewal(server, options)

        def wait(left_s: float) -> bool:
            news = None if renewal is None else renewal.look()
            if news is not None:
                _say(news)
            return stop.wait(left_s)

        run(newest, wait, interval_s=interval_s, seconds=options["seconds"])
        server.drain(DRAIN_S)
    finally:
        server.server_close()
        if monitor is not None:
            monitor.close()
        for number, handler in before.items():
            signal.signal(number, handler)


def _renewal(server: Server, options: Mapping[str, Any]) -> Renewal | None:
    if server.context is None:
        return None
    from dstop.export.scrape.tls import Renewal  # noqa: PLC0415 - a verb loads what it needs

    return Renewal(server.context, options["cert"], options["key"])


def _open(options: Mapping[str, Any], newest: Callable[[], Newest]) -> Server:
    from dstop.export.scrape.app import MetricsApp  # noqa: PLC0415 - a verb loads what it needs
    from dstop.export.scrape.auth import gate_from_file, others_can_read  # noqa: PLC0415 - as above
    from dstop.export.scrape.server import is_loopback, open_server  # noqa: PLC0415 - as above

    context = gate = None
    if options["cert"] is not None:
        from dstop.export.scrape.tls import server_context  # noqa: PLC0415 - as above

        context = server_context(options["cert"], options["key"], options["client_ca"])
    if options["auth_file"] is not None:
        gate = gate_from_file(options["auth_file"])
        if others_can_read(options["auth_file"]):
            _say(f"everybody on this machine can read {options['auth_file']}: chmod o-r it")
    server = open_server(
        options["bind"], options["port"], MetricsApp(lambda: newest().moment(), gate), context
    )
    if not is_loopback(options["bind"]):
        if gate is None and options["client_ca"] is None:
            _say("whoever reaches this address can read users and commands: --auth-file lets in some alone")
        elif context is None:
            _say("passwords travel as they are: --cert has them encrypted")
    return server


def _paper(options: Mapping[str, Any]) -> str | None:
    """Give what is printed without reading anything, if that was asked for."""
    from dstop.cli import export_paper  # noqa: PLC0415 - a verb loads what it needs

    asked = [name for name in ("names", "print_dashboard", "print_rules", "print_unit") if options[name]]
    if not asked:
        return None
    if len(asked) > 1:
        words = " and ".join(f"--{name.replace('_', '-')}" for name in asked)
        raise UsageError(f"{words} are two answers", fix="choose one")
    writers: dict[str, Callable[[], str]] = {
        "names": export_paper.names_text,
        "print_dashboard": export_paper.dashboard_text,
        "print_rules": export_paper.rules_text,
        "print_unit": lambda: export_paper.unit_text(options),
    }
    return writers[asked[0]]()


def _say(text: str) -> None:
    line = "".join(char if char.isprintable() else "?" for char in text)
    print(f"dstop export: {line}", file=sys.stderr, flush=True)  # noqa: T201 - a service's log
