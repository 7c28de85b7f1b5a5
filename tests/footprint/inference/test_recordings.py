"""What real PyTorch and transformers handed out while they generated, on a simulated device."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dstop.footprint.estimate import estimate
from dstop.footprint.inference.cache import kv_demand
from dstop.footprint.spec.parse import parse_spec
from dstop.footprint.spec.settle import settle
from dstop.footprint.stages import stages_of

RECORDINGS = sorted((Path(__file__).parents[1] / "recordings").glob("generate-*.json"))


@pytest.fixture(params=RECORDINGS, ids=lambda path: path.stem)
def recorded(request):
    """Give the spec of one recording and what was measured."""
    data = json.loads(request.param.read_text())
    spec = dict(data["spec"])
    if not spec["model"].get("kv_lora_rank"):
        spec.pop("mla_cache", None)
    return parse_spec(spec), data["figures"]


def test_there_are_recordings():
    """The tests below are about something."""
    assert RECORDINGS


def test_weights_are_what_was_handed_out(recorded):
    """With the ends of segments: what the allocator has handed out; those that small tensors share are not counted."""
    spec, figures = recorded
    parts = estimate(spec).per_gpu.parts
    assert parts.weights_bytes == pytest.approx(figures["built"]["allocated"], rel=0.015)


def test_the_cache_is_what_it_came_to(recorded):
    """After the prompt, and after the last token."""
    spec, figures = recorded
    settled, _ = settle(spec)
    stage = stages_of(settled)[0]
    prompt = settled.max_num_batched_tokens // settled.batch
    assert kv_demand(settled, stage, prompt) == figures["prefill"]["kv_cache"]
    assert kv_demand(settled, stage) == pytest.approx(figures["decode"]["kv_cache"], rel=0.002)


def test_the_peak_is_within_three_percent(recorded):
    """Of the whole, and what a pass takes is within a quarter: it is small beside the weights."""
    spec, figures = recorded
    parts = estimate(spec).per_gpu.parts
    peak = max(figures[moment]["allocated_peak"] for moment in ("prefill", "decode"))
    assert parts.allocated_bytes == pytest.approx(peak, rel=0.03)
    assert parts.allocated_bytes - parts.weights_bytes == pytest.approx(
        peak - figures["built"]["allocated"], rel=0.25
    )


def test_what_was_reserved_is_within_the_band(recorded):
    """Taken from the driver at most, and the context that no simulated device has."""
    spec, figures = recorded
    rank = estimate(spec).per_gpu
    reserved = max(figures[moment]["reserved_peak"] for moment in ("prefill", "decode"))
    assert rank.low_bytes <= reserved + rank.parts.context_bytes <= rank.high_bytes
