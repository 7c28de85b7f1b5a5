"""What a snapshot adds to the rules: each fires on its own story, and not on the one beside it."""

from __future__ import annotations

import pytest

from dstop.doctor.evidence.memory import Blocks, Kept
from dstop.model.study import FreeRow
from dstop.units import GIB, MIB


def first_of(report):
    """Give the best diagnosis, with what it says as one text."""
    first = report.diagnoses[0]
    return first, "\n".join(item.says for item in first.evidence)


def fixes_of(diagnosis):
    """Give the ids of its fixes."""
    return [fix.id for fix in diagnosis.fixes]


PIECES = (FreeRow((0, 0), 0, False, 20 * GIB, 14 * GIB, 6 * GIB, 300 * MIB, 0),)


def test_pieces_are_named_with_what_pins_them(made, asked_of):
    """The holes of the request's own stream and pool, exact; and the line whose blocks lie between them."""
    memory = made.memory(shares={"parameters": 14 * GIB}, rows=PIECES, pins=(made.pin(), made.pin()))
    first, said = first_of(asked_of(memory))
    assert (first.rule, first.confidence) == ("DS201", "certain")
    assert "6.00 GiB was free in pieces, the largest 300 MiB: 1.00 GiB fits in none" in said
    assert "train.py:7 in keep pins 2 segments with 600 MiB free" in said
    assert {item.source for item in first.evidence} == {"crash.pickle.gz:cuda:0:event 900"}


def test_expandable_segments_are_recommended_with_what_the_replay_measured(made, asked_of):
    """Evidence, and the figure of the fix, are the replay's."""
    memory = made.memory(
        shares={"parameters": 14 * GIB}, rows=PIECES, verdicts={"expandable": made.verdict(fits=True)}
    )
    first, said = first_of(asked_of(memory))
    assert "it would have fitted" in said
    assert first.fixes[0].id == "expandable_segments"
    assert (
        first.fixes[0].recovers_bytes == GIB + 512 * MIB
    )  # what was short, and what the replay has to spare
    assert first.fixes[0].is_enough


def test_a_setting_that_the_replay_refutes_is_not_recommended(made, asked_of):
    """It stands among what speaks against, and by no rule among the fixes; the cause is another one then."""
    memory = made.memory(
        shares={"activations": 12 * GIB, "parameters": 2 * GIB},
        rows=PIECES,
        phase="forward",
        verdicts={"expandable": made.verdict(fits=False), "max_split=256": made.verdict(fits=False)},
    )
    report = asked_of(memory)
    assert report.diagnoses[0].rule == "DS101"
    for diagnosis in report.diagnoses:
        assert not {"expandable_segments", "max_split_size"} & set(fixes_of(diagnosis))
    fragmented = next(each for each in report.diagnoses if each.rule == "DS201")
    assert any("it would not have fitted, 1.00 GiB short" in text for text in fragmented.against)


def test_what_the_replay_cannot_decide_is_said_to_be_so(made, asked_of):
    """Within its error a verdict is none: the fix stays, without a figure of the replay's."""
    close = made.verdict(fits=False, spare_bytes=10 * MIB, error_bytes=50 * MIB)
    memory = made.memory(shares={"parameters": 14 * GIB}, rows=PIECES, verdicts={"expandable": close})
    first, said = first_of(asked_of(memory))
    assert "too close to call; the replay may be off by 50 MiB" in said
    assert first.fixes[0].id == "expandable_segments"


def test_expandable_segments_that_were_on_are_not_recommended(made, asked_of):
    """The snapshot knows the setting where a message does not."""
    memory = made.memory(shares={"parameters": 14 * GIB}, rows=PIECES, is_expandable=True)
    first, _ = first_of(asked_of(memory))
    assert first.rule == "DS201"
    assert "expandable_segments" not in fixes_of(first)


