"""Hugging Face generation: the higher of the prompt's pass and the last token."""

from __future__ import annotations

import pytest

from dstop.footprint.allocator import unsplit
from dstop.footprint.estimate import estimate
from dstop.footprint.inference.cache import kv_demand
from dstop.footprint.inference.generate import scratch
from dstop.footprint.inference.passes import prompt_peak
from dstop.footprint.stages import stages_of

CUBLAS = 8_519_680


def test_a_long_prompt_is_the_peak(dense, serve):
    """Weights, the prompt's cache and one layer; the cache that comes later is not there yet."""
    spec = serve(dense(), attention="flash", sequence=20_000, max_num_batched_tokens=19_000)
    stage = stages_of(spec)[0]
    rank = estimate(spec).per_gpu
    assert rank.peak_at == "prefill"
    held = kv_demand(spec, stage, 19_000) + prompt_peak(spec, stage, 19_000, 19_000)
    tails = 8 * unsplit(19_000 * 128)
    assert rank.parts.allocated_bytes == rank.parts.weights_bytes + held + CUBLAS + tails
    assert rank.parts.kv_cache_bytes == kv_demand(spec, stage)


def test_a_long_answer_is_the_peak(dense, serve):
    """The whole cache, the longer keys of one layer beside the old ones, logits of one token."""
    spec = serve(dense(), attention="flash", sequence=200_000, max_num_batched_tokens=1)
    rank = estimate(spec).per_gpu
    assert rank.peak_at == "decode"
    assert rank.parts.logits_bytes == 1000 * (2 + 4 + 4)
    assert rank.parts.workspace_bytes == CUBLAS + 8 * 2**20 // 2 + 200_000 * 2 * 64 * 2 // 2


def test_short_caches_leave_no_tails(dense, serve):
    """Blocks of up to 1 MiB share segments."""
    spec = serve(dense(), attention="flash", sequence=100, max_num_batched_tokens=1)
    assert estimate(spec).per_gpu.parts.workspace_bytes == CUBLAS + 100 * 2 * 64 * 2 // 2


def test_the_prompt_is_the_whole_sequence_unless_said(dense, serve):
    """And it is written down."""
    footprint = estimate(serve(dense(), sequence=1000))
    assert footprint.per_gpu.peak_at == "prefill"
    assert "max_num_batched_tokens" in {assumption.subject for assumption in footprint.assumptions}


@pytest.mark.parametrize(
    ("weights", "kept", "unpacked"),
    [("bf16", 0, 0), ("int8", 0, 0), ("gptq", 1, 0), ("awq", 0, 1), ("nf4", 0, 1)],
    ids=["bf16", "int8", "gptq", "awq", "nf4"],
)
def test_four_bit_kernels_unpack_the_largest_matrix(dense, serve, weights, kept, unpacked):
    """ExLlama keeps room for it, AWQ and bitsandbytes make it when they need it."""
    spec = serve(dense(), weights=weights)
    largest = 2 * 512 * 256
    assert scratch(spec, stages_of(spec)[0]) == (kept * largest, unpacked * largest)


def test_the_parts_are_the_total_and_the_total_is_in_the_band(dense, serve):
    """Low <= expected <= high, and the sum is the whole."""
    rank = estimate(serve(dense(), batch=3, sequence=3000)).per_gpu
    assert sum(rank.parts.by_part().values()) == rank.parts.total_bytes
    assert rank.low_bytes < rank.parts.total_bytes < rank.high_bytes
    assert all(size >= 0 for size in rank.parts.by_part().values())


def test_cached_latents_are_said_to_be_a_choice(latent, serve):
    """The code of transformers would expand them, 320 elements a layer instead of 72."""
    said = {one.subject: one.says for one in estimate(serve(latent())).assumptions}
    assert "4.4 times" in said["mla_cache"]
    expanded = estimate(serve(latent(), mla_cache="expanded"))
    assert "mla_cache" not in {one.subject for one in expanded.assumptions}
