"""The page as a WSGI application: which form was asked for, and whether whoever asks may have it."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING, Any

from prometheus_client import make_wsgi_app
from prometheus_client.exposition import choose_encoder

from dstop.errors import SourceError
from dstop.export.metrics.library import registry_of
from dstop.export.metrics.page import page
from dstop.export.metrics.text import openmetrics, plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from dstop.export.metrics.families import Family
    from dstop.export.metrics.moment import Moment
    from dstop.export.scrape.auth import Gate

PATH = "/metrics"
_GZIP_LEVEL = 1
"""Names repeat so much that the fastest level makes a twenty-fifth of a page; the library's takes six times as long."""
_TEXT = [("Content-Type", "text/plain; charset=utf-8")]
_WELCOME = f"dstop exporter: figures are at {PATH}\n".encode()


class MetricsApp:
    """Answers GET for `/metrics`.

    What our own writer cannot do (some names only, escaped in some other way) goes to prometheus-client's application.

    Args:
        moment: gives what the page is written from.
        gate: lets in whoever may; None for everybody.
    """

    def __init__(self, moment: Callable[[], Moment], gate: Gate | None = None) -> None:
        self._moment, self._gate = moment, gate
        self._library = make_wsgi_app(registry_of(self._families))

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request (PEP 3333)."""
        if self._gate is not None and not self._gate.lets_in(environ.get("HTTP_AUTHORIZATION")):
            challenge = ("WWW-Authenticate", 'Basic realm="dstop", charset="UTF-8"')
            return _say(start_response, "401 Unauthorized", b"a name and a password are needed\n", challenge)
        if environ.get("REQUEST_METHOD") != "GET":
            return _say(start_response, "405 Method Not Allowed", b"there is only GET\n", ("Allow", "GET"))
        path = environ.get("PATH_INFO", "")
        if path.rstrip("/") != PATH:
            return _say(start_response, "404 Not Found" if path.strip("/") else "200 OK", _WELCOME)
        try:
            return self._page(environ, start_response)
        except SourceError as error:
            return _say(start_response, "503 Service Unavailable", f"{error}\n".encode())

    def _page(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        written = self._written(environ)
        if written is None:
            return self._library(environ, start_response)  # type: ignore[no-any-return]
        content_type, body = written
        headers = [("Content-Type", content_type)]
        if _takes_gzip(environ.get("HTTP_ACCEPT_ENCODING", "")):
            body = gzip.compress(body, _GZIP_LEVEL)
            headers.append(("Content-Encoding", "gzip"))
        start_response("200 OK", [*headers, ("Content-Length", str(len(body)))])
        return [body]

    def _families(self) -> tuple[Family, ...]:
        return page(self._moment())

    def _written(self, environ: dict[str, Any]) -> tuple[str, bytes] | None:
        """Give type and text of the page, or None where the library has to write it."""
        if "name[]" in environ.get("QUERY_STRING", "") or "name%5B" in environ.get("QUERY_STRING", ""):
            return None
        _, content_type = choose_encoder(environ.get("HTTP_ACCEPT", ""))
        kind, *parameters = (part.strip() for part in content_type.split(";"))
        escaping = next((part for part in parameters if part.startswith("escaping=")), "escaping=underscores")
        if escaping not in {"escaping=underscores", "escaping=allow-utf-8"}:
            return None
        if kind == "application/openmetrics-text":
            return (content_type, openmetrics(self._families())) if "version=1.0.0" in parameters else None
        return content_type, plain(self._families())


def _say(
    start_response: Callable[..., Any], status: str, body: bytes, *headers: tuple[str, str]
) -> list[bytes]:
    start_response(status, [*_TEXT, ("Content-Length", str(len(body))), *headers])
    return [body]


def _takes_gzip(accept: str) -> bool:
    for each in accept.split(","):
        coding, *parameters = (part.strip().lower() for part in each.split(";"))
        if coding == "gzip":
            return not any(one in {"q=0", "q=0.0", "q=0.00", "q=0.000"} for one in parameters)
    return False
