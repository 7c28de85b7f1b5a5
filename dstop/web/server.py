"""textual-serve's server with a gate before it: no request without the token, so many tabs, children that end."""

from __future__ import annotations

import asyncio
import errno
import html
import socket
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from aiohttp import WSMsgType, web
from textual_serve.server import Server

from dstop.errors import WebError
from dstop.web.child import Child
from dstop.web.gate import QUERY, same_origin
from dstop.web.message import MOST_BYTES, bounded, number_of, parse_message

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from aiohttp.typedefs import Middleware

    from dstop.web.gate import Gate

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

HEARTBEAT_S = 15.0
"""A browser that does not answer a ping within half of this is gone, and its child with it."""
ROOM_S = 3.0
"""How long a tab waits for another to end: a page that is loaded again comes before its old child has left."""
DRAIN_S = 6.0
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; font-src 'self'; "
        "img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Server": "dstop",
}
_FORBIDDEN = "dstop web: this address is for whoever has the token: open the address that dstop printed\n"


class WebServer(Server):
    """Serves one command: each websocket gets a process of its own.

    Args:
        argv: the program and its words.
        environ: its environment.
        gate: knows the token.
        title: of the page.
        most: tabs at a time.
    """

    def __init__(
        self, argv: Sequence[str], environ: Mapping[str, str], gate: Gate, *, title: str, most: int
    ) -> None:
        super().__init__(argv[0], title=title)
        self._argv, self._environ, self._gate = tuple(argv), dict(environ), gate
        self._most = most
        self._room = asyncio.Semaphore(most)
        self._sockets: set[web.WebSocketResponse] = set()
        self.children: set[Child] = set()
        """Those that run."""

    async def app(self) -> web.Application:
        """Give the application: textual-serve's routes, the page's own files, and the gate before all."""
        app = await self._make_app()
        app.router.add_get("/page.js", _file("page.js", "text/javascript"))
        app.router.add_get("/page.css", _file("page.css", "text/css"))
        app.middlewares.append(self._guard())
        app.on_response_prepare.append(_with_headers)
        return app

    async def on_startup(self, app: web.Application) -> None:
        """Say nothing: the verb says where the page is."""

    async def on_shutdown(self, app: web.Application) -> None:
        """End every tab and every child."""
        del app
        await asyncio.gather(*(child.stop() for child in tuple(self.children)))
        for each in tuple(self._sockets):
            with suppress(TimeoutError, ConnectionError, RuntimeError):
                await asyncio.wait_for(each.close(code=1001), 0.5)

    async def handle_index(self, request: web.Request) -> web.Response:
        """Give the page."""
        size = max(8, min(40, number_of(request.query.get("fontsize")) or 16))
        page = _text("page.html").format(title=html.escape(str(self.title)), font_size=size)
        return web.Response(text=page, content_type="text/html")

    async def handle_websocket(self, request: web.Request) -> web.WebSocketResponse:
        """Give a tab its screen."""
        if not same_origin(request.headers.get("Origin"), request.host):
            raise web.HTTPForbidden(text="dstop web: this screen belongs to another page\n")
        tab = web.WebSocketResponse(heartbeat=HEARTBEAT_S, max_msg_size=4 * MOST_BYTES)
        await tab.prepare(request)
        self._sockets.add(tab)
        try:
            if not await self._has_room():
                await tab.send_bytes(_full(self._most))
                await tab.close(code=1013)
                return tab
            try:
                await self._serve(tab, request)
            finally:
                self._room.release()
        finally:
            self._sockets.discard(tab)
        return tab

    async def _has_room(self) -> bool:
        try:
            await asyncio.wait_for(self._room.acquire(), ROOM_S)
        except TimeoutError:
            return False
        return True

    async def _serve(self, tab: web.WebSocketResponse, request: web.Request) -> None:
        child = Child(
            self._argv,
            self._environ,
            write_bytes=tab.send_bytes,
            write_str=tab.send_str,
            close=lambda: _closed(tab),
            download_manager=self.download_manager,
        )
        size = bounded(number_of(request.query.get("width")), number_of(request.query.get("height")))
        self.children.add(child)
        try:
            await child.start(*size)
            await _listen(tab, child)
        finally:
            await asyncio.shield(self._end(child))

    async def _end(self, child: Child) -> None:
        await child.stop()
        self.children.discard(child)

    def _guard(self) -> Middleware:
        gate = self._gate

        @web.middleware
        async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
            if not gate.lets_in(request.query, request.cookies):
                return web.Response(status=403, text=_FORBIDDEN)
            if request.path == "/" and QUERY in request.query:
                return _in_a_cookie(request, gate)
            return await handler(request)

        return guard