def test_the_activations_are_weighed(made, asked_of):
    """Shares at the failure, and the mildest batch that fits by the replay."""
    memory = made.memory(
        shares={"activations": 15 * GIB, "parameters": 5 * GIB},
        verdicts={
            "batch=x0.75": made.verdict(fits=False),
            "batch=x0.5": made.verdict(fits=True, spare_bytes=2 * GIB),
        },
    )
    first, said = first_of(asked_of(memory))
    assert first.rule == "DS101"
    assert "20.00 GiB was live at the failure: 15.00 GiB activations, 5.00 GiB parameters" in said
    batch = next(fix for fix in first.fixes if fix.id == "reduce_batch")
    assert "by a replay of the recorded requests" in batch.title
    assert batch.recovers_bytes == 512 * MIB + 2 * GIB


def test_a_batch_is_not_blamed_for_what_it_does_not_hold(made, asked_of):
    """With nearly all of it in weights, the batch is a guess at most."""
    memory = made.memory(shares={"parameters": 20 * GIB})
    report = asked_of(memory)
    assert all(each.confidence == "possible" for each in report.diagnoses if each.rule == "DS101")


def test_a_leak_is_named_by_its_line(made, asked_of):
    """The site, its bytes a step, and that the run fits without what it kept."""
    memory = made.memory(
        growth=(made.growth(),), steps=9, verdicts={"no-leak": made.verdict(fits=True, spare_bytes=4 * GIB)}
    )
    first, said = first_of(asked_of(memory))
    assert (first.rule, first.cause, first.confidence) == ("DS301", "leak", "certain")
    assert "train.py:60 in loss_of holds 512 MiB more after each step" in said
    assert "train.py:60" in first.title
    assert first.fixes[0].recovers_bytes == 512 * MIB + 4 * GIB


def test_what_grows_little_is_no_leak(made, asked_of):
    """A counter that keeps some kilobytes a step did not fill a card."""
    memory = made.memory(growth=(made.growth(per_step_bytes=MIB),), steps=9)
    assert "DS301" not in {each.rule for each in asked_of(memory).diagnoses}


def test_a_dump_without_a_failure_tells_a_leak(made, asked_of):
    """Nothing has failed yet, and something grows."""
    memory = made.memory(tried_bytes=None, growth=(made.growth(),), steps=9)
    first, _ = first_of(asked_of(memory))
    assert first.rule == "DS301"


def test_a_dump_without_a_failure_tells_heavy_fragmentation(made, asked_of):
    """A third of the cache lies in pieces."""
    memory = made.memory(
        tried_bytes=None, shares={"parameters": 12 * GIB}, rows=(made.row(9 * GIB, 300 * MIB),)
    )
    first, said = first_of(asked_of(memory))
    assert first.rule == "DS201"
    assert "9.00 GiB of 21.00 GiB reserved is free in segments that are in use" in said


def test_a_dump_of_a_run_that_is_well_has_no_finding(made, asked_of):
    """And says where to look on."""
    report = asked_of(made.memory(tried_bytes=None, rows=(made.row(GIB, 900 * MIB),)))
    assert report.diagnoses == ()
    assert any("dstop snapshot shows what is in it" in note for note in report.notes)


@pytest.mark.parametrize("phase", ["forward", "backward"])
def test_gradients_of_an_earlier_step_are_seen(made, asked_of, phase):
    """In a forward pass they are kept for nothing; in a backward pass they are being added to."""
    held = made.kept(6 * GIB, "backward") if phase == "forward" else Kept()
    memory = made.memory(phase=phase, old_gradients=held)
    rules = {each.rule for each in asked_of(memory).diagnoses}
    assert ("DS113" in rules) is (phase == "forward")


def test_pools_of_graphs_are_weighed(made, asked_of):
    """Their number, what they reserve, and what of it is idle."""
    blocks = Blocks(
        allocated_bytes=19 * GIB,
        requested_bytes=19 * GIB,
        private_pools=3,
        private_reserved_bytes=9 * GIB,
        private_allocated_bytes=8 * GIB,
    )
    first, said = first_of(asked_of(made.memory(blocks=blocks)))
    assert first.rule == "DS203"
    assert "3 private pools have 9.00 GiB reserved, 1.00 GiB of it idle" in said


