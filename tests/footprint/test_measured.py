"""What real PyTorch and transformers handed out while they trained, on a simulated device, against the plan.

`recordings/` says what was asked and what the allocator counted (`benchmarks/footprint/measure.py` makes it anew). No
kernel ran, but every allocation is PyTorch's own: a term that is wrong or missing shows here and not on a GPU.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dstop.footprint.estimate import estimate
from dstop.footprint.spec.parse import parse_spec

RECORDINGS = {
    path.stem: json.loads(path.read_text("utf-8"))
    for path in sorted((Path(__file__).parent / "recordings").glob("*.json"))
}
TRAININGS = [name for name, data in RECORDINGS.items() if "steps" in data["figures"]]
SAYABLE = [name for name in TRAININGS if not RECORDINGS[name]["variant"]]
"""Those that a SPEC says in full: not the ones with a for-loop or fused optimizer, or a mask that nobody asked for."""
MOMENTS = ("forward", "backward", "optimizer")
FURTHER_OFF = {
    "dsv2-lite-autocast-checkpointing": (0.07, "11 MiB of an expert's matrix are handed out as 12 MiB"),
}
"""How far off, at most, and for want of what."""


@pytest.fixture
def recorded(request):
    """Give the plan of a recording, and what was measured."""
    data = RECORDINGS[request.param]
    return estimate(parse_spec(data["spec"])).per_gpu, data["figures"]


def peaks(figures):
    """Give the most that was handed out in each moment of the last step, in bytes."""
    step = figures["steps"][-1]
    return {moment: step[moment]["allocated_peak"] for moment in MOMENTS}


def test_the_recordings_are_many_and_of_many_kinds():
    """A model that fits a handful of runs says little."""
    families = {RECORDINGS[name]["spec"]["model"]["model_type"] for name in TRAININGS}
    assert len(TRAININGS) >= 40
    assert {"llama", "gpt2", "qwen2", "qwen3", "mixtral", "deepseek_v2", "deepseek_v3"} <= families


@pytest.mark.parametrize("name", TRAININGS)
def test_a_recording_is_of_a_training_that_has_settled(name):
    """The last step takes what the one before it took: what the plan is compared with is no warm-up."""
    before, last = RECORDINGS[name]["figures"]["steps"][-2:]
    for moment in MOMENTS:
        assert last[moment]["requested_peak"] == pytest.approx(before[moment]["requested_peak"], rel=0.002)


@pytest.mark.parametrize("recorded", TRAININGS, indirect=True)
def test_states_are_what_was_asked_for(recorded):
    """Weights, gradients and moments are counted to half a percent of the bytes of their tensors."""
    rank, figures = recorded
    static = figures["static"]
    expected = static["weights"] + static["gradients"] + static["optimizer"]
    assert rank.parts.static_bytes == pytest.approx(expected, rel=0.005)


@pytest.mark.parametrize("name", SAYABLE)
def test_the_peak_of_a_step_is_within_five_percent(name):
    """Of what was handed out at the widest moment; what is known to be further off is so for a reason, and bounded."""
    data = RECORDINGS[name]
    planned = estimate(parse_spec(data["spec"])).per_gpu.parts.allocated_bytes
    error = planned / max(peaks(data["figures"]).values()) - 1
    off, _ = FURTHER_OFF.get(name, (0.05, ""))
    assert abs(error) <= off


def test_most_peaks_are_within_two_percent():
    """A bound that each meets does not say how good they are: half of them are within one percent."""
    errors = []
    for name in SAYABLE:
        data = RECORDINGS[name]
        planned = estimate(parse_spec(data["spec"])).per_gpu.parts.allocated_bytes
        errors.append(abs(planned / max(peaks(data["figures"]).values()) - 1))
    errors.sort()
    assert errors[len(errors) // 2] <= 0.0125
    assert errors[int(len(errors) * 0.8)] <= 0.03
