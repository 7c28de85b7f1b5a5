"""The server: clients that say nothing, leave, or come in crowds; ports that are taken."""

from __future__ import annotations

import base64
import http.client
import socket
import ssl
import threading

import pytest

from dstop.errors import ExportError
from dstop.export.scrape import server as module
from dstop.export.scrape.auth import Gate
from dstop.export.scrape.server import MOST_AT_ONCE, is_loopback, open_server
from dstop.export.scrape.tls import server_context


def get(server, context=None, **headers):
    """Ask for the page; gives status and body."""
    kind = http.client.HTTPConnection if context is None else http.client.HTTPSConnection
    more = {} if context is None else {"context": context}
    connection = kind("127.0.0.1", server.server_port, timeout=20, **more)
    try:
        connection.request("GET", "/metrics", headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def trusting(*certs):
    """Give a client's context that trusts these certificates and no others."""
    context = ssl.create_default_context()
    for cert in certs:
        context.load_verify_locations(cert)
    return context


def test_a_page_over_http(serve):
    """The simplest way there is."""
    server = serve()
    status, body = get(server)
    assert status == 200
    assert b"dstop_up 1.0" in body
    assert server.url == f"http://127.0.0.1:{server.server_port}/metrics"


def test_a_page_over_tls(serve, pair_of):
    """A client that trusts the certificate gets the page; one that does not trust it gets nothing."""
    cert, key = pair_of("host")
    server = serve(context=server_context(cert, key, None))
    assert server.url.startswith("https://")
    assert get(server, trusting(cert))[0] == 200
    with pytest.raises(ssl.SSLError):
        get(server, ssl.create_default_context())
    with pytest.raises(OSError, match=r".*"):
        get(server)
    assert get(server, trusting(cert))[0] == 200


def test_only_clients_of_an_authority(serve, pair_of):
    """With --client-ca a client needs a certificate of its own."""
    host, friend = pair_of("host"), pair_of("friend")
    server = serve(context=server_context(host.cert, host.key, friend.cert))
    stranger = trusting(host.cert)
    with pytest.raises((ssl.SSLError, OSError, http.client.HTTPException)):
        get(server, stranger)
    known = trusting(host.cert)
    known.load_cert_chain(*friend)
    assert get(server, known)[0] == 200


def test_passwords_over_tls(serve, pair_of):
    """Both together, as on a network."""
    cert, key = pair_of("host")
    server = serve(context=server_context(cert, key, None), gate=Gate(["anna:secret"]))
    assert get(server, trusting(cert))[0] == 401
    token = base64.b64encode(b"anna:secret").decode()
    assert get(server, trusting(cert), Authorization=f"Basic {token}")[0] == 200


@pytest.mark.parametrize("over_tls", [False, True], ids=["http", "tls"])
def test_silent_clients_stop_nobody(serve, pair_of, over_tls):
    """Connections that say nothing, not even hello, leave room for one that does."""
    cert, key = pair_of("host")
    server = serve(context=server_context(cert, key, None) if over_tls else None)
    silent = [socket.create_connection(server.server_address) for _ in range(MOST_AT_ONCE - 1)]
    try:
        assert get(server, trusting(cert) if over_tls else None)[0] == 200
    finally:
        for each in silent:
            each.close()


def test_whoever_takes_too_long_is_hung_up_on(serve, monkeypatch):
    """A client that sends a byte now and then does not keep its place for ever."""
    monkeypatch.setattr(module, "REQUEST_S", 0.3)
    server = serve()
    with socket.create_connection(server.server_address, timeout=30) as slow:
        slow.sendall(b"GET /metrics HTTP/1.0\r\nX-Slow: ")
        assert slow.recv(100) == b""
    assert get(server)[0] == 200


def test_a_crowd_is_sent_away_and_the_server_stays(serve):
    """More than fit at once: those are closed unanswered; afterwards all is as before."""
    server = serve()
    silent = [socket.create_connection(server.server_address, timeout=30) for _ in range(MOST_AT_ONCE)]
    with socket.create_connection(server.server_address, timeout=30) as one_more:
        assert one_more.recv(100) == b""
    for each in silent:
        each.sendall(b"\r\n")
        each.close()
    for _ in range(200):
        try:
            status, _ = get(server)
        except (OSError, http.client.HTTPException):
            threading.Event().wait(0.05)
            continue
        assert status == 200
        return
    pytest.fail("the places were not given back")


@pytest.mark.parametrize(
    "data",
    [
        b"\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01",
        b"GET\r\n\r\n",
        b"A" * 70_000,
        b"GET /metrics HTTP/9.9\r\n\r\n",
    ],
    ids=["empty", "tls-hello", "half", "long", "version"],
)
def test_rubbish_is_answered_or_closed(serve, capfd, data):
    """No request breaks the server, and none writes into its log."""
    server = serve()
    with socket.create_connection(server.server_address, timeout=30) as client:
        try:
            client.sendall(data)
            client.shutdown(socket.SHUT_WR)
            while client.recv(65536):
                pass
        except ConnectionError:
            pass
    assert get(server)[0] == 200
    assert capfd.readouterr() == ("", "")


def test_a_port_that_is_taken_is_named(serve):
    """Which port, and what to do."""
    port = serve().server_port
    with pytest.raises(ExportError, match=rf"port {port} of 127.0.0.1 is in use: .*--port"):
        open_server("127.0.0.1", port, lambda *_: [])


@pytest.mark.parametrize("host", ["256.1.1.1", "no such host", "192.0.2.1"])
def test_an_address_that_is_not_ours_is_named(host):
    """`--bind` stands in the error."""
    with pytest.raises(ExportError, match="--bind"):
        open_server(host, 0, lambda *_: [])


def test_loopback_is_known():
    """What only this machine can reach needs no warning."""
    assert is_loopback("127.0.0.1")
    assert is_loopback("127.9.9.9")
    assert is_loopback("::1")
    assert not is_loopback("0.0.0.0")  # noqa: S104 - the address that the test is about
    assert not is_loopback("::")


def test_ipv6_is_an_address_too():
    """Brackets in the URL; skipped where the machine has none."""
    try:
        server = open_server("::1", 0, lambda *_: [])
    except ExportError as error:
        pytest.skip(str(error))
    with server:
        assert server.url == f"http://[::1]:{server.server_port}/metrics"
