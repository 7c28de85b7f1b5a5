"""What a plan can be turned by: every choice can be computed, and what cannot is passed over."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dstop.errors import PlanError
from dstop.footprint.knobs import knobs_of, put, turned
from dstop.footprint.spec.layout import check_layout
from dstop.footprint.spec.parse import parse_spec
from dstop.footprint.spec.settle import settle

LLAMA = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 1024,
    "num_hidden_layers": 12,
    "num_attention_heads": 24,
    "num_key_value_heads": 6,
    "head_dim": 64,
    "intermediate_size": 2816,
    "vocab_size": 32000,
    "max_position_embeddings": 8192,
    "torch_dtype": "bfloat16",
}


def spec(**fields):
    """Read a spec of a small Llama."""
    return parse_spec({"model": LLAMA, "phase": "training", **fields})


def knob(of, name):
    """Give one knob of a spec."""
    return next(knob for knob in knobs_of(settle(of)[0]) if knob.name == name)


def test_a_knob_turns_to_the_next_choice():
    """Batches go 1 2 3 4 6 8; one to the right of 4 is 6."""
    start = spec(batch=4)
    assert turned(start, knob(start, "batch"), 1).batch == 6
    assert turned(start, knob(start, "batch"), -1).batch == 3
    assert turned(start, knob(start, "batch"), 4).batch == 16


def test_a_value_between_the_choices_turns_to_its_neighbours():
    """From 5 sequences one goes to 6 or to 4, not back to the beginning."""
    start = spec(batch=5)
    assert turned(start, knob(start, "batch"), 1).batch == 6
    assert turned(start, knob(start, "batch"), -1).batch == 4


def test_layouts_that_cannot_be_are_passed_over():
    """Of 24 heads and 6 key/value heads, 4-way and 8-way tensor parallelism do not divide; 6-way does."""
    start = spec(parallel={"tp": 3})
    assert turned(start, knob(start, "tp"), 1).parallel.tp == 6


def test_the_end_of_a_knob_is_said():
    """What cannot be turned further is a sentence, not silence."""
    start = spec(batch=1)
    with pytest.raises(PlanError, match="batch is at its end"):
        turned(start, knob(start, "batch"), -1)


def test_the_last_layer_is_the_last_stage():
    """A pipeline cannot have more stages than there are layers."""
    start = spec(parallel={"tp": 24})
    pipeline = replace(start, parallel=replace(start.parallel, pp=12))
    with pytest.raises(PlanError, match="pp is at its end"):
        turned(pipeline, knob(pipeline, "pp"), 1)


def test_another_phase_forgets_what_it_has_no_use_for():
    """A plan of training with ZeRO and adapters becomes one of inference that can be computed, and back."""
    start = spec(lora={"rank": 8, "base": "nf4"}, weights="nf4", parallel={"dp": 8, "zero": 3})
    served = put(start, "phase", "inference")
    assert (served.phase, served.lora, served.parallel.zero, served.weights) == ("inference", None, 0, None)
    assert put(served, "phase", "training").phase == "training"


def test_adapters_come_and_go_with_the_format_of_what_is_below_them():
    """Frozen weights may be nf4; without adapters they are trained, in a format that can be."""
    adapted = put(spec(), "lora", 16)
    quantized = put(adapted, "weights", "nf4")
    assert quantized.lora is not None
    assert quantized.lora.base == "nf4"
    bare = put(quantized, "lora", 0)
    assert (bare.lora, bare.weights) == (None, None)


def test_a_dense_model_has_no_experts_to_lay_out():
    """Only a model with experts has the knob of expert parallelism."""
    assert "ep" not in {knob.name for knob in knobs_of(settle(spec())[0])}


@pytest.mark.parametrize("framework", ["hf", "vllm", "sglang", "llama.cpp"])
def test_what_an_engine_decides_is_its_default_until_it_is_turned(framework):
    """A share of the card that nobody has set has a place and a word, and can be turned from there."""
    start = parse_spec({"model": LLAMA, "framework": framework})
    for each in knobs_of(settle(start)[0]):
        assert 0 <= each.place <= 1
        assert each.text
    if framework in {"vllm", "sglang"}:
        share = turned(start, knob(start, "gpu_memory_utilization"), 1).gpu_memory_utilization
        assert share is not None
        assert 0.5 <= share < 1


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 30), st.integers(-4, 4)), max_size=12))
def test_whatever_is_turned_is_a_spec_that_can_be(turns):
    """Any sequence of turns ends in a layout that passes its own check."""
    current = spec()
    for place, by in turns:
        knobs = knobs_of(settle(current)[0])
        try:
            current = turned(current, knobs[place % len(knobs)], by or 1)
        except PlanError:
            continue
        check_layout(current)


@given(st.integers(1, 5000))
def test_a_slider_shows_where_its_value_is(batch):
    """The handle is between the ends, and further right for more."""
    here = knob(spec(batch=batch), "batch")
    more = knob(spec(batch=batch + 1), "batch")
    assert 0 <= here.place <= more.place <= 1
