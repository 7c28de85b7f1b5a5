"""Webhooks against a server that is slow, down, wrong or hostile: told, tried again, and never waited for."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import threading
import time

import pytest

from dstop.alerts.courier import MOST_WAITING, Courier, DeliveryError
from dstop.alerts.notice import Notice
from dstop.alerts.webhook import Webhook, name_of
from dstop.errors import SettingsError
from dstop.model.event import EventKind
from tests.alerts.test_alarms import reading

FULL = "gpu.memory_pct > 95"


def notice(**fields):
    """Give a message about nothing."""
    base = {"status": "firing", "alert": "a", "when": FULL, "host": "h", "at_ns": 1, "now_s": 0.0, "told": ()}
    return Notice(**{**base, **fields})


def failed(it, count=1, most_s=20.0):
    """Wait until the couriers are done, and give what they could not deliver."""
    due = time.monotonic() + most_s
    events = []
    while len(events) < count and time.monotonic() < due:
        events += it.troubles(7)
        time.sleep(0.01)
    assert {event.kind for event in events} <= {EventKind.ALERT_FAILED}
    return [event.text for event in events]


def test_a_server_in_trouble_is_tried_again(alarms, receiver):
    """Two failures and then an answer: the message arrives once, and nothing is said to have failed."""
    receiver.answers = [500, 503, 204]
    it = alarms({"when": FULL, "do": {"webhook": receiver.url}})
    it.see(reading(97), ())
    assert len(receiver.wait(3)) == 3
    it._couriers[receiver.url, None].wait(20)
    assert it.troubles(7) == []


def test_three_tries_are_all(alarms, receiver):
    """A server that fails for good is asked three times, and the event log names it without its path."""
    receiver.answers = [500]
    it = alarms({"name": "full", "when": FULL, "do": {"webhook": receiver.url}})
    it.see(reading(97), ())
    (text,) = failed(it)
    assert text == "webhook 127.0.0.1: full was not delivered after 3 tries: the server answers 500"
    assert len(receiver.came) == 3


def test_a_refusal_is_not_tried_again(alarms, receiver):
    """404 will be 404 in two seconds, too."""
    receiver.answers = [404]
    it = alarms({"when": FULL, "do": {"webhook": receiver.url}})
    it.see(reading(97), ())
    assert "the server answers 404" in failed(it)[0]
    assert len(receiver.came) == 1


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("target", ["file:///etc/passwd", "/other"], ids=["file", "here"])
def test_no_redirect_is_followed(alarms, receiver, code, target):
    """Neither to a file nor anywhere else: the address in the configuration is the one that is told."""
    receiver.answers, receiver.headers = [code], {"Location": target}
    it = alarms({"when": FULL, "do": {"webhook": receiver.url}})
    it.see(reading(97), ())
    assert f"redirects ({code}), which is not followed" in failed(it)[0]
    assert [came.path for came in receiver.came] == ["/hook"]


def test_a_server_that_is_down_is_an_event(alarms, receiver):
    """A refused connection is told in words, after three tries."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    it = alarms({"when": FULL, "do": {"webhook": f"http://127.0.0.1:{port}/"}})
    it.see(reading(97), ())
    assert "after 3 tries: Connection refused" in failed(it)[0]
    assert receiver.came == []


def test_a_server_that_hangs_holds_no_reading_up(alarms, clock, receiver):
    """While the first message hangs, readings go on, other addresses are told, and messages wait in order."""
    receiver.hold = True
    it = alarms(
        {"name": "hangs", "when": FULL, "every": "10s", "do": {"webhook": receiver.url, "command": ["true"]}}
    )
    it.see(reading(97), ())
    receiver.wait(1)
    for _ in range(4):
        clock.now_s += 11
        it.see(reading(97), ())
    assert it._couriers["true",].wait(20)
    assert len(receiver.came) == 1
    receiver.hold = False
    receiver.holding.set()
    assert [came.body["status"] for came in receiver.wait(5)] == ["firing", *["lasting"] * 4]


@pytest.mark.parametrize(("drip", "words"), [(False, "does not answer in time"), (True, "no answer within")])
def test_a_slow_server_is_given_up(receiver, drip, words):
    """One that says nothing is late with the next byte, one that drips is cut when all its time is over."""
    receiver.hold, receiver.drip = not drip, drip
    with pytest.raises(DeliveryError, match=words) as caught:
        Webhook(receiver.url, step_s=0.3, all_s=0.6 if drip else 30)(notice())
    assert caught.value.again


