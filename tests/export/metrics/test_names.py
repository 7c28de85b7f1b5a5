"""The table of metrics: what Prometheus' conventions ask for holds of every name."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from dstop.export.metrics.names import BY_NAME, METRICS
from dstop.export.metrics.page import page
from dstop.export.metrics.text import plain

from .pages import full

NAMES = [each.name for each in METRICS]


def test_every_name_is_there_once():
    """Two families of one name make a page that no server takes."""
    assert len(BY_NAME) == len(METRICS)
    assert len({each.family for each in METRICS}) == len(METRICS)


@pytest.mark.parametrize("name", NAMES)
def test_a_name_follows_the_conventions(name):
    """Our prefix, base units, `_total` for counters alone, a sentence of help, labels that are not the server's own."""
    metric = BY_NAME[name]
    assert re.fullmatch(r"dstop_[a-z0-9]+(_[a-z0-9]+)*", name)
    assert name.endswith("_total") == (metric.kind == "counter")
    assert name.endswith("_info") == (metric.kind == "info")
    assert not re.search(r"(_pct|_percent|_mw|_mhz|_mib|_ms|_kb)(_|$)", name)
    assert metric.help.endswith(".")
    assert "\n" not in metric.help
    assert len(set(metric.labels)) == len(metric.labels)
    assert not {"job", "instance"} & set(metric.labels)
    assert not any(label.startswith("__") or label == "le" for label in metric.labels)
    if metric.unit:
        assert metric.family.endswith(f"_{metric.unit}")


def test_a_machine_that_tells_all_has_every_family():
    """A name that no page can have is no contract."""
    assert [family.metric.name for family in page(full())] == NAMES


def test_prometheus_has_nothing_to_say_against_a_page():
    """Prometheus' own linter reads a whole page and finds nothing."""
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed (Debian: prometheus)")
    text = plain(page(full()))
    said = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, check=False)
    assert (said.returncode, said.stdout, said.stderr) == (0, b"", b"")
