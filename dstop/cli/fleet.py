"""`dstop fleet`: a Prometheus server's hosts and GPUs, as text, as JSON, or on the screen."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

from dstop.cli import terminal
from dstop.cli.fleet_command import SHOWS
from dstop.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dstop.settings import Settings
    from dstop.sources.prometheus.source import FleetSource
    from dstop.view.fleet import FleetView

_MATCHER = r"[a-zA-Z_][a-zA-Z0-9_]*\s*(?:=~|!~|!=|=)\s*\"(?:[^\"\\\n]|\\.){0,1000}\""
_MATCHERS = re.compile(rf"\s*{_MATCHER}(?:\s*,\s*{_MATCHER})*\s*,?\s*")
_MOST_MATCH = 4000


def fleet_verb(options: Mapping[str, Any], settings: Settings) -> None:
    """Show what was asked for.

    Raises:
        UsageError: options that do not go together, or cannot be.
        SourceError: the server does not answer, or not as Prometheus does.
    """
    from dstop.view.fleet import FleetView  # noqa: PLC0415 - a verb loads what it needs
    from dstop.view.fleet_filter import parse  # noqa: PLC0415 - as above

    if options["once"] and options["json"]:
        raise UsageError("--once and --json are two answers", fix="choose one")
    source = source_of(options)
    view = FleetView(sort=options["sort"], filter=parse(options["text"]))
    if options["json"]:
        _print_json(source, view)
    elif options["once"] or not terminal.can_be_live(os.environ):
        _print_text(source, view, options, settings)
    else:
        from dstop.ui.fleet_live import run_fleet  # noqa: PLC0415 - as above

        show = SHOWS.index(options["show"]) if options["show"] else 0
        run_fleet(source, view, settings, interval_s=options["interval"], show=show, host=options["host"])


def source_of(options: Mapping[str, Any]) -> FleetSource:
    """Give what reads the server.

    Raises:
        UsageError: there is no address, or it, a secret, a certificate or a matcher cannot be used.
    """
    from dstop.sources.prometheus.client import (  # noqa: PLC0415 - a verb loads what it needs
        Client,
        server_address,
        tls_context,
    )
    from dstop.sources.prometheus.secrets import authorization  # noqa: PLC0415 - as above
    from dstop.sources.prometheus.source import FleetSource  # noqa: PLC0415 - as above

    if not options["prometheus"]:
        raise UsageError("there is no server to ask", fix="name it: --prometheus http://prometheus:9090")
    address = server_address(options["prometheus"])
    files = options["ca"], options["cert"], options["key"]
    secure = address.startswith("https:")
    if any(files) and not secure:
        raise UsageError("--ca, --cert and --key are for TLS", fix="name an address of https://")
    client = Client(
        address,
        authorization(options["token_file"], options["basic_file"], os.environ),
        tls_context(*files) if secure else None,
        timeout_s=options["timeout"],
    )
    return FleetSource(client, matchers(options["match"]))


def matchers(texts: Sequence[str]) -> str:
    """Give the label matchers that every query has.

    Raises:
        UsageError: one is none; what could be more than a matcher never reaches the server.
    """
    for text in texts:
        if len(text) > _MOST_MATCH or not _MATCHERS.fullmatch(text):
            raise UsageError(f"--match: {text[:60]!r} is no label matcher", fix="write it as 'cluster=\"a\"'")
    return ",".join(text.strip().rstrip(",") for text in texts)


def _print_json(source: FleetSource, view: FleetView) -> None:
    from dstop.export.fleet_json import fleet_line  # noqa: PLC0415 - a verb loads what it needs
    from dstop.view.fleet import known  # noqa: PLC0415 - as above

    terminal.write(fleet_line(known(source.read()), view))


def _print_text(source: FleetSource, view: FleetView, options: Mapping[str, Any], settings: Settings) -> None:
    from dstop.cli.doctor import write_lines  # noqa: PLC0415 - a verb loads what it needs
    from dstop.draw.fleet_once import fleet_host_lines, fleet_lines  # noqa: PLC0415 - as above
    from dstop.view.fleet import known  # noqa: PLC0415 - as above

    found = known(source.read())
    look = {"ascii": settings.ascii, "color": settings.color}
    name = options["host"]
    if name is None:
        show = SHOWS.index(options["show"]) if options["show"] else None
        write_lines(lambda width: fleet_lines(found, view, width, top=options["top"], show=show), look)
        return
    if all(host.name != name for host in found.fleet.hosts):
        raise UsageError(
            f"--host: there is no {name[:60]!r}", fix="dstop fleet --once --show hosts lists them"
        )
    write_lines(lambda width: fleet_host_lines(found, name, width) or [], look)
