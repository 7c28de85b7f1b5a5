"""A small HTTP server: a thread a request, a bound on both, and TLS spoken in the request's own thread.

prometheus-client's server shakes hands over TLS in its one accepting thread, and waits for its clients without end: one
that connects and says nothing would stop it.
"""

from __future__ import annotations

import errno
import socket
import ssl
import threading
import time
from socketserver import TCPServer, ThreadingMixIn
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from dstop.errors import ExportError

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_AT_ONCE = 16
"""A machine is scraped by one server, or two; the others are strangers."""
REQUEST_S = 10.0
"""How long one request may take, from the connection to the last byte: Prometheus gives up after ten seconds itself."""


class _Handler(WSGIRequestHandler):
    """Says nothing of requests; the server says nothing of itself."""

    server_version = "dstop"
    sys_version = ""

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name of the one that is overridden
        """Log nothing: a scrape every few seconds is no news."""

    def address_string(self) -> str:
        """Give the number: a name would be asked of a name server for each request."""
        return str(self.client_address[0])


class Server(ThreadingMixIn, WSGIServer):
    """Serves an application at an address."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = MOST_AT_ONCE

    def __init__(
        self, address: tuple[str, int], app: Callable[..., Any], context: ssl.SSLContext | None
    ) -> None:
        self.context = context
        self._slots = threading.BoundedSemaphore(MOST_AT_ONCE)
        self._open: dict[int, tuple[socket.socket, float]] = {}
        self._lock = threading.Lock()
        self.address_family, resolved = _family_of(*address)
        super().__init__(resolved, _Handler)
        self.set_app(app)

    def server_bind(self) -> None:
        """Bind, without asking a name server who we are."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])
        self.setup_environ()

    @property
    def url(self) -> str:
        """Where the page is."""
        host = f"[{self.server_name}]" if ":" in self.server_name else self.server_name
        return f"{'http' if self.context is None else 'https'}://{host}:{self.server_port}/metrics"

    def process_request(self, request: Any, client_address: Any) -> None:
        """Give the request a thread, or hang up when all are taken."""
        if not self._slots.acquire(blocking=False):
            self.shutdown_request(request)
            return
        with self._lock:
            self._open[id(request)] = (request, time.monotonic() + REQUEST_S)
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer it, in its own thread."""
        try:
            self._answer(request, client_address)
        finally:
            with self._lock:
                self._open.pop(id(request), None)
            self._slots.release()

    def service_actions(self) -> None:
        """Hang up on whoever takes too long: called twice a second by the accepting thread."""
        now_s = time.monotonic()
        with self._lock:
            late = [connection for connection, due_s in self._open.values() if now_s > due_s]
            for connection in late:
                _hang_up(connection)

    def drain(self, patience_s: float) -> None:
        """Stop accepting, and wait for the answers that are being given, but no longer than this."""
        self.shutdown()
        self.server_close()
        due_s = time.monotonic() + patience_s
        for _ in range(MOST_AT_ONCE):
            if not self._slots.acquire(timeout=max(0.0, due_s - time.monotonic())):
                return

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a client that leaves in the middle is no error of ours."""

    def _answer(self, request: socket.socket, client_address: Any) -> None:
        request.settimeout(REQUEST_S)
        spoken = request
        if self.context is not None:
            try:
                spoken = self.context.wrap_socket(request, server_side=True, do_handshake_on_connect=False)
                with self._lock:
                    self._open[id(request)] = (spoken, self._open[id(request)][1])
                spoken.do_handshake()
            except (OSError, ssl.SSLError, ValueError):
                self.close_request(spoken)
                return
        try:
            self.finish_request(spoken, client_address)
        except Exception:  # noqa: BLE001 - as `handle_error` says
            self.handle_error(spoken, client_address)
        finally:
            self.shutdown_request(spoken)


def open_server(
    host: str, port: int, app: Callable[..., Any], context: ssl.SSLContext | None = None
) -> Server:
    """Bind a server; nothing is answered before `serve_forever` runs.

    Raises:
        ExportError: the address is none, is taken, or is not for us.
    """
    try:
        return Server((host, port), app, context)
    except socket.gaierror:
        raise ExportError(
            f"--bind {host}: there is no such address", fix="such as 127.0.0.1, or 0.0.0.0"
        ) from None
    except OSError as error:
        raise _bind_error(error, host, port) from None


def is_loopback(host: str) -> bool:
    """Whether nobody outside this machine can reach an address."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return False
    return all(info[4][0] == "::1" or str(info[4][0]).startswith("127.") for info in found)


def _bind_error(error: OSError, host: str, port: int) -> ExportError:
    if error.errno == errno.EADDRINUSE:
        return ExportError(
            f"port {port} of {host} is in use", fix="choose another with --port, or stop the other program"
        )
    if error.errno == errno.EACCES:
        return ExportError(f"port {port} is not for ordinary users", fix="choose one above 1023 with --port")
    if error.errno == errno.EADDRNOTAVAIL:
        return ExportError(
            f"--bind {host} is no address of this machine", fix="such as 127.0.0.1, or 0.0.0.0"
        )
    return ExportError(f"{host} port {port}: {error.strerror}", fix="choose another --bind or --port")


def _family_of(host: str, port: int) -> tuple[socket.AddressFamily, Any]:
    info = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    return info[0], info[4]


def _hang_up(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return