async def _listen(tab: web.WebSocketResponse, child: Child) -> None:
    """Pass on what a browser says until it leaves, or says something that our page never would."""
    async for said in tab:
        message = parse_message(said.data) if said.type is WSMsgType.TEXT else None
        if message is None:
            await tab.close(code=1008)
            return
        if message.kind == "stdin":
            await child.send_bytes(message.text.encode("utf-8", "replace"))
        elif message.kind == "resize":
            await child.set_terminal_size(*message.size)
        elif message.kind == "ping":
            await tab.send_json(["pong", message.text])
        elif message.kind == "blur":
            await child.blur()
        else:
            await child.focus()


def _in_a_cookie(request: web.Request, gate: Gate) -> web.Response:
    """Send the browser to the same page without the token, which a cookie then has."""
    rest = urlencode([(name, value) for name, value in request.query.items() if name != QUERY])
    response = web.Response(status=303, headers={"Location": f"/?{rest}" if rest else "/"})
    response.set_cookie(gate.cookie, gate.token, httponly=True, samesite="Lax", secure=request.secure)
    return response


async def _with_headers(_request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(_HEADERS)


async def _closed(tab: web.WebSocketResponse) -> None:
    await tab.close()


def _file(name: str, kind: str) -> Handler:
    text = _text(name)

    async def handler(_request: web.Request) -> web.Response:
        return web.Response(text=text, content_type=kind)

    return handler


def _text(name: str) -> str:
    return (Path(__file__).parent / name).read_text()


def _full(most: int) -> bytes:
    says = f"{most} tabs are open here already: close one, or start dstop web with a larger --most"
    return f"\x1b[2J\x1b[H\r\n  {says}\r\n".encode()


def listening(host: str, port: int) -> socket.socket:
    """Take an address, before anything is said of it.

    Raises:
        WebError: it is none, is taken, or is not for us.
    """
    try:
        family, kind, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError:
        raise WebError(
            f"--bind {host}: there is no such address", fix="such as 127.0.0.1, or 0.0.0.0"
        ) from None
    taken = socket.socket(family, kind)
    try:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(address)
        taken.listen(64)
    except OSError as error:
        taken.close()
        raise _bind_error(error, host, port) from None
    return taken


def _bind_error(error: OSError, host: str, port: int) -> WebError:
    if error.errno == errno.EADDRINUSE:
        return WebError(f"port {port} of {host} is in use", fix="choose another with --port")
    if error.errno == errno.EACCES:
        return WebError(f"port {port} is not for ordinary users", fix="choose one above 1023 with --port")
    return WebError(f"{host} port {port}: {error.strerror}", fix="choose another --bind or --port")


async def serve(
    server: WebServer, taken: socket.socket, stopped: asyncio.Event, context: ssl.SSLContext | None = None
) -> None:
    """Serve at an address that was taken until it is told to stop; when this returns, no child is left."""
    runner = web.AppRunner(await server.app(), access_log=None, shutdown_timeout=DRAIN_S)
    await runner.setup()
    try:
        await web.SockSite(runner, taken, ssl_context=context).start()
        await stopped.wait()
    finally:
        await runner.cleanup()
