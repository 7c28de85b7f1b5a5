"""One HTTP request within a time: http and https and nothing else, verified TLS, no redirects, cut when it is over.

A timeout of urllib's is one of each step: a server that drips a byte a second is never late by it.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import urllib.request
from contextlib import suppress
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType


class OneRequest:
    """Opens a request, and ends its connections when the time is over, wherever they are.

    Args:
        all_s: how long all of it may take, from `with` on.
        context: of TLS; the system's certificates are asked without it. The proxies of the environment are used.
    """

    def __init__(self, all_s: float, context: ssl.SSLContext | None = None) -> None:
        self._context = context
        self._alarm = threading.Timer(all_s, self._cut)
        self._alarm.daemon = True
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self.was_cut = False
        """Whether the time was over before it was."""

    def __enter__(self) -> Self:
        self._alarm.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._alarm.cancel()
        with self._lock:
            for each in self._sockets:
                each.close()
            self._sockets.clear()

    def open(self, request: urllib.request.Request, step_s: float) -> http.client.HTTPResponse:
        """Send it, and give the answer once its head is there.

        Args:
            request: of http or https.
            step_s: how long one step may take: connecting, sending, the next bytes.

        Raises:
            HTTPError: the answer is no success; a redirect is none.
            OSError: no connection, a step that took too long, or all of it did (`was_cut`).
            HTTPException: no answer of HTTP.
        """
        answer: http.client.HTTPResponse = self._opener().open(request, timeout=step_s)
        return answer

    def _add(self, connected: socket.socket) -> None:
        """Take a connection, by a descriptor of our own: TLS takes the first one away, and can drip as well."""
        with self._lock:
            self._sockets.append(connected.dup())
            if self.was_cut:  # it came too late
                _shut(self._sockets[-1])

    def _cut(self) -> None:
        with self._lock:
            self.was_cut = True
            for each in self._sockets:
                _shut(each)

    def _opener(self) -> urllib.request.OpenerDirector:
        add, context = self._add, self._context

        class Plain(http.client.HTTPConnection):
            def connect(self) -> None:
                super().connect()
                add(self.sock)

        class Secure(http.client.HTTPSConnection, Plain):
            """Connects as Plain does, which is next in its order, before it shakes hands."""

        class Http(urllib.request.HTTPHandler):
            def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
                return self.do_open(Plain, req)

        class Https(urllib.request.HTTPSHandler):
            def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
                return self.do_open(Secure, req, context=context or ssl.create_default_context())

        opener = urllib.request.OpenerDirector()
        for handler in (
            urllib.request.ProxyHandler(),
            urllib.request.HTTPDefaultErrorHandler(),
            urllib.request.HTTPErrorProcessor(),
            Http(),
            Https(),
        ):
            opener.add_handler(handler)
        return opener


def _shut(connected: socket.socket) -> None:
    with suppress(OSError):
        connected.shutdown(socket.SHUT_RDWR)
