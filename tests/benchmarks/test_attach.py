"""The benchmarks of attaching: their arithmetic, and that a tiny run of each tells everything it promises."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

FOLDER = Path(__file__).parents[2] / "benchmarks" / "attach"
_spec = importlib.util.spec_from_file_location("bench_attach_figures", FOLDER / "figures.py")
assert _spec is not None
assert _spec.loader is not None
figures = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(figures)

numbers = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=200)


def run(name: str, *options: str) -> dict:
    """Run a benchmark on this interpreter to its end, and give what it says."""
    if not any(map(shutil.which, ("cc", "gcc", os.environ.get("CC", "cc")))):
        pytest.skip("the heartbeat of the targets needs a C compiler")
    done = subprocess.run(
        [sys.executable, FOLDER / f"{name}.py", "--json", "-", "--python", sys.executable, *options],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@given(numbers, st.integers(1, 100))
def test_a_percentile_is_a_value_that_was_measured(values, percent):
    """The nearest rank: enough values lie at or below it, and it is one of them."""
    found = figures.percentile(values, percent)
    assert found in values
    assert sum(value <= found for value in values) >= percent / 100 * len(values) - 1e-9


@given(numbers)
def test_the_interval_of_the_median_holds_the_median(values):
    """The median lies within its own interval, which lies within the values."""
    low, high = figures.median_interval(values)
    middle = figures.summary(values)["median"]
    assert min(values) <= low <= middle + 1e-9
    assert middle - 1e-9 <= high <= max(values)


def test_nothing_measured_is_no_summary():
    """What was never measured has no median, and its cell says so."""
    assert figures.summary([None, None]) is None
    assert figures.cell(None) == "-"
    assert figures.cell(figures.summary([1.0, 2.0, 300.0])) == "2 / 300 / 300"


def test_latency_tells_every_column():
    """Each row has all columns, and every attempt has its target's fate."""
    report = run("latency", "--attaches", "2", "--kinds", "busy,sleep")
    first = report["rows"][0]
    assert {"latency_ms", "stop_us", "native_gap_ms", "baseline_native_gap_ms", "missed"} <= set(first)
    assert first["tries"] == len(report["records"]) == 2
    assert first["harm"] == {}
    assert first["native_gap_ms"]["count"] == 2


def test_repeat_tells_what_the_process_holds():
    """Threads, descriptors, maps and memory are told before, after the first cycle and after the last."""
    (row,) = run("repeat", "--cycles", "2", "--kinds", "busy")["rows"]
    assert len(row["held"]) == 4
    assert all(held["threads"] >= 2 and held["rss_bytes"] > 0 for held in row["held"])
    assert row["harm"] == []
    assert len(row["rss_bytes"]) == 3


def test_kill_tells_who_survived():
    """Both signals are sent, and each time the target's fate and a guest afterwards are told."""
    report = run("kill", "--kills", "2", "--kinds", "sleep")
    assert [each["signal"] for each in report["records"]] == ["SIGKILL", "SIGINT"]
    assert report["rows"][0]["kills"] == 2
    assert report["rows"][0]["dead"] == 0


def test_cost_compares_each_arm_with_none():
    """An idle guest, one that is asked, and the noise have a ratio; requests have a distribution."""
    report = run("cost", "--loops", "busy", "--rounds", "1", "--seconds", "0.2", "--requests", "3")
    assert [row["name"].rpartition(", ")[2] for row in report["arms"]] == ["idle", "1 Hz", "bare again"]
    assert all(row["step_us"] > 0 for row in report["arms"])
    assert report["requests"][0]["took_us"]["count"] == 3
