"""Verdicts against the truth, live: a handful of the benchmark's cases, run with PyTorch on a simulated device."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CASES = ("expandable-7", "no-expandable-1", "batch-5", "capacity-2")
"""Small ones; two fit in truth."""


def test_what_if_says_what_then_happens(tmp_path: Path) -> None:
    """Programs that are really run with the change fit, or do not, as the snapshot of the first run had it."""
    if not os.environ.get("DSTOP_CUDASIM_PYTHON"):
        pytest.skip("DSTOP_CUDASIM_PYTHON does not name a Python with PyTorch on a simulated device")
    done = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks/snapshot/verdicts.py"), str(tmp_path), *CASES],
        env=dict(os.environ) | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    score = re.search(r"^right: (\d+) of (\d+) \((\d+) fit in truth\)$", done.stdout, re.MULTILINE)
    assert score is not None, done.stderr
    right, total, fit = map(int, score.groups())
    assert (right, total) == (len(CASES), len(CASES)), done.stdout
    # A judge who always says the same would be wrong.
    assert 0 < fit < total
    assert done.returncode == 0