def test_a_handshake_that_drips_is_cut(receiver):
    """TLS that begins and never goes on, a byte at a time, is over when all its time is."""
    del receiver
    stop = threading.Event()

    def drip(server):
        connected, _ = server.accept()
        with connected:
            connected.sendall(b"\x16\x03\x03\x40\x00")
            while not stop.wait(0.05):
                try:
                    connected.sendall(b"\x00")
                except OSError:
                    return

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=drip, args=(server,))
        thread.start()
        hook = Webhook(f"https://127.0.0.1:{server.getsockname()[1]}/", step_s=5, all_s=0.6)
        with pytest.raises(DeliveryError, match="no answer within"):
            hook(notice())
        stop.set()
        thread.join(20)


def test_garbage_is_an_error_like_others(receiver):
    """A server that speaks no HTTP is told, not raised."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(1)
        server.settimeout(10)
        hook = Webhook(f"http://127.0.0.1:{server.getsockname()[1]}/", step_s=0.5, all_s=5)
        courier, said = None, []
        courier = Courier("w", hook, said.append, waits_s=())
        courier.send(notice())
        connected, _ = server.accept()
        connected.sendall(b"\x00\x1b[2Jhello\r\n\r\n")
        connected.close()
        assert courier.wait(10)
        courier.stop()
    assert len(said) == 1
    assert said[0].isprintable()
    del receiver


def test_a_secret_is_read_each_time_and_travels_as_a_bearer_token(alarms, clock, receiver, tmp_path):
    """A token that is renewed in its file is used with the next message; one that is missing is an event."""
    secret = tmp_path / "token"
    secret.write_text("first\nnote\n")
    it = alarms({"when": FULL, "every": "10s", "do": {"webhook": receiver.url, "secret_file": str(secret)}})
    it.see(reading(97), ())
    assert receiver.wait(1)[0].headers["Authorization"] == "Bearer first"
    secret.write_text("second")
    clock.now_s += 11
    it.see(reading(97), ())
    assert receiver.wait(2)[1].headers["Authorization"] == "Bearer second"
    for content in ("", "a\x1bb", "x" * 5000):
        secret.write_text(content)
        clock.now_s += 11
        it.see(reading(97), ())
        assert "has no token in its first line" in failed(it)[0]
    secret.unlink()
    clock.now_s += 11
    it.see(reading(97), ())
    assert "No such file" in failed(it)[0]
    assert len(receiver.came) == 2


def test_too_many_messages_are_dropped_and_counted():
    """A queue is bounded: the oldest go, and that is told."""
    go, said, carried = threading.Event(), [], []

    def deliver(each):
        go.wait(20)
        carried.append(each)

    courier = Courier("w", deliver, said.append)
    for count in range(MOST_WAITING + 10):
        courier.send(notice(alert=str(count)))
    go.set()
    assert courier.wait(20)
    courier.stop()
    assert any("waited too long and were dropped" in text for text in said)
    assert len(carried) <= MOST_WAITING + 1
    assert carried[-1].alert == str(MOST_WAITING + 9)


def test_stopping_waits_for_nobody(receiver):
    """What is between two tries is left at once, and nothing is begun after."""
    receiver.answers = [500]
    courier = Courier("w", Webhook(receiver.url), lambda _: None, waits_s=(3600.0,))
    courier.send(notice())
    receiver.wait(1)
    courier.stop()
    courier._thread.join(20)
    assert not courier._thread.is_alive()
    courier.send(notice())
    assert len(receiver.came) == 1


def test_the_path_of_an_address_is_nobodys_business():
    """Chat services have their secret in the path."""
    assert name_of("https://chat.example/services/T0/B0/secret") == "webhook chat.example"


def test_a_condition_that_is_none_is_refused_before_anything_is_read(alarms):
    """A misspelt alert that never fires would be worse than no start."""
    with pytest.raises(SettingsError, match="did you mean"):
        alarms({"when": "gpu.memory_pc > 95", "do": {"bell": True}})


def test_a_certificate_nobody_knows_is_refused(receiver, tmp_path, monkeypatch):
    """TLS is verified: a server that signs itself gets nothing, until its certificate is among the trusted."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    cert, key = tmp_path / "c.pem", tmp_path / "k.pem"
    words = [
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
    ]
    names = ["-subj", "/CN=receiver", "-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", str(key), "-out", str(cert)]
    subprocess.run([openssl, *words, *names, *files], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    receiver.server.socket = context.wrap_socket(receiver.server.socket, server_side=True)
    hook = Webhook(receiver.url.replace("http://", "https://"))
    with pytest.raises(DeliveryError, match="certificate verify failed"):
        hook(notice())
    assert receiver.came == []
    monkeypatch.setenv("SSL_CERT_FILE", str(cert))
    hook(notice())
    assert len(receiver.came) == 1
