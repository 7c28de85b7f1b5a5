"""Recordings of trainings that knew every tensor of theirs: the right categories, by bytes.

PyTorch 2.14 on a simulated device ran `benchmarks/snapshot/trainings.py`; paths were made nobody's. `truth.json` has
the true category of each allocation of the ring, in its order, as digits: numbers into CATEGORIES.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from dstop.model.study import CATEGORIES
from dstop.snapshot.lives import BEFORE
from dstop.snapshot.load import load_snapshot
from dstop.snapshot.study import DeviceStudy
from dstop.snapshot.timeline import alive_at

FOLDER = Path(__file__).with_name("recordings")
TRUTH = json.loads((FOLDER / "truth.json").read_text())
STEPS = {"perceptron": 5, "convolution": 4, "adamw": 4, "checkpointing": 4, "leaking": 6, "failing_later": 2}


@pytest.fixture(scope="module", params=sorted(STEPS))
def recorded(request: pytest.FixtureRequest) -> tuple[str, DeviceStudy]:
    """Give each recording, studied."""
    return request.param, DeviceStudy(load_snapshot(FOLDER / f"{request.param}.pickle.gz"), 0)


def _right(study: DeviceStudy, name: str, rows: np.ndarray) -> float:
    true = np.full(len(study.lives), CATEGORIES.index("unknown"))
    true[study.lives.begin != BEFORE] = [int(digit) for digit in TRUTH[name]]
    size = study.lives.size[rows]
    return float(size[true[rows] == study.attribution.category[rows]].sum() / size.sum())


def test_the_peak(recorded: tuple[str, DeviceStudy]) -> None:
    """At least 95 % of what is live at the peak has its true category, and 99 % of what is said to be likely."""
    name, study = recorded
    rows = alive_at(study.lives, study.peak)
    assert _right(study, name, rows) > 0.95
    assert _right(study, name, rows[study.attribution.confidence[rows] > 0]) > 0.99


def test_the_whole_ring(recorded: tuple[str, DeviceStudy]) -> None:
    """So has 95 % of all that was allocated."""
    name, study = recorded
    assert _right(study, name, np.arange(len(study.lives))) > 0.95


def test_the_steps(recorded: tuple[str, DeviceStudy]) -> None:
    """Each training step is one; the one that failed is none."""
    name, study = recorded
    assert len(study.attribution.steps) == STEPS[name]


def test_what_grows(recorded: tuple[str, DeviceStudy]) -> None:
    """Only the training that keeps its logits leaks, at the line that makes them, as much as they have in each step."""
    name, study = recorded
    if name != "leaking":
        assert study.growth == ()
        return
    (leak,) = study.growth
    assert leak.per_step_bytes == 2 * 64 * 8000 * 4
    assert leak.steps == 5
    assert leak.site.category == "logits"
    assert leak.site.own is not None
    assert leak.site.own.function == "forward"
