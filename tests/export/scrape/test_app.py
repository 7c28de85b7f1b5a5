"""The application: which form of the page whoever asks gets."""

from __future__ import annotations

import gzip
from dataclasses import replace
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import pytest
from prometheus_client.openmetrics import exposition as library
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics_families
from prometheus_client.parser import text_string_to_metric_families as plain_families

from dstop.errors import SourceError
from dstop.export.metrics.library import registry_of
from dstop.export.metrics.page import page
from dstop.export.scrape.app import MetricsApp
from dstop.export.scrape.auth import Gate

from .conftest import still

PROMETHEUS = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)
"""What Prometheus 2.42 sends."""
PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
    "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)
"""What Prometheus 3 sends."""


def ask(app, path="/metrics", *, query="", method="GET", checked=True, **headers):
    """Ask as a server does; gives status, headers by lower-case name, and body."""
    environ = {"REQUEST_METHOD": method, "PATH_INFO": path, "QUERY_STRING": query, "SCRIPT_NAME": ""}
    environ |= {f"HTTP_{name.upper()}": text for name, text in headers.items()}
    setup_testing_defaults(environ)
    said = []

    def start(status, found, *_):
        said.append((status, {name.lower(): text for name, text in found}))

    answer = (validator(app) if checked else app)(environ, start)
    try:
        body = b"".join(answer)
    finally:
        if hasattr(answer, "close"):
            answer.close()
    return (*said[0], body)


@pytest.mark.parametrize(
    "accept", [PROMETHEUS, PROMETHEUS_3, "application/openmetrics-text"], ids=["2.42", "3", "bare"]
)
def test_prometheus_gets_openmetrics(accept):
    """Every version of the server asks for it first."""
    status, headers, body = ask(MetricsApp(still), accept=accept)
    assert status == "200 OK"
    assert headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert int(headers["content-length"]) == len(body)
    assert {family.name for family in openmetrics_families(body.decode())} >= {"dstop_up", "dstop_gpu"}


@pytest.mark.parametrize("accept", ["", "*/*", "text/html", "text/plain;version=0.0.4"])
def test_a_browser_gets_plain_text(accept):
    """Who does not ask for OpenMetrics gets the format that everything reads."""
    _, headers, body = ask(MetricsApp(still), accept=accept)
    assert headers["content-type"].startswith("text/plain; version=0.0.4")
    assert "dstop_gpu_info" in {
        sample.name for family in plain_families(body.decode()) for sample in family.samples
    }


def test_some_names_only():
    """`name[]` is the library's; it gives those families and no others."""
    app = MetricsApp(still)
    for query in ("name[]=dstop_up", "name%5B%5D=dstop_up"):
        status, _, body = ask(app, query=query, checked=False)
        assert status == "200 OK"
        assert [family.name for family in plain_families(body.decode())] == ["dstop_up"]


def test_other_escapings_are_the_librarys():
    """A form that we do not write is what the library makes of the same families."""
    accept = "application/openmetrics-text; version=1.0.0; escaping=dots"
    at_once = replace(still(), cpu_s=1.0)
    _, headers, body = ask(MetricsApp(lambda: at_once), accept=accept, checked=False)
    assert "escaping=dots" in headers["content-type"]
    assert body == library.generate_latest(registry_of(lambda: page(at_once)), escaping="dots")


@pytest.mark.parametrize(
    ("coding", "zipped"),
    [("gzip", True), ("deflate, gzip;q=0.5", True), ("identity", False), ("gzip;q=0", False), ("", False)],
)
def test_gzip_where_it_is_taken(coding, zipped):
    """The page shrinks to a fraction, and is the same page."""
    app = MetricsApp(still)
    _, headers, body = ask(app, accept_encoding=coding)
    assert (headers.get("content-encoding") == "gzip") is zipped
    text = gzip.decompress(body) if zipped else body
    assert text.startswith(b"# HELP dstop_up")


def test_other_places_and_methods():
    """The root says where the page is; nothing else is there, and nothing can be sent."""
    app = MetricsApp(still)
    assert ask(app, "/")[0] == "200 OK"
    assert b"/metrics" in ask(app, "/")[2]
    assert ask(app, "/metrics/")[0] == "200 OK"
    assert ask(app, "/etc/passwd")[0] == "404 Not Found"
    assert ask(app, method="POST")[0] == "405 Method Not Allowed"
    assert ask(app, "/", method="POST")[0] == "404 Not Found" or ask(app, "/", method="POST")[0].startswith(
        "405"
    )


def test_nothing_is_told_to_whoever_may_not():
    """Without the pair: 401 and no figure, at every path and for every method."""
    app = MetricsApp(still, Gate(["anna:secret"]))
    for path, method in (("/metrics", "GET"), ("/", "GET"), ("/x", "GET"), ("/metrics", "POST")):
        status, headers, body = ask(app, path, method=method)
        assert status == "401 Unauthorized"
        assert headers["www-authenticate"].startswith("Basic ")
        assert b"dstop_" not in body
    status, _, _ = ask(app, authorization="Basic YW5uYTpzZWNyZXQ=")
    assert status == "200 OK"


def test_before_the_first_reading_it_says_so():
    """No figures are no page: a status that a server takes for a failed scrape."""

    def nothing():
        raise SourceError("nothing has been read yet", fix="try again in a moment")

    status, _, body = ask(MetricsApp(nothing))
    assert status == "503 Service Unavailable"
    assert b"nothing has been read yet" in body
