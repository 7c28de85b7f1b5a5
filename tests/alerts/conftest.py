"""A receiver of webhooks on loopback, and alerts with a clock that the test moves."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

import pytest

from dstop.alerts.alarms import Alarms
from dstop.settings.alerts import parse_alerts


class Came(NamedTuple):
    """One request."""

    path: str
    headers: dict
    body: dict


class Receiver:
    """Takes webhooks; `answers` are the status codes to come (the last stays), `hold_s` how long it thinks first."""

    def __init__(self):
        self.came = []
        self.answers = [204]
        self.headers = {}
        self.holding = threading.Event()
        self.hold = False
        self.drip = False
        self.changed = threading.Condition()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                receiver.take(self)

            def do_GET(self):
                receiver.take(self)

            def log_message(self, *_):
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hook"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()

    def take(self, handler):
        """Keep a request and answer it as it was told to."""
        length = int(handler.headers.get("Content-Length", 0))
        body = json.loads(handler.rfile.read(length) or b"null")
        with self.changed:
            self.came.append(Came(handler.path, dict(handler.headers), body))
            code = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            self.changed.notify_all()
        if self.hold:
            self.holding.wait(30)
        if self.drip:
            while not self.holding.wait(0.05):
                try:
                    handler.wfile.write(b"H")
                    handler.wfile.flush()
                except OSError:
                    return
            return
        try:
            handler.send_response(code)
            for name, value in self.headers.items():
                handler.send_header(name, value)
            handler.send_header("Content-Length", "0")
            handler.end_headers()
        except OSError:
            return

    def wait(self, count, most_s=20):
        """Wait for so many requests."""
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.came) >= count, most_s), self.came
        return self.came

    def close(self):
        """End."""
        self.holding.set()
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def receiver(monkeypatch):
    """Give a receiver that is ended with the test; the tester's proxies are not asked."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    it = Receiver()
    yield it
    it.close()


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self):
        self.now_s = 1000.0

    def __call__(self):
        """Give the time."""
        return self.now_s


@pytest.fixture
def clock():
    """Give a clock."""
    return Clock()


@pytest.fixture
def alarms(clock):
    """Make alarms of entries as the configuration file has them; they are closed with the test."""
    made = []

    def make(*entries, waits_s=(0.01, 0.02)):
        made.append(Alarms(parse_alerts(list(entries)), monotonic=clock, waits_s=waits_s))
        return made[-1]

    yield make
    for each in made:
        each.close()
