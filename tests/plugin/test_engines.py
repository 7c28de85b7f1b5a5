"""Pages of engines: hostile until read, and what is made of them."""

from __future__ import annotations

import os
import socket
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dstop.plugin.engines import Engine, fetch, option_of, page_of, port_option
from dstop.plugin.kin import is_same_network, kin_of, listening_ports
from dstop.testing import make_facts


@pytest.fixture
def speak():
    """Give a function that serves these pieces of bytes, one after the other, to whoever comes."""
    listeners = []
    over = threading.Event()

    def serve(*pieces, pause_s=0.0):
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)

        def run():
            try:
                while True:
                    link, _ = listener.accept()
                    with link:
                        link.recv(4096)
                        for piece in pieces:
                            link.sendall(piece)
                            over.wait(pause_s)
            except OSError:
                return

        threading.Thread(target=run, daemon=True).start()
        return listener.getsockname()[1]

    yield serve
    over.set()
    for listener in listeners:
        listener.close()


_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"


def test_a_page_is_had_whole_and_in_chunks(speak):
    """With a length, to the end of the connection, and in chunks, as servers of engines send it."""
    assert fetch(speak(_HEAD + b"Content-Length: 5\r\n\r\nup 1\n"), seconds=20) == "up 1\n"
    assert fetch(speak(_HEAD + b"\r\n", b"up 1\n"), seconds=20) == "up 1\n"
    chunks = _HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\nup \r\n2\r\n1\n\r\n0\r\n\r\n"
    assert fetch(speak(chunks), seconds=20) == "up 1\n"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n\r\n", "answers 302"),
        (b"HTTP/1.1 401 Unauthorized\r\n\r\n", "answers 401"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "does not speak HTTP"),
        (b"", "does not speak HTTP"),
        (_HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", "does not speak HTTP"),
        (_HEAD + b"\r\n" + b"x" * 5000, "more than 4096 bytes"),
    ],
    ids=["redirect", "refused", "not-http", "nothing", "bad-chunk", "huge"],
)
def test_what_is_no_page_is_told(speak, answer, words):
    """A redirect is not followed, and each refusal says which it is."""
    with pytest.raises(OSError, match=words):
        fetch(speak(answer), seconds=20, most_bytes=4096)


def test_who_sends_a_byte_at_a_time_is_cut_off(speak):
    """The deadline is over all of it, not over each byte."""
    with pytest.raises(OSError, match="did not come in time"):
        fetch(speak(*[b"H"] * 1000, pause_s=0.01), seconds=0.2)


def test_labels_and_values_are_read_as_prometheus_writes_them():
    """Labels with commas, quotes and braces in them; exponents; no labels; other metrics are passed over."""
    text = '# TYPE a gauge\na{x="1,}",y="say \\"hi\\""} 1.5e+02\na 2\nb 7\na{x="2"} NaN\nnonsense\na\n'
    page = page_of(text, ("a",), 0.0)
    assert list(page.samples) == ["a"]
    assert page.samples["a"][0] == ({"x": "1,}", "y": 'say \\"hi\\"'}, 150.0)
    assert (page.total("a"), page.highest("a"), page.total("b")) == (152.0, 150.0, None)


@given(st.text())
def test_no_text_breaks_the_reading(text):
    """Whatever a server sends, there is a page, with finite sums or none."""
    page = page_of(text + "\na 1\n", ("a",), 0.0)
    assert page.total("a") is not None


def test_a_page_with_a_million_samples_is_read_to_a_bound():
    """What is wanted ten thousand times is read four thousand times."""
    page = page_of("a 1\n" * 10_000, ("a",), 0.0)
    assert page.total("a") == 4096


@pytest.mark.parametrize(
    ("words", "port"),
    [("--port 80", 80), ("--port=81", 81), ("--port 1 --port 2", 2), ("", 8000), ("--port", 8000)]
    + [(f"--port {bad}", None) for bad in ("0", "65536", "x", "-1", "٣", "9" * 99)],
)
def test_the_port_of_a_command_line(words, port):
    """The last one counts, as argparse has it; what is no port is none."""
    assert port_option(words.split(), 8000) == port


def test_an_option_that_is_not_there_has_no_value():
    """Neither a longer option nor a value passes for it."""
    assert option_of(["--ports", "1", "x--port", "2"], "--port") is None


def test_our_own_socket_is_found_and_anothers_is_not():
    """By /proc: what this process listens on, with its network, and from where it comes."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert port in listening_ports(os.getpid())
    assert port not in listening_ports(os.getpid())
    assert is_same_network(os.getpid()) is True
    kin = [one.pid for one in kin_of(os.getpid())]
    assert kin[:2] == [os.getpid(), os.getppid()]
    assert listening_ports(2**22 + 1) is None


class _Clock:
    """A clock that the test moves."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


def _engine(port, clock, told):
    def tell(page, per_min):
        told.append((page.total("a_total"), per_min))
        return {"a_total": page.total("a_total") or 0.0}

    return Engine(
        is_server=bool,
        port_of=lambda _: port,
        names=("a_total",),
        counter=("a_total",),
        tell=tell,
        clock=clock,
    )


def test_a_rate_is_known_after_ten_seconds_and_begins_anew_with_the_counter():
    """Sixty in thirty seconds are a hundred and twenty a minute; a counter that falls has no rate yet."""
    clock, told, value = _Clock(), [], ["0"]
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def run():
            try:
                while True:
                    link, _ = listener.accept()
                    with link:
                        link.recv(4096)
                        link.sendall(_HEAD + b"\r\n" + f"a_total {value[0]}\n".encode())
            except OSError:
                return

        threading.Thread(target=run, daemon=True).start()
        engine = _engine(listener.getsockname()[1], clock, told)
        facts = make_facts(os.getpid())
        for seconds, count in ((0, "0"), (5, "10"), (25, "60"), (5, "3"), (0.5, "9")):
            clock.now += seconds
            value[0] = count
            assert set(engine.figures(facts)) == {"a_total"}
        listener.shutdown(socket.SHUT_RDWR)
    # Within a second the same page serves all workers: the last one was not read.
    assert told == [(0.0, None), (10.0, None), (60.0, 120.0), (3.0, None)]


def test_a_port_that_another_process_holds_is_not_asked():
    """Ours does not listen on port 1: it is said so, and nobody is asked."""
    told = []
    assert "does not listen" in _engine(1, time.monotonic, told).figures(make_facts(os.getpid()))["engine"]
    assert told == []


def test_a_process_of_no_engine_has_no_figures():
    """Neither the process nor any it comes from is a server."""
    engine = Engine(is_server=lambda _: False, port_of=lambda _: 1, names=(), tell=lambda *_: {})
    assert engine.figures(make_facts(os.getpid())) is None
