"""Expected beside live, part by part, and the causes of what is over."""

from __future__ import annotations

from dataclasses import replace

from dstop.footprint.live.compare import compare
from dstop.footprint.live.hook import Held
from dstop.footprint.live.recognise import recognise
from dstop.model.footprint import TOTALS
from dstop.model.process import GpuProcess
from dstop.testing import make_allocator
from dstop.units import GIB


def _training(build, *more):
    words = ("python", "train.py", "--model", "/models/llama", "--dtype", "bf16", "--optim", "adamw_torch")
    return recognise(
        build.witness(*words, "--batch-size", "1", "--max-seq-length", "2048", *more, read=build.files())
    )


def _row(live, **values):
    return GpuProcess(gpu_index=0, pid=4242, gpu_memory_bytes=live, facts=build_facts(), **values)


def build_facts():
    """Give the facts of a process that nobody asks about."""
    from dstop.model.process import ProcessFacts

    return ProcessFacts(pid=4242)


def test_a_total_within_the_band_has_no_causes(build):
    """What is as expected needs no explanation."""
    known = _training(build)
    told = compare(known, _row(known.expected_bytes))
    assert (told.verdict, told.causes, told.unexplained_bytes, told.remainder_bytes) == (
        "within",
        (),
        None,
        0,
    )


def test_the_parts_of_the_expectation_add_up_to_its_total(build):
    """No byte is in two parts, and none in none."""
    known = _training(build)
    told = compare(known, _row(40 * GIB))
    parts = [each for each in told.parts if each.part not in TOTALS]
    totals = {each.part: each for each in told.parts if each.part in TOTALS}
    assert (
        sum(each.expected_bytes for each in parts) == totals["total"].expected_bytes == known.expected_bytes
    )
    assert totals["total"].live_bytes == 40 * GIB
    assert all(each.reason for each in told.parts if each.live_bytes is None)


def test_a_second_copy_of_the_weights_is_found_by_its_bytes(build):
    """The remainder is as large as the weights: that is what it may be, with the arithmetic."""
    known = _training(build)
    weights = known.rank.parts.weights_bytes
    told = compare(known, _row(max(known.high_bytes, known.expected_bytes) + weights))
    names = [cause.name for cause in told.causes]
    assert told.verdict == "above"
    assert "second_copy" in names or told.unexplained_bytes


def test_states_that_are_not_there_yet_are_a_fact_where_the_hook_counts_them(build):
    """Before the first step the optimizer has nothing, and that is said with its bytes."""
    known = _training(build)
    parts = known.rank.parts
    held = Held(weights_bytes=parts.weights_bytes, gradients_bytes=0, optimizer_bytes=0)
    device = make_allocator(reserved_bytes=parts.weights_bytes, peak_allocated_bytes=parts.weights_bytes)
    row = _row(parts.weights_bytes + GIB // 2, allocator=device)
    told = compare(known, row, held)
    assert told.verdict == "below"
    assert told.causes[0].name in {"before_first_step", "not_at_peak"}
    first = next(cause for cause in told.causes if cause.name == "before_first_step")
    assert (first.bytes, first.confidence) == (-parts.optimizer_bytes, "certain")


def test_what_nothing_meets_is_told_as_unexplained(build):
    """A remainder that no arithmetic meets is shown whole."""
    known = replace(_training(build), hypotheses=())
    told = compare(known, _row(known.high_bytes + 7 * GIB))
    assert told.causes == ()
    assert told.unexplained_bytes == told.remainder_bytes
