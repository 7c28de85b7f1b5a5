"""Causes: what is measured is certain, what arithmetic meets is likely, and what neither does is unexplained."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dstop.footprint.live.clues import Clues
from dstop.footprint.live.compare import compare
from dstop.footprint.live.hook import Held
from dstop.footprint.live.known import Hypothesis
from dstop.footprint.live.recognise import recognise
from dstop.model.process import GpuProcess, ProcessFacts
from dstop.testing import make_allocator
from dstop.units import GIB, MIB

FACTS = ProcessFacts(pid=4242)


def _row(live, **values):
    return GpuProcess(gpu_index=0, pid=4242, gpu_memory_bytes=live, facts=FACTS, **values)


@pytest.fixture
def generating(build):
    """Give a Hugging Face generation of DeepSeek-V2-Lite whose batch and length the user has said."""
    said = Clues(rung="user", fields={"phase": "inference", "framework": "hf", "batch": 8, "sequence": 32768})
    witness = build.witness("python", "chat.py", "--model", "/models/llama", read=build.files(build.v2_lite))
    return recognise(witness, [said])


@pytest.fixture
def training(build):
    """Give a training of Llama-3.1-8B with its batch and length."""
    words = ("python", "train.py", "--model", "/models/llama", "--dtype", "bf16", "--optim", "adamw_torch")
    more = ("--batch-size", "2", "--max-seq-length", "4096", "--gradient-checkpointing")
    return recognise(build.witness(*words, *more, read=build.files()))


def _named(known, name):
    return next(each for each in known.hypotheses if each.name == name)


def test_an_expanded_mla_cache_is_met_by_its_own_arithmetic(generating):
    """Full keys and values of 16 heads take 16 x (192 + 128) elements a token and layer, the latent 576: 8.9 times."""
    supposed = _named(generating, "expanded_mla_cache")
    latent = generating.rank.parts.kv_cache_bytes
    more = latent * (16 * (192 + 128) / 576 - 1)
    assert more <= supposed.bytes <= 1.5 * more  # and what the allocator keeps beside a cache that grows
    told = compare(generating, _row(generating.expected_bytes + supposed.bytes))
    assert told.verdict == "above"
    assert told.causes[0].name == "expanded_mla_cache"
    assert "KV cache" in told.causes[0].says
    assert abs(told.unexplained_bytes) < 256 * MIB


def test_missing_checkpointing_is_met_by_the_activations_it_would_keep(training):
    """The remainder is what a step keeps when nothing is recomputed."""
    supposed = _named(training, "no_checkpointing")
    assert supposed.bytes > 0
    told = compare(replace(training, hypotheses=(supposed,)), _row(training.expected_bytes + supposed.bytes))
    if told.verdict == "above":
        assert [cause.name for cause in told.causes] == ["no_checkpointing"]
        assert told.causes[0].confidence == "likely"


def test_states_in_fp32_are_met_by_their_bytes(training):
    """Weights, gradients and two moments in fp32 instead of bf16: twice as much of each."""
    supposed = _named(training, "fp32_states")
    parts = training.rank.parts
    assert supposed.bytes >= 0.9 * (parts.weights_bytes + parts.gradients_bytes)


def test_two_causes_that_meet_the_same_remainder_are_only_possible(training):
    """Where arithmetic cannot tell, it does not pretend."""
    twins = tuple(Hypothesis(name=name, says=name, bytes=40 * GIB) for name in ("one", "two"))
    known = replace(
        training, hypotheses=twins, low_bytes=training.expected_bytes, high_bytes=training.expected_bytes
    )
    told = compare(known, _row(training.expected_bytes + 40 * GIB))
    assert [cause.confidence for cause in told.causes] == ["possible", "possible"]
    (alone,) = compare(replace(known, hypotheses=twins[:1]), _row(training.expected_bytes + 40 * GIB)).causes
    assert alone.confidence == "likely"


def test_what_is_measured_comes_first_and_hypotheses_meet_the_rest(training):
    """Fragmentation of 10 GiB is a fact; only what is left of the remainder is looked for in arithmetic."""
    parts = training.rank.parts
    rest = Hypothesis(name="rest", says="the rest", bytes=20 * GIB)
    known = replace(
        training, hypotheses=(rest,), high_bytes=training.expected_bytes, low_bytes=training.expected_bytes
    )
    peak = parts.allocated_bytes + 20 * GIB
    device = make_allocator(
        allocated_bytes=peak,
        active_bytes=peak,
        peak_allocated_bytes=peak,
        reserved_bytes=peak + 10 * GIB + parts.reserved_unallocated_bytes,
    )
    live = device.reserved_bytes + parts.context_bytes
    told = compare(known, _row(live, allocator=device))
    assert [(cause.name, cause.confidence) for cause in told.causes] == [
        ("fragmentation", "certain"),
        ("rest", "likely"),
    ]
    assert told.causes[0].bytes == 10 * GIB
    assert told.unexplained_bytes == 0


def test_memory_outside_the_allocator_is_told_apart(training):
    """Communicators, graphs and libraries are what the driver counts and PyTorch does not."""
    parts = training.rank.parts
    reserved = parts.reserved_bytes
    device = make_allocator(peak_allocated_bytes=parts.allocated_bytes, reserved_bytes=reserved)
    known = replace(training, hypotheses=(), high_bytes=training.expected_bytes)
    (cause,) = compare(known, _row(reserved + parts.context_bytes + 3 * GIB, allocator=device)).causes
    assert (cause.name, cause.bytes) == ("communicators", 3 * GIB)


def test_a_second_model_that_the_hook_counts_is_certain(training):
    """Two models alive, the rest as large as the difference: a reference model, or an old checkpoint."""
    parts = training.rank.parts
    held = Held(
        weights_bytes=2 * parts.weights_bytes, gradients_bytes=0, optimizer_bytes=parts.optimizer_bytes, models=2,
        largest_bytes=parts.weights_bytes,
    )  # fmt: skip
    known = replace(training, high_bytes=training.expected_bytes)
    told = compare(known, _row(training.expected_bytes + parts.weights_bytes), held)
    assert (told.causes[0].name, told.causes[0].confidence) == ("second_copy", "certain")
    assert not any(cause.name == "second_copy" for cause in told.causes[1:])


def test_what_a_log_says_of_graphs_explains_what_is_over_the_budget(build):
    """Graphs are captured after the budget is spent: so many bytes more, and no guess."""
    said = Clues(rung="engine log", reported={"graphs": 2 * GIB})
    known = recognise(
        build.witness("vllm", "serve", "/models/llama", framework="vLLM", read=build.files()), [said]
    )
    known = replace(known, hypotheses=(), high_bytes=known.expected_bytes, low_bytes=known.expected_bytes)
    (cause,) = compare(known, _row(known.expected_bytes + 2 * GIB)).causes
    assert (cause.name, cause.bytes, cause.confidence) == ("cuda_graphs", 2 * GIB, "certain")


def test_what_a_log_says_of_weights_leaves_the_engines_budget_as_it_is(build):
    """An engine fills with cache what its weights leave: reported weights move bytes, and make none."""
    witness = build.witness("vllm", "serve", "/models/llama", framework="vLLM", read=build.files())
    plain = recognise(witness)
    said = recognise(witness, [Clues(rung="engine log", reported={"weights": 20 * GIB})])
    assert said.expected_bytes == plain.expected_bytes
    parts = {each.part: each.expected_bytes for each in compare(said, _row(None)).parts}
    assert parts["weights"] == 20 * GIB


def test_a_process_below_its_weights_may_still_be_loading(training):
    """Half of the weights is no step and no leak."""
    told = compare(replace(training, hypotheses=()), _row(training.rank.parts.weights_bytes // 2))
    assert [cause.name for cause in told.causes] == ["not_loaded"]


def test_a_total_that_the_driver_does_not_say_has_nothing_to_explain(training):
    """Unknown is neither more nor less."""
    told = compare(training, _row(None))
    assert (told.verdict, told.remainder_bytes, told.causes, told.unexplained_bytes) == (
        "unknown",
        None,
        (),
        None,
    )


def test_a_floor_explains_nothing_that_is_above_it(build):
    """Activations that nobody can reckon are in what is over."""
    known = recognise(
        build.witness("python", "train.py", "--model", "/models/llama", "--lr", "1", read=build.files())
    )
    told = compare(known, _row(known.expected_bytes + 40 * GIB))
    assert (told.verdict, told.causes, told.excess_bytes) == ("within", (), None)
    assert told.remainder_bytes == 40 * GIB
