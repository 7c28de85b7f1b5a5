"""A server that serves, and certificates to speak TLS with."""

from __future__ import annotations

import shutil
import subprocess
import threading
from typing import NamedTuple

import pytest

from dstop.export.metrics.moment import Moment
from dstop.export.scrape.app import MetricsApp
from dstop.export.scrape.server import open_server
from dstop.testing import make_frame, make_sample


def still():
    """Give a moment of a small machine."""
    return Moment(frame=make_frame(make_sample(1, 2)), age_s=0.5)


class Pair(NamedTuple):
    """A certificate and its key."""

    cert: str
    key: str


@pytest.fixture(scope="session")
def pair_of(tmp_path_factory):
    """Make certificates for this machine that sign themselves."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    folder = tmp_path_factory.mktemp("certificates")

    def make(name):
        cert, key = folder / f"{name}.pem", folder / f"{name}.key"
        if not cert.exists():
            words = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
            names = ["-days", "2", "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1"]
            files = ["-keyout", str(key), "-out", str(cert)]
            subprocess.run([openssl, *words, *names, *files], check=True, capture_output=True)
        return Pair(str(cert), str(key))

    return make


@pytest.fixture
def serve():
    """Serve an application on a free port of the loopback until the test is over."""
    servers = []

    def start(app=None, context=None, *, gate=None, moment=still):
        server = open_server("127.0.0.1", 0, app or MetricsApp(moment, gate), context)
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        return server

    yield start
    for server in servers:
        server.drain(5.0)
