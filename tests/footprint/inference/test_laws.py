"""What holds for every inference footprint, whatever is asked."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dstop.errors import PlanError
from dstop.footprint.estimate import estimate
from dstop.footprint.spec.layout import check_layout
from dstop.footprint.spec.values import Parallel, Spec
from dstop.units import GIB

FRAMEWORKS = ("hf", "vllm", "sglang", "llama.cpp")
FORMATS = ("bf16", "fp32", "fp8", "int8", "int4", "nf4", "q8_0", "q4_k_m", "5.5bpw")
specs = st.fixed_dictionaries(
    {
        "framework": st.sampled_from(FRAMEWORKS),
        "weights": st.sampled_from(FORMATS),
        "kv_cache": st.sampled_from([None, "fp8", "q8_0"]),
        "attention": st.sampled_from(["sdpa", "flash", "eager"]),
        "batch": st.integers(1, 64),
        "sequence": st.integers(2, 100_000),
        "max_num_batched_tokens": st.none() | st.integers(1, 100_000),
        "parallel": st.sampled_from([Parallel(), Parallel(tp=2), Parallel(pp=2), Parallel(tp=4, cp=2)]),
        "gpu_bytes": st.none() | st.integers(GIB, 200 * GIB),
    }
)


def _total(footprint):
    return footprint.per_gpu.parts.total_bytes


@settings(max_examples=150, deadline=None)
@given(fields=specs, kind=st.sampled_from(["dense", "latent", "windowed", "compressed"]))
def test_parts_add_up_and_lie_in_their_band(request, fields, kind):
    """No part is negative, the band holds the total, every rank is there."""
    make = request.getfixturevalue(kind)
    architecture = make(2) if kind == "windowed" else make()
    footprint = estimate(Spec(architecture=architecture, phase="inference", **fields))
    assert len(footprint.ranks) == fields["parallel"].pp
    for rank in footprint.ranks:
        assert min(rank.parts.by_part().values()) >= 0
        assert rank.low_bytes <= rank.parts.total_bytes <= rank.high_bytes
    assert footprint.kv_bytes_per_token > 0
    assert footprint.checkpoint_bytes > 0


@settings(max_examples=80, deadline=None)
@given(fields=specs)
def test_another_sequence_never_takes_less(dense, fields):
    """With a card the pool stays what it is; without one everything grows."""
    fields = {**fields, "max_num_batched_tokens": None}  # of a fixed number of tokens each sequence has fewer
    one = estimate(Spec(architecture=dense(), phase="inference", **fields))
    more = estimate(Spec(architecture=dense(), phase="inference", **{**fields, "batch": fields["batch"] + 1}))
    assert _total(one) <= _total(more)


@settings(max_examples=60, deadline=None)
@given(share=st.floats(0.3, 0.9), framework=st.sampled_from(["vllm", "sglang"]))
def test_a_larger_share_is_a_larger_pool(dense, share, framework):
    """And nothing else."""
    spec = Spec(
        architecture=dense(),
        phase="inference",
        framework=framework,
        gpu_bytes=80 * GIB,
        gpu_memory_utilization=share,
    )
    small, large = (
        estimate(one).per_gpu.parts for one in (spec, replace(spec, gpu_memory_utilization=share + 0.1))
    )
    assert small.kv_cache_bytes < large.kv_cache_bytes
    assert small.weights_bytes == large.weights_bytes
    assert small.activations_bytes == large.activations_bytes


def test_formats_of_latents_are_refused_where_there_are_none(latent):
    """An expanded cache has no latent to store in 656 bytes."""
    spec = Spec(architecture=latent(), phase="inference", kv_cache="fp8_ds_mla", mla_cache="expanded")
    with pytest.raises(PlanError, match="kv_cache: fp8_ds_mla stores latents"):
        check_layout(spec)
