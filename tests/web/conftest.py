"""A `dstop web` of the test's own, and a client that has the token."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest

ROOT = Path(__file__).parents[2]


class Served(NamedTuple):
    """A server that runs: its process, the address with the token, and the address without."""

    process: subprocess.Popen
    url: str
    base: str

    @property
    def token(self):
        """Give the token."""
        return urlsplit(self.url).query.removeprefix("token=")

    def children(self):
        """Give the PIDs of the dstops of its tabs."""
        path = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(word) for word in path.read_text().split()]


@pytest.fixture
def serve(tmp_path):
    """Start `dstop web` with these words at a free port; it is ended with the test."""
    pytest.importorskip("textual_serve", reason="the extra `web` is not installed")
    started = []

    def start(*words, options=()):
        command = [sys.executable, "-m", "dstop", "web", "--port", "0", *options, "--", *words]
        environ = {**os.environ, "PYTHONPATH": str(ROOT), "XDG_CONFIG_HOME": str(tmp_path / "config")}
        process = subprocess.Popen(command, env=environ, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        started.append(process)
        url = process.stdout.readline().strip()
        return Served(process, url, url.partition("?")[0])

    yield start
    for process in started:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        process.wait(30)
        process.stdout.close()
