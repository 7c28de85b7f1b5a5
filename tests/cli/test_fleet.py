"""`dstop fleet`: as text, as JSON, and what cannot be asked for."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from dstop.cli.fleet import matchers
from dstop.errors import UsageError


@contextmanager
def server(cards, rest=b'{"status":"success","data":{"resultType":"vector","result":[]}}', code=200):
    """Answer the first query with `cards`, the others with `rest`."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            query = self.rfile.read(int(self.headers["Content-Length"])).decode()
            first = "dstop_gpu_up" in query
            data = cards if first else rest
            self.send_response(200 if first else code)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_):
            pass

    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{running.server_address[1]}"
    finally:
        running.shutdown()
        running.server_close()


def cards(*used_mib, host="node\u202e-1"):
    """Give DCGM's series of a host whose name would turn the line round."""
    result = [
        {
            "metric": {
                "__name__": f"DCGM_FI_DEV_FB_{name}",
                "gpu": str(at),
                "Hostname": host,
                "instance": "a:9400",
            },
            "value": [1, str(value)],
        }
        for at, used in enumerate(used_mib)
        for name, value in (("USED", used), ("FREE", 1000 - used))
    ]
    return json.dumps({"status": "success", "data": {"resultType": "vector", "result": result}}).encode()


def test_text(dstop):
    """The worst card is first; nothing of a label moves the cursor."""
    with server(cards(100, 990)) as address:
        said = dstop("fleet", "--prometheus", address, "--once")
    assert said.code == 0
    assert "1 host  2 GPUs" in said.out
    assert "\u202e" not in said.out
    first, second = (line for line in said.out.splitlines() if line.startswith("node"))
    assert " 99 " in first
    assert " 10 " in second


def test_ascii(dstop):
    """--ascii draws with ASCII alone."""
    with server(cards(100, host="n")) as address:
        assert dstop("fleet", "--prometheus", address, "--once", "--ascii").out.isascii()


def test_json(dstop, monkeypatch):
    """Plain numbers with their unit; the server may be named by the environment."""
    with server(cards(100, 990)) as address:
        monkeypatch.setenv("DSTOP_PROMETHEUS", address)
        told = json.loads(dstop("fleet", "--json", "--filter", "mem>50").out)
    assert told["schema"] == 1
    (host,) = told["hosts"]
    (card,) = host["gpus"]
    assert card["memory_used_bytes"] == 990 * 2**20
    assert card["memory_pct"] == 99
    assert host["processes"] is None


def test_one_query_that_fails_leaves_the_rest(dstop):
    """Cards are shown, and it is said what is missing."""
    with server(cards(5), b"oops", 503) as address:
        said = dstop("fleet", "--prometheus", address, "--json")
    told = json.loads(said.out)
    assert told["hosts"]
    assert set(told["unavailable"]) == {"processes", "findings", "gone"}
    assert "503" in told["notices"][0]


def test_one_host(dstop):
    """--host, and one that is not there."""
    with server(cards(5, host="n")) as address:
        assert (
            "no exporter here tells of processes"
            in dstop("fleet", "--prometheus", address, "-1", "--host", "n").out
        )
        said = dstop("fleet", "--prometheus", address, "-1", "--host", "m")
    assert said.code == 2
    assert "there is no 'm'" in said.err


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        ([], 2, "no server to ask"),
        (["--prometheus", "http://u:p@h"], 2, "password in an address"),
        (["--prometheus", "http://127.0.0.1:1"], 1, "cannot be reached"),
        (["--prometheus", "http://h", "--ca", "x"], 2, "for TLS"),
        (["--prometheus", "https://h", "--ca", "/nonexistent"], 2, "certificates cannot be used"),
        (["--prometheus", "http://h", "--match", "a}) or up"], 2, "no label matcher"),
        (["--prometheus", "http://h", "--filter", "x>1"], 2, "is no bound"),
        (["--prometheus", "http://h", "--once", "--json"], 2, "two answers"),
        (["--prometheus", "http://h", "--token-file", "/nonexistent"], 2, "--token-file"),
    ],
)
def test_what_cannot_be_is_one_line(dstop, words, code, says):
    """What is wrong and what to do, with the right exit code."""
    said = dstop("fleet", "--once", *words) if "--json" not in words else dstop("fleet", *words)
    assert said.code == code
    assert says in said.err
    assert said.err.count("\n") == 1


@pytest.mark.parametrize("text", ['a="b"', 'a=~"b|c", d!="e"', 'a="x\\"y"', ""])
def test_matchers_are_kept(text):
    """As Prometheus writes them."""
    assert matchers([text] if text else []) == text


@pytest.mark.parametrize("text", ['a="b"} or {x="y"', "a=b", 'a="b" or up', '"', '__name__="x"}', 'a="b\n"'])
def test_nothing_else_is_a_matcher(text):
    """What could end the selector never reaches the server."""
    with pytest.raises(UsageError, match="--match"):
        matchers([text])
