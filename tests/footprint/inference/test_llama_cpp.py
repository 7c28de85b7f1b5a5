"""llama.cpp's compute buffer, against figures that it prints."""

from __future__ import annotations

from dataclasses import replace

from dstop.footprint.estimate import estimate
from dstop.footprint.spec.parse import parse_spec

MIB = 2**20


def _buffer(architecture, serve, **fields):
    parts = estimate(serve(architecture, framework="llama.cpp", **fields)).per_gpu.parts
    return parts.activations_bytes + parts.logits_bytes


def test_with_flash_attention_it_is_the_logits(dense, serve):
    """512 tokens x 128,256 words in fp32 and a hidden state of 4096: the 258.5 MiB that Llama-3-8B's log shows."""
    wide = replace(dense(), hidden=4096, vocab=128_256)
    assert _buffer(wide, serve, attention="flash") == 258.5 * MIB


def test_without_it_the_scores_of_the_whole_context_come_first(dense, serve):
    """8 heads x 8192 tokens x 512 in fp32."""
    scores = 8 * 8192 * 512 * 4
    assert _buffer(dense(), serve, attention="eager", sequence=8192) == scores + 6 * 512 * 256 * 4


def test_the_cache_is_preallocated_for_all_slots(dense, serve):
    """Four slots of 1000 tokens, each in whole pages of 256."""
    parts = estimate(serve(dense(), framework="llama.cpp", batch=4, sequence=1000)).per_gpu.parts
    assert parts.kv_cache_bytes == 4 * 1024 * 4 * 2 * 64 * 2


def test_the_log_of_llama_3_1_8b():
    """Model 4403.49 MiB on the GPU, cache 1024 MiB for four slots of 2048, compute 560 MiB without flash attention."""
    fields = {
        "framework": "llama.cpp",
        "weights": "q4_k_m",
        "batch": 4,
        "sequence": 2048,
        "attention": "eager",
    }
    spec = parse_spec({"model": "llama-3.1-8b", "phase": "inference", **fields})
    parts = estimate(spec).per_gpu.parts
    assert round(parts.weights_bytes / MIB, 2) == 4403.49
    assert parts.kv_cache_bytes == 1024 * MIB
    assert parts.activations_bytes + parts.logits_bytes == 560 * MIB


def test_a_wide_mlp_with_few_words_is_the_widest_moment(dense, serve):
    """Gate and up of 512 tokens, and two hidden states."""
    narrow = replace(dense(), vocab=100)
    assert _buffer(narrow, serve, attention="flash") == 512 * 4 * (2 * 512 + 2 * 256)
