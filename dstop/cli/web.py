"""`dstop web`: a server that gives each browser tab a `dstop` of its own."""

from __future__ import annotations

import gc
import os
import signal
import sys
from typing import TYPE_CHECKING, Any

from dstop.cli import terminal
from dstop.errors import UsageError, WebError

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Mapping, Sequence

    from dstop.web.server import WebServer

WITH_A_SCREEN = ("attach", "demo", "fleet", "plan", "replay", "snapshot")
"""Verbs that have a screen."""
_NO_SCREEN = ("-1", "--once", "--json", "--csv")
_NOT_PASSED_ON = ("COLORFGBG", "COLUMNS", "LINES", "TERM_PROGRAM")
"""They tell of the server's terminal, not of the browser's."""


def web_verb(words: Sequence[str], options: Mapping[str, Any]) -> None:
    """Serve until SIGTERM or Ctrl-C.

    Args:
        words: what each tab's dstop is started with.
        options: what was typed.

    Raises:
        UsageError: words that have no screen, or options that do not go together.
        WebError: the address cannot be had, or textual-serve is not installed.
        ExportError: the certificate cannot be used.
    """
    check_words(words)
    if options["key"] is not None and options["cert"] is None:
        raise UsageError("--key is the key of a certificate", fix="add --cert")
    context = _context(options)
    try:
        from dstop.web.server import WebServer, listening  # noqa: PLC0415 - a verb loads what it needs
    except ModuleNotFoundError as error:
        if error.name not in {"textual_serve", "aiohttp", "aiohttp_jinja2", "jinja2"}:
            raise
        raise WebError("dstop web needs textual-serve", fix="pip install 'dstop[web]'") from None
    from dstop.web.gate import Gate  # noqa: PLC0415 - as above

    taken = listening(options["bind"], options["port"])
    port = int(taken.getsockname()[1])
    gate = Gate(port)
    server = WebServer(
        [sys.executable, "-m", "dstop", *words],
        environment(os.environ, hands=options["hands"]),
        gate,
        title=_title(words),
        most=options["most"],
    )
    host = _name_of(options["bind"])
    scheme = "http" if context is None else "https"
    _warn(options, context)
    terminal.write(f"{scheme}://{host}:{port}/?token={gate.token}\n".encode())
    gc.enable()  # it was off for those that end at once
    _run(server, taken, context)


def check_words(words: Sequence[str]) -> None:
    """Refuse words that would end without a screen.

    Raises:
        UsageError: they have a verb without one, or an option that prints.
    """
    verb = words[0] if words and not words[0].startswith("-") else None
    if verb is not None and verb not in WITH_A_SCREEN:
        fix = f"such as dstop web -- demo; there are {', '.join(WITH_A_SCREEN)}"
        raise UsageError(f"{verb[:40]} has no screen to serve", fix=fix)
    printing = next((word for word in words if word.split("=")[0] in _NO_SCREEN), None)
    if printing is not None:
        raise UsageError(f"{printing[:40]} prints, and has no screen to serve", fix="leave it out")


def environment(environ: Mapping[str, str], *, hands: bool) -> dict[str, str]:
    """Give the environment of the tabs' processes: what is said to a terminal is not said to a browser."""
    passed = {name: value for name, value in environ.items() if name not in _NOT_PASSED_ON}
    passed.update(TERM="xterm-256color", TEXTUAL_FPS="15", PYTHONUNBUFFERED="1")
    if not hands:
        passed["DSTOP_READONLY"] = "1"
    return passed


def _run(server: WebServer, taken: socket.socket, context: ssl.SSLContext | None) -> None:
    import asyncio  # noqa: PLC0415 - a verb loads what it needs

    from dstop.web.server import serve  # noqa: PLC0415 - as above

    async def until_stopped() -> None:
        stopped = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, stopped.set)
        await serve(server, taken, stopped, context)

    asyncio.run(until_stopped())


def _context(options: Mapping[str, Any]) -> ssl.SSLContext | None:
    if options["cert"] is None:
        return None
    from dstop.export.scrape.tls import server_context  # noqa: PLC0415 - a verb loads what it needs

    return server_context(options["cert"], options["key"], None)


def _warn(options: Mapping[str, Any], context: ssl.SSLContext | None) -> None:
    from dstop.export.scrape.server import is_loopback  # noqa: PLC0415 - a verb loads what it needs

    if context is None and not is_loopback(options["bind"]):
        _say("the token and the screen travel as they are: --cert has them encrypted")
    if options["hands"]:
        _say("whoever has the token can send signals to your processes")


def _name_of(bind: str) -> str:
    """Give what to write in an address; where all are listened to, the name that others know this machine by."""
    if bind in {"0.0.0.0", "::"}:  # noqa: S104 - what the user asked for
        import platform  # noqa: PLC0415 - a verb loads what it needs

        return platform.node() or "127.0.0.1"
    return f"[{bind}]" if ":" in bind else bind


def _title(words: Sequence[str]) -> str:
    import platform  # noqa: PLC0415 - a verb loads what it needs

    return " ".join(("dstop", *words[:1], "on", platform.node() or "this machine"))[:120]


def _say(text: str) -> None:
    print(f"dstop web: {text}", file=sys.stderr, flush=True)  # noqa: T201 - a service's log
