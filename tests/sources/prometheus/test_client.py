"""The client of Prometheus: servers that are slow, down, wrong, or say far too much."""

from __future__ import annotations

import gzip
import json
import socket
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

import pytest

from dstop.errors import SourceError, UsageError
from dstop.sources.prometheus.client import Client, server_address
from dstop.sources.prometheus.secrets import authorization

PATIENCE_S = 0.5
"""What a client of these tests waits; no test asserts how long anything took."""


def answer_of(*series, warnings=()):
    """Give an instant query's answer."""
    result = [{"metric": labels, "value": [1.5, value]} for labels, value in series]
    return json.dumps(
        {"status": "success", "data": {"resultType": "vector", "result": result}, "warnings": list(warnings)}
    ).encode()


@contextmanager
def server(handle):
    """Serve on loopback with a function that is given the request; yields its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            self.body = self.rfile.read(int(self.headers["Content-Length"]))
            handle(self)

        def log_message(self, *_):
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_):
            """Say nothing of clients that have had enough: that is what these tests are about."""

    running = Server(("127.0.0.1", 0), Handler)
    running.daemon_threads = True
    threading.Thread(target=running.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{running.server_address[1]}"
    finally:
        running.shutdown()
        running.server_close()


def reply(code, data, **headers):
    """Give a handler that answers with this."""

    def handle(request):
        request.send_response(code)
        for name, value in {"Content_Length": str(len(data)), **headers}.items():
            request.send_header(name.replace("_", "-"), value)
        request.end_headers()
        request.wfile.write(data)

    return handle


def ask(handle, **how):
    """Ask a server that answers so."""
    with server(handle) as address:
        return Client(address, timeout_s=how.pop("timeout_s", 20.0), **how).query("up")


def test_an_answer_is_read_with_its_known_labels_and_its_warnings():
    """Series, their figures, and what the server warns of; labels that nobody knows are left out."""
    data = answer_of(({"__name__": "up", "gpu": "3", "nonsense": "x"}, "1"), ({}, "NaN"), warnings=["a\nb"])
    series, warnings = ask(reply(200, data))
    assert [(one.metric.metric, one.metric.gpu, one.number) for one in series] == [
        ("up", "3", 1),
        ("", "", None),
    ]
    assert warnings == ["a b"]


def test_a_packed_answer_is_unpacked():
    """gzip, as Prometheus sends it."""
    series, _ = ask(reply(200, gzip.compress(answer_of(({"gpu": "1"}, "2"))), Content_Encoding="gzip"))
    assert series[0].number == 2


def test_the_query_is_posted_to_the_api_below_a_prefix():
    """What is asked goes in the body; the prefix of the address stays, and a pasted API path is taken off."""
    seen = []

    def handle(request):
        seen.append((request.path, parse_qs(request.body.decode())))
        reply(200, answer_of())(request)

    with server(handle) as address:
        Client(server_address(f"{address}/prom/api/v1/")).query("a + b")
    assert seen[0][0] == "/prom/api/v1/query"
    assert seen[0][1]["query"] == ["a + b"]


def wait_long(request):
    """Never answer."""
    del request
    time.sleep(5 * PATIENCE_S)


def drip(request):
    """Answer a byte at a time, for ever, each in time."""
    request.send_response(200)
    request.end_headers()
    for _ in range(200):
        request.wfile.write(b" ")
        request.wfile.flush()
        time.sleep(PATIENCE_S / 10)


def endless(request):
    """Say more than anybody wants to know."""
    request.send_response(200)
    request.end_headers()
    request.wfile.write(b'{"status":"success","data":{"resultType":"vector","result":[')
    piece = b'{"metric":{"__name__":"DCGM_FI_DEV_FB_USED","gpu":"1"},"value":[1,"2"]},' * 1000
    while True:
        request.wfile.write(piece)


@pytest.mark.parametrize(
    ("handle", "says"),
    [
        (wait_long, "did not answer within 0.5 s"),
        (drip, "did not answer within 0.5 s"),
        (endless, "more than 1 MiB"),
        (reply(200, gzip.compress(b" " * (3 << 20)), Content_Encoding="gzip"), "more than 1 MiB"),
        (reply(200, gzip.compress(answer_of())[:-9], Content_Encoding="gzip"), "cut off"),
        (reply(200, b"\x1f\x8bnonsense", Content_Encoding="gzip"), "cannot be reached|cut off"),
        (reply(200, answer_of()[:40]), "cut off"),
        (reply(200, answer_of(), Content_Length="9999"), "cut off"),
        (reply(200, b"<html>login</html>"), "web page"),
        (reply(200, b"[]"), "not that of Prometheus"),
        (reply(200, b'{"status":"success","data":{"resultType":"matrix","result":[]}}'), "vector"),
        (reply(200, b"[" * 100_000), "not that of Prometheus|cut off"),
        (reply(500, b"<h1>oops</h1>"), "answers 500"),
        (reply(422, b'{"status":"error","error":"too many\\u001b[2J"}'), r"answers 422: too many\?\[2J"),
        (reply(401, b""), "answers 401"),
        (reply(404, b""), "answers 404"),
        (reply(302, b"", Location="http://127.0.0.1:1/"), "redirects"),
        (reply(799, b""), "answers 799"),
    ],
    ids=[
        "silent", "drips", "endless", "bomb", "packed-cut", "packed-wrong", "json-cut", "short", "html", "list",
        "matrix", "deep", "500", "422", "401", "404", "redirect", "799",
    ],
)  # fmt: skip
def test_a_server_that_is_wrong_is_told_in_one_line(handle, says):
    """Whatever comes, it ends within its time and its bytes, and says what is wrong."""
    with pytest.raises(SourceError, match=says) as raised:
        ask(handle, timeout_s=PATIENCE_S if "0.5" in says else 20.0, most_bytes=1 << 20)
    assert str(raised.value).isprintable()


def test_nobody_listens():
    """A server that is down is told."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(SourceError, match="cannot be reached"):
        Client(address).query("up")


