"""Laws that every training footprint keeps, whatever its settings."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dstop.errors import PlanError
from dstop.footprint.estimate import estimate
from dstop.footprint.spec.values import Lora, Parallel, Spec
from dstop.footprint.training.optimizers import OPTIMIZERS

SETTINGS = st.fixed_dictionaries(
    {
        "batch": st.integers(1, 8),
        "sequence": st.integers(1, 8192),
        "weights": st.sampled_from(["fp32", "bf16"]),
        "autocast": st.sampled_from([None, "bf16"]),
        "attention": st.sampled_from(["sdpa", "flash", "eager"]),
        "checkpointing": st.sampled_from(["none", "selective", "full", "offload", ("mlp",), ("layernorm",)]),
        "optimizer": st.sampled_from(sorted(OPTIMIZERS)),
        "framework": st.sampled_from(["hf", "pytorch", "deepspeed", "megatron"]),
        "loss": st.sampled_from(["full", "chunked", "fused"]),
        "compile": st.booleans(),
        "optimizer_in_backward": st.booleans(),
        "master_weights": st.sampled_from([None, True, False]),
        "lora": st.sampled_from([None, Lora(rank=8), Lora(rank=8, base="nf4")]),
        "parallel": st.builds(
            Parallel,
            tp=st.sampled_from([1, 2]),
            pp=st.sampled_from([1, 2, 4]),
            dp=st.integers(1, 4),
            zero=st.integers(0, 3),
            sequence_parallel=st.booleans(),
        ),
    }
)


LAW = settings(max_examples=40, deadline=None)


def _spec(architecture, fields):
    return Spec(architecture=architecture, phase="training", **fields)


@LAW
@given(fields=SETTINGS)
def test_parts_are_sound(dense, fields):
    """No part is negative, the expected total is within its band, and what is allocated is the peak."""
    found = estimate(_spec(dense(), fields))
    for rank in found.ranks:
        assert all(size >= 0 for size in rank.parts.by_part().values())
        assert rank.parts.kv_cache_bytes == 0
        assert 0 < rank.low_bytes <= rank.parts.total_bytes <= rank.high_bytes
        assert rank.peak_at in {"end of forward", "backward", "optimizer step"}


@LAW
@given(fields=SETTINGS, more=st.integers(1, 4))
def test_more_to_do_takes_no_less(dense, fields, more):
    """A larger batch or a longer sequence never needs less: a search by bisection may rely on it."""
    spec = _spec(dense(), fields)
    less = estimate(spec).per_gpu.parts.total_bytes
    assert estimate(replace(spec, batch=spec.batch + more)).per_gpu.parts.total_bytes >= less
    assert estimate(replace(spec, sequence=spec.sequence + more)).per_gpu.parts.total_bytes >= less


@LAW
@given(fields=SETTINGS)
def test_recomputing_everything_never_takes_more(dense, fields):
    """Full recomputation of several layers never needs more than none, but for the input of the one at work."""
    spec = replace(_spec(dense(), fields), parallel=replace(fields["parallel"], pp=1))
    none, full = (estimate(replace(spec, checkpointing=how)).per_gpu.parts for how in ("none", "full"))
    assert full.static_bytes == none.static_bytes
    entering = 4 * spec.batch * spec.sequence * spec.architecture.hidden
    assert full.total_bytes <= none.total_bytes + 1.1 * entering


@LAW
@given(fields=SETTINGS)
def test_static_bytes_do_not_depend_on_the_batch(dense, fields):
    """Weights, gradients and optimizer states of each stage are those of the model and its layout alone."""
    spec = _spec(dense(), fields)
    one, other = (estimate(replace(spec, batch=size)).ranks for size in (1, 64))
    assert [rank.parts.static_bytes for rank in one] == [rank.parts.static_bytes for rank in other]


@pytest.mark.parametrize(
    "fields", [{"weights": "fp8"}, {"weights": "int4"}, {"optimizer": "adamax9"}, {"gradients": "fp8"}]
)
def test_what_cannot_be_trained_is_refused(dense, fields):
    """Formats without gradients and optimizers that nobody knows are refused by the name of their field."""
    with pytest.raises(PlanError, match=next(iter(fields))):
        estimate(_spec(dense(), fields))


def test_training_of_compressed_attention_is_not_known(compressed):
    """What DeepSeek-V4 keeps in training is not published, and is not guessed."""
    with pytest.raises(PlanError, match="is not published"):
        estimate(_spec(compressed(), {}))
