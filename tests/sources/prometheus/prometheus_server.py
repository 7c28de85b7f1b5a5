"""A real Prometheus server on loopback, with its data in a folder of the test."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path

PROGRAM = shutil.which("prometheus")
_PATIENCE_S = 60.0


def config_text(port, targets, *, interval="1s"):
    """Give a configuration that scrapes one page per target; its instance is the name of the page."""
    lines = [f"global: {{scrape_interval: {interval}, scrape_timeout: {interval}}}", "scrape_configs:"]
    jobs = {}
    for name, job in targets.items():
        jobs.setdefault(job, []).append(name)
    for job, names in jobs.items():
        lines += [f"- job_name: {job}", "  honor_labels: false", "  static_configs:"]
        for name in names:
            lines += [
                f"  - targets: ['127.0.0.1:{port}']",
                f"    labels: {{instance: '{name}:9400', __metrics_path__: '/{name}'}}",
            ]
    return "\n".join(lines) + "\n"


@contextmanager
def prometheus(folder, config):
    """Run a server; gives its address when it is ready."""
    folder = Path(folder)
    (folder / "prometheus.yml").write_text(config)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [
                PROGRAM,
                f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=log,
            stderr=log,
        )
        try:
            _wait_ready(f"http://127.0.0.1:{port}", process, folder / "log")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(30)


def _wait_ready(address, process, log):
    until = time.monotonic() + _PATIENCE_S
    while time.monotonic() < until:
        if process.poll() is not None:
            raise AssertionError(log.read_text()[-2000:])
        try:
            with urllib.request.urlopen(f"{address}/-/ready", timeout=5):  # noqa: S310 - ours
                return
        except (OSError, urllib.error.URLError):
            time.sleep(0.1)
    raise AssertionError(f"not ready: {log.read_text()[-2000:]}")