def test_small_pools_are_no_cause(made, asked_of):
    """A graph or two is ordinary."""
    blocks = Blocks(
        allocated_bytes=19 * GIB, private_pools=1, private_reserved_bytes=GIB, private_allocated_bytes=GIB
    )
    assert "DS203" not in {each.rule for each in asked_of(made.memory(blocks=blocks)).diagnoses}


@pytest.mark.parametrize(("asked_bytes", "fires"), [(16 * GIB, True), (19 * GIB + 900 * MIB, False)])
def test_rounding_is_counted_from_the_blocks(made, asked_of, asked_bytes, fires):
    """What live tensors asked for, against what they were given."""
    blocks = Blocks(allocated_bytes=20 * GIB, requested_bytes=asked_bytes)
    rules = {each.rule for each in asked_of(made.memory(blocks=blocks)).diagnoses}
    assert ("DS205" in rules) is fires


@pytest.mark.parametrize(("pending_bytes", "fires"), [(8 * GIB, True), (100 * MIB, False)])
def test_awaited_blocks_are_counted(made, asked_of, pending_bytes, fires):
    """Freed, and awaited by another stream: a state that a snapshot names."""
    blocks = Blocks(allocated_bytes=12 * GIB, requested_bytes=12 * GIB, pending_bytes=pending_bytes)
    memory = made.memory(shares={"activations": 12 * GIB + pending_bytes}, blocks=blocks)
    rules = {each.rule for each in asked_of(memory).diagnoses}
    assert ("DS206" in rules) is fires


@pytest.mark.parametrize(("count", "fires"), [(80, True), (2, False)])
def test_workspaces_of_cublas_add_up(made, asked_of, count, fires):
    """One a thread and stream: two are ordinary, eighty are 2.5 GiB."""
    blocks = Blocks(
        allocated_bytes=20 * GIB,
        requested_bytes=20 * GIB,
        workspaces=count,
        workspace_bytes=count * 32 * MIB,
    )
    report = asked_of(made.memory(blocks=blocks))
    assert (report.diagnoses[0].rule == "DS207") is fires
    assert fires or "DS207" not in {each.rule for each in report.diagnoses}


def test_temporaries_of_the_optimizer_are_counted(made, asked_of):
    """What the running step holds and asks for is what `fused` saves."""
    log = """  File "/home/u/train.py", line 140, in main
    optimizer.step()
  File "/opt/venv/lib/python3.11/site-packages/torch/optim/adamw.py", line 455, in _multi_tensor_adamw
    exp_avg_sq_sqrt = torch._foreach_sqrt(device_exp_avg_sqs)
torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 1.00 GiB. GPU 0 has a total capacity of 22.00 GiB of which 512.00 MiB is free. Including non-PyTorch memory, this process has 21.50 GiB memory in use. Of the allocated memory 20.00 GiB is allocated by PyTorch, and 1.00 GiB is reserved by PyTorch but unallocated.
"""
    memory = made.memory(phase="optimizer", updating=made.kept(3 * GIB, "_multi_tensor_adamw"))
    first, said = first_of(asked_of(memory, log))
    assert first.rule == "DS107"
    assert "3.00 GiB is temporaries of this optimizer's step" in said
    assert first.fixes[0].recovers_bytes == 4 * GIB


def test_logits_that_are_there_already_are_told(made, asked_of):
    """The second copy is refused; the first is live."""
    memory = made.memory(function="cross_entropy", logits=made.kept(4 * GIB, "cross_entropy"))
    first, said = first_of(asked_of(memory))
    assert first.rule == "DS104"
    assert "4.00 GiB of logits and loss is live already" in said


def test_what_evaluation_keeps_is_told(made, asked_of):
    """By its line, in an evaluation loop whose frames know no `no_grad`."""
    memory = made.memory(
        function="evaluate_model", phase="eval", evaluated=made.kept(9 * GIB, "evaluate_model")
    )
    first, said = first_of(asked_of(memory))
    assert first.rule == "DS302"
    assert (
        "9.00 GiB of what evaluation made is still held, 9.00 GiB of it by train.py:31 in evaluate_model"
        in said
    )
