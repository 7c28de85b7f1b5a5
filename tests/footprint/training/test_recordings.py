"""Training footprints against the allocator of real PyTorch: states, and the peak of each moment of a step."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dstop.footprint.estimate import estimate
from dstop.footprint.spec.parse import parse_spec
from dstop.footprint.spec.settle import settle
from dstop.footprint.stages import stages_of
from dstop.footprint.training.peak import moments_of
from dstop.footprint.training.setting import setting_of
from dstop.footprint.training.states import states_of

FOLDER = Path(__file__).parents[1] / "recordings"
MOMENTS = {"forward": ("end of forward",), "backward": ("backward",), "optimizer": ("optimizer step",)}
STATIC, PEAK = 0.005, 0.05


def _read(name):
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


def _names(*, variants):
    found = []
    for path in sorted(FOLDER.glob("*.json")):
        said = json.loads(path.read_text(encoding="utf-8"))
        if said["spec"].get("phase") == "training" and (variants or not said["variant"]):
            found.append(path.stem)
    return found


ALL, PLAIN = _names(variants=True), _names(variants=False)
"""All trainings, and those that a SPEC describes whole: a variant is what no field says, such as a fused step."""


def test_there_are_enough():
    """The bars stand on many trainings: of every family, type, attention, optimizer and layout."""
    families = {_read(name)["spec"]["model"]["model_type"] for name in PLAIN}
    assert len(PLAIN) >= 50
    assert {"llama", "gpt2", "qwen3", "deepseek_v2", "deepseek_v3", "mixtral"} <= families


@pytest.mark.parametrize("name", ALL)
def test_states_are_those_that_are_held(name: str):
    """Weights, gradients and optimizer states are within half a percent of what the tensors hold."""
    said = _read(name)
    held = said["figures"]["static"]
    parts = estimate(parse_spec(said["spec"])).per_gpu.parts
    assert parts.weights_bytes == pytest.approx(held["weights"], rel=STATIC)
    assert parts.gradients_bytes == pytest.approx(held["gradients"], rel=STATIC)
    assert parts.optimizer_bytes == pytest.approx(held["optimizer"], rel=STATIC, abs=65536)


@pytest.mark.parametrize("name", PLAIN)
def test_peaks_of_a_step(name: str):
    """The peak of a step, in bytes that were asked for, is met within five percent, and so is its moment."""
    said = _read(name)
    last = said["figures"]["steps"][-1]
    peaks = {at: last[at]["requested_peak"] for at in MOMENTS}
    rank = estimate(parse_spec(said["spec"])).per_gpu
    assert rank.parts.allocated_bytes == pytest.approx(max(peaks.values()), rel=PEAK)
    others = [at for at, peak in peaks.items() if peak >= max(peaks.values()) * (1 - PEAK)]
    assert rank.peak_at in {moment for at in others for moment in MOMENTS[at]}


@pytest.mark.parametrize("name", PLAIN)
def test_peaks_of_each_moment(name: str):
    """Forward, backward and the optimizer's step are each within five percent: no error makes up for another."""
    said = _read(name)
    last = said["figures"]["steps"][-1]
    spec, _ = settle(parse_spec(said["spec"]))
    stage = stages_of(spec)[0]
    states = states_of(spec, stage)
    moments = moments_of(spec, stage, states, setting_of(spec))
    for at, names in MOMENTS.items():
        found = max(moment.total for moment in moments if moment.at in names)
        expected = last[at]["requested_peak"]
        assert found + states.weights + states.optimizer == pytest.approx(expected, rel=PEAK), at


def test_what_is_reserved_is_within_the_band():
    """What the allocator had taken from the driver is within the band of nine recordings in ten."""
    inside = []
    for name in PLAIN:
        said = _read(name)
        rank = estimate(parse_spec(said["spec"])).per_gpu
        reserved = said["figures"]["steps"][-1]["optimizer"]["reserved"] + rank.parts.context_bytes
        inside.append(rank.low_bytes <= reserved <= rank.high_bytes)
    assert sum(inside) / len(inside) >= 0.9