def test_a_name_that_is_none_and_a_server_that_speaks_no_http():
    """What answers is no web server."""
    listening = socket.create_server(("127.0.0.1", 0))

    def talk():
        with suppressed(), listening.accept()[0] as peer:
            peer.recv(100)
            peer.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")

    thread = threading.Thread(target=talk)
    thread.start()
    with pytest.raises(SourceError, match="cannot be reached"):
        Client(f"http://127.0.0.1:{listening.getsockname()[1]}").query("up")
    thread.join()
    listening.close()


@contextmanager
def suppressed():
    """A client that is gone is no error here."""
    try:
        yield
    except OSError:
        return


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("prometheus:9090", "http://prometheus:9090"),
        ("https://h/prom/", "https://h/prom"),
        (" http://[::1]:9090/api/v1 ", "http://[::1]:9090"),
    ],
)
def test_addresses_as_people_write_them(text, address):
    """A host alone, a prefix, a pasted API path."""
    assert server_address(text) == address


@pytest.mark.parametrize(
    "text",
    [
        "ftp://h",
        "http://",
        "http://u:p@h",
        "http://h:99999",
        "http://a b",
        "http://h\n",
        "file:///etc/passwd",
    ],
)
def test_what_is_no_address_is_refused(text):
    """Other schemes, no host, a password, nonsense."""
    if text == "http://h\n":
        assert server_address(text) == "http://h"
        return
    with pytest.raises(UsageError, match="--prometheus"):
        server_address(text)


def test_secrets_come_from_files_and_the_environment(tmp_path):
    """A token, a pair, renewed with its file; never two at once."""
    file = tmp_path / "secret"
    file.write_text("abc\nrest")
    say = authorization(str(file), None, {})
    assert say() == "Bearer abc"
    file.write_text("def")
    assert say() == "Bearer def"
    file.write_text("me:pa:ss\n")
    assert authorization(None, str(file), {})() == "Basic bWU6cGE6c3M="
    assert authorization(None, None, {"DSTOP_PROMETHEUS_TOKEN": "t"})() == "Bearer t"
    assert authorization(None, None, {"DSTOP_PROMETHEUS_BASIC": "a:b"})() == "Basic YTpi"
    assert authorization(None, None, {})() is None
    with pytest.raises(UsageError):
        authorization("a", "b", {})


@pytest.mark.parametrize("data", [b"", b"\n", b"a b", b"a\x00b", b"\xff", "ä".encode(), b"x" * 20_000])
def test_what_could_not_stand_in_a_header_is_no_token(tmp_path, data):
    """Nothing of a file can begin a header of its own."""
    file = tmp_path / "secret"
    file.write_bytes(data)
    with pytest.raises(UsageError, match="--token-file"):
        authorization(str(file), None, {})()


def test_a_secret_travels_in_the_header():
    """The server sees it."""
    seen = []

    def handle(request):
        seen.append(request.headers["Authorization"])
        reply(200, answer_of())(request)

    with server(handle) as address:
        Client(address, lambda: "Bearer t").query("up")
    assert seen == ["Bearer t"]
