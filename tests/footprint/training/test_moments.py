"""Logits, pipelines, gathered shards and the optimizer's step: what each moment of a step has of them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dstop.footprint.estimate import estimate
from dstop.footprint.spec.values import Parallel, Spec
from dstop.footprint.stages import stages_of
from dstop.footprint.training.gathered import gathered_of
from dstop.footprint.training.logits import logits_of
from dstop.footprint.training.peak import BACKWARD, FORWARD, STEP, kept_of, moments_of
from dstop.footprint.training.pipeline import in_flight
from dstop.footprint.training.recompute import layer_whole
from dstop.footprint.training.setting import setting_of
from dstop.footprint.training.states import states_of

CELLS = 512 * 1000


def _logits(spec, stage=-1):
    return logits_of(spec, stages_of(spec)[stage], setting_of(spec))


def _moments(spec, stage=0):
    chosen = stages_of(spec)[stage]
    return moments_of(spec, chosen, states_of(spec, chosen), setting_of(spec))


@pytest.mark.parametrize(
    ("fields", "forward", "backward"),
    [
        ({"weights": "bf16", "framework": "hf"}, 10, 12),
        ({"weights": "fp32", "framework": "hf"}, 8, 12),
        ({"weights": "fp32", "autocast": "bf16", "framework": "hf"}, 10, 12),
        ({"weights": "bf16", "framework": "megatron"}, 6, 6),
        ({"weights": "bf16", "framework": "megatron", "tp": 2}, 3, 3),
        ({"weights": "bf16", "framework": "pytorch", "tp": 2}, 5, 8),
        ({"weights": "bf16", "framework": "hf", "loss": "fused"}, 0, 0),
    ],
    ids=["bf16", "fp32", "autocast", "megatron", "megatron tp2", "pytorch tp2", "fused"],
)
def test_bytes_of_a_logit(dense, train, fields, forward, backward):
    """Bytes a token and word at the end of forward and when backward starts."""
    found = _logits(train(dense(), **fields))
    assert (found.forward, found.backward) == (forward * CELLS, backward * CELLS)


def test_only_the_last_stage_has_logits(dense, train):
    """A stage without the head makes none."""
    spec = train(dense(), pp=2)
    assert _logits(spec, 0).backward == 0
    assert _logits(spec, 1).backward > 0


def test_next_token_modules_have_logits_of_their_own(dense, train):
    """A multi-token-prediction module makes them once more."""
    architecture = dense(next_token=dense().layers[:1])
    plain = _logits(train(dense(), weights="bf16", framework="megatron"))
    assert _logits(train(architecture, weights="bf16", framework="megatron")).forward == 2 * plain.forward


def test_chunks_are_small(dense, train):
    """Pieces that are computed again take an eighth each; three of the head's gradient as they add to it."""
    full = _logits(train(dense(), weights="bf16", framework="hf"))
    chunked = _logits(train(dense(), weights="bf16", framework="hf", loss="chunked"))
    assert chunked.forward == 8 * CELLS / 8
    assert chunked.backward == max(full.backward / 8 + 2 * 1000 * 256, 3 * 2 * 1000 * 256)


@pytest.mark.parametrize(
    ("parallel", "flights"),
    [
        (Parallel(), [1]),
        (Parallel(pp=4), [4, 3, 2, 1]),
        (Parallel(pp=4, vpp=3), [5, 13 / 3, 11 / 3, 3]),
        (Parallel(pp=2, vpp=4), [9 / 4, 7 / 4]),
    ],
    ids=["none", "1f1b", "interleaved 4x3", "interleaved 2x4"],
)
def test_micro_batches_in_flight(parallel, flights):
    """Stage i holds p - i; interleaved, the first holds 1 + (p - 1)/(pv) of its v chunks more than one each."""
    assert [in_flight(parallel, stage) for stage in range(parallel.pp)] == pytest.approx(flights)


def test_the_first_stage_of_an_interleaved_pipeline():
    """On the first stage the chunks in flight come to p(1 + (p - 1)/(pv)) micro-batches' share of layers."""
    for ranks, chunks in ((2, 2), (4, 3), (8, 5)):
        parallel = Parallel(pp=ranks, vpp=chunks)
        assert in_flight(parallel, 0) == pytest.approx(ranks * (1 + (ranks - 1) / (ranks * chunks)))


def test_gradients_come_when_activations_go(dense, train):
    """Without a pipeline gradients are not there in forward; with one, or in Megatron-LM, they are."""
    forward = _moments(train(dense(), framework="hf"))[0]
    assert forward.at == FORWARD
    assert forward.gradients == 0
    assert _moments(train(dense(), framework="megatron"))[0].gradients > 0
    assert _moments(train(dense(), framework="pytorch", pp=2))[0].gradients > 0


