"""What a verdict makes of a fix."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dstop.doctor.case import Case
from dstop.doctor.fixes.prescribe import prescribe
from dstop.doctor.questions.replayed import (
    asked,
    recovers_bytes,
    refuted,
    surely_fails,
    surely_fits,
    verdict_text,
)
from dstop.doctor.sources.snapshots import found_of
from dstop.units import GIB, MIB


def case_of(memory):
    """Make a case of a snapshot alone: 1 GiB was asked for, 512 MiB was free."""
    return Case([found_of(memory, 0, others=())])


@pytest.mark.parametrize(
    ("fits", "spare_bytes", "error_bytes", "recovers"),
    [
        (True, GIB, 0, 512 * MIB + GIB),
        (True, GIB, 2 * GIB, None),
        (False, 100 * MIB, 0, 412 * MIB),
        (False, 100 * MIB, 200 * MIB, None),
        (False, 3 * GIB, 0, 0),
    ],
)
def test_a_fix_is_worth_what_the_replay_measured(made, fits, spare_bytes, error_bytes, recovers):
    """More than was short where it fits, less where it does not; nothing where the replay's error decides."""
    verdict = made.verdict(fits, spare_bytes=spare_bytes, error_bytes=error_bytes)
    case = case_of(made.memory(verdicts={"expandable": verdict}))
    assert recovers_bytes(case, verdict) == recovers
    assert refuted(case, "expandable_segments") is (fits is False and error_bytes == 0)


def test_the_mildest_batch_that_fits_is_chosen(made):
    """Nobody halves a batch where three quarters fit."""
    mild, strong = made.verdict(fits=True, spare_bytes=MIB), made.verdict(fits=True)
    case = case_of(made.memory(verdicts={"batch=x0.75": mild, "batch=x0.5": strong}))
    assert asked(case, "reduce_batch") is mild


def test_a_batch_that_is_still_too_large_goes_behind(made):
    """It is no setting: a still smaller one may fit, so it stays, behind what is not known to fail."""
    verdicts = {"batch=x0.75": made.verdict(fits=False), "batch=x0.5": made.verdict(fits=False)}
    case = case_of(made.memory(verdicts=verdicts))
    fixes = prescribe(case, "reduce_batch", "mixed_precision")
    assert [fix.id for fix in fixes] == ["mixed_precision", "reduce_batch"]


def test_a_replay_never_speaks_against_checkpointing(made):
    """It cannot know where the program would cut."""
    case = case_of(made.memory(verdicts={"checkpointing": made.verdict(fits=False)}))
    assert asked(case, "grad_checkpointing") is None
    fits = case_of(made.memory(verdicts={"checkpointing": made.verdict(fits=True)}))
    assert asked(fits, "grad_checkpointing") is not None


def test_the_optimizer_does_not_ask_for_a_batch(made):
    """States do not grow with it."""
    memory = made.memory(
        phase="optimizer", function="_multi_tensor_adamw", verdicts={"batch=x0.5": made.verdict(fits=True)}
    )
    assert asked(case_of(memory), "reduce_batch") is None


def test_a_verdict_of_unknown_capacity_says_nothing(made):
    """Neither for nor against."""
    case = case_of(made.memory(verdicts={"expandable": made.verdict(None)}))
    assert not refuted(case, "expandable_segments")
    assert recovers_bytes(case, made.verdict(None)) is None


@pytest.mark.parametrize(("spare_bytes", "sure"), [(3 * GIB, True), (2 * GIB, False)])
def test_an_unchecked_replay_needs_a_tenth_of_the_capacity(made, spare_bytes, sure):
    """Nothing says how far it is off; 2.2 GiB of 22 are as far as it is trusted, either way."""
    case = case_of(made.memory())
    fits = replace(made.verdict(fits=True, spare_bytes=spare_bytes), error_bytes=None)
    assert surely_fits(case, fits) is sure
    assert "no segment event was recorded" in verdict_text(case, fits)
    fails = replace(made.verdict(fits=False, spare_bytes=spare_bytes), error_bytes=None)
    assert surely_fails(fails) is sure


def test_a_verdict_is_one_sentence_with_its_error(made):
    """What it needs of what there is, and by how much that may be off."""
    verdict = made.verdict(fits=True, spare_bytes=2 * GIB, error_bytes=100 * MIB)
    text = verdict_text(case_of(made.memory()), verdict)
    assert text == (
        "replayed with this change: the same requests need 20.00 GiB of 22.00 GiB: it would have fitted up to the "
        "failed request; the replay may be off by 100 MiB"
    )


@pytest.mark.parametrize(
    ("what", "spare_bytes", "whole_bytes", "sure"),
    [
        ("expandable segments", 3 * GIB, 0, True),
        ("expandable segments", GIB, 0, False),
        ("expandable segments", GIB, 20 * GIB, True),
        ("0.75 times the batch", 9 * GIB, 0, False),
        ("0.75 times the batch", GIB, 20 * GIB, True),
    ],
)
def test_a_step_that_was_never_finished_proves_little(made, what, spare_bytes, whole_bytes, sure):
    """Past the failed request nobody knows what its step needs, but where a whole one as large was recorded."""
    verdict = made.verdict(fits=True, spare_bytes=spare_bytes, what=what)
    case = case_of(made.memory(whole_peak_bytes=whole_bytes))
    assert surely_fits(case, verdict) is sure
    assert ("it gets past the failed request" in verdict_text(case, verdict)) is not sure
    assert (recovers_bytes(case, verdict) is None) is not sure