def test_the_step_copies_second_moments_unless_fused(dense, train):
    """Around transformers AdamW's step takes a copy of all second moments; plain recipes on one GPU are fused."""
    hf, plain = (
        next(
            moment for moment in _moments(train(dense(), weights="fp32", framework=who)) if moment.at == STEP
        )
        for who in ("hf", "pytorch")
    )
    count = states_of(spec := train(dense(), weights="fp32"), stages_of(spec)[0]).parameters
    assert hf.workspace - plain.workspace == 4 * count


def test_buckets_are_a_copy_of_gradients(dense, train):
    """DistributedDataParallel's buckets are there beside gradients; one GPU has none."""
    spec = train(dense(), framework="hf", dp=2)
    states = states_of(spec, stages_of(spec)[0])
    assert gathered_of(spec, stages_of(spec)[0], setting_of(spec), states).always == states.gradients
    alone = train(dense(), framework="hf")
    assert gathered_of(alone, stages_of(alone)[0], setting_of(alone), states).always == 0


def test_a_sharded_root_is_whole_when_backward_starts(dense, train):
    """FSDP: embedding, last norm, head and one layer are whole then; at the end the root's gradients in fp32."""
    spec = train(dense(), framework="pytorch", weights="fp32", autocast="bf16", dp=2, zero=3)
    stage = stages_of(spec)[0]
    found = gathered_of(spec, stage, setting_of(spec), states_of(spec, stage))
    root, layer = 2 * 1000 * 256 + 256, sum(each.parameters for each in spec.architecture.layers[0].tensors)
    assert found.turning == 2 * (root + layer)
    assert found.late == 4 * root + 2 * 1000 * 256


def test_where_the_peak_is(dense, train):
    """Long sequences peak when backward starts, one short sequence when the optimizer steps."""
    for length, where in ((8192, BACKWARD), (8, STEP)):
        moments = _moments(train(dense(), framework="hf", weights="fp32", sequence=length))
        assert max(moments, key=lambda moment: moment.total).at == where


@pytest.mark.parametrize(
    ("fields", "copies"),
    [
        ({"weights": "bf16"}, 2),
        ({"weights": "fp32", "autocast": "bf16"}, 1),
        ({"weights": "bf16", "loss": "chunked"}, 1),
    ],
    ids=["a view of the head's", "a cast of it", "a sum over pieces"],
)
def test_a_tied_embedding_adds_two_gradients(dense, train, fields, copies):
    """At the end of backward a tied embedding's gradient and the head's are added: in place only where no view is."""
    spec = train(dense(tied=True), framework="hf", sequence=8, **fields)
    states = states_of(spec, stages_of(spec)[0])
    end = _moments(spec)[4]
    assert end.workspace - _moments(train(dense(), framework="hf", sequence=8, **fields))[
        4
    ].workspace == pytest.approx(copies * states.embedding_gradient)
    assert states.embedding_gradient == 1000 * 256 * (4 if "autocast" in fields else 2)


def test_deepspeed_has_buckets_and_live_weights(dense, train):
    """A small model is smaller than DeepSpeed's buckets: all its gradients, and in the third stage all its weights."""
    spec = train(dense(), framework="deepspeed", weights="bf16", dp=2, zero=2)
    stage = stages_of(spec)[0]
    states = states_of(spec, stage)
    assert gathered_of(spec, stage, setting_of(spec), states).always == 2 * states.parameters
    spec = train(dense(), framework="deepspeed", weights="bf16", dp=2, zero=3)
    found = gathered_of(spec, stage, setting_of(spec), states_of(spec, stage))
    assert found.always == found.turning == 2 * states.parameters


def test_a_pipeline_keeps_sharded_weights_whole(dense, train):
    """FSDP in a pipeline holds weights in half precision and gradients in fp32, whole, beside its shards."""
    spec = train(dense(), framework="pytorch", weights="fp32", autocast="bf16", dp=2, pp=2, zero=3)
    stage = stages_of(spec)[0]
    states = states_of(spec, stage)
    assert gathered_of(spec, stage, setting_of(spec), states).always == (2 + 4) * states.parameters


def test_a_next_token_module_is_in_flight_once(dense, train):
    """The backward pass of the last chunk follows at once: what a next-token module keeps is there once."""
    module = replace(dense().layers[0])
    plain = train(dense(), framework="megatron", pp=2, vpp=2)
    more = train(dense(next_token=(module,)), framework="megatron", pp=2, vpp=2)
    kept = [kept_of(spec, stages_of(spec)[1], setting_of(spec)).all_layers for spec in (plain, more)]
    setting = setting_of(more)
    assert kept[1] - kept[0] == pytest.approx(sum(layer_whole(module, more, setting).values()))


def test_the_band_reaches_to_the_other_step(dense):
    """Where the step is the peak the low end allows a fused one; where that is expected the high end has lists."""
    low, high = (
        estimate(
            Spec(
                architecture=dense(vocab=100_000), phase="training", weights="fp32", sequence=8, framework=who
            )
        ).per_gpu
        for who in ("hf", "pytorch")
    )
    copies = 4 * low.parameters
    assert low.parts.total_bytes - low.low_bytes >= copies
    assert high.high_bytes - high.parts.total_bytes >= copies * 0.9
