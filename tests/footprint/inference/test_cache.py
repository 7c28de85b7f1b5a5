"""The cache of keys and values: each kind of attention, each format, each way of dividing it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dstop.footprint.inference.cache import kv_bytes_per_token, kv_demand
from dstop.footprint.spec.values import Parallel
from dstop.footprint.stages import stages_of


def _slope(spec):
    return kv_bytes_per_token(spec, stages_of(spec)[0])


def _demand(spec):
    return kv_demand(spec, stages_of(spec)[0])


@pytest.mark.parametrize(
    ("kv_cache", "bytes_each"),
    [("bf16", 2), ("fp32", 4), ("fp8", 1), ("q8_0", 1.0625), ("q4_0", 0.5625), ("fp4", 0.5625)],
    ids=str,
)
def test_grouped_queries_cache_two_vectors_a_head(dense, serve, kv_cache, bytes_each):
    """4 layers x 2 heads x (32 + 32) elements."""
    assert _slope(serve(dense(), kv_cache=kv_cache)) == 4 * 2 * 64 * bytes_each


@pytest.mark.parametrize(("ways", "heads"), [(1, 2), (2, 1), (4, 1), (8, 1)], ids=str)
def test_a_rank_has_at_least_one_head(dense, serve, ways, heads):
    """Beyond as many ranks as heads the cache is replicated, not divided."""
    assert _slope(serve(dense(), parallel=Parallel(tp=ways))) == 4 * heads * 64 * 2


@pytest.mark.parametrize(
    ("fields", "per_layer"),
    [
        ({}, (64 + 8) * 2),
        ({"kv_cache": "fp8"}, 64 + 8),
        ({"parallel": Parallel(tp=4)}, (64 + 8) * 2),
        ({"parallel": Parallel(cp=2)}, (64 + 8) * 2 / 2),
        ({"mla_cache": "expanded"}, 8 * (24 + 16) * 2),
        ({"mla_cache": "expanded", "parallel": Parallel(tp=4)}, 2 * (24 + 16) * 2),
        ({"mla_cache": "padded"}, 8 * 512 * 2),
    ],
    ids=["latent", "fp8", "tp", "cp", "expanded", "expanded tp", "padded"],
)
def test_latent_attention(latent, serve, fields, per_layer):
    """One latent and one key a layer, the same on each rank; context parallelism alone divides it."""
    assert _slope(serve(latent(), **fields)) == 3 * per_layer


@pytest.mark.parametrize(
    ("kv_cache", "latent_bytes"),
    [("fp8_ds_mla", 64 + 4 + 16), ("nvfp4_ds_mla", 32 + 4 + 4 + 16), ("bf16", 144)],
    ids=str,
)
def test_sparse_attention_caches_an_index_too(latent, serve, kv_cache, latent_bytes):
    """128 fp8 elements and a scale for each layer that has an indexer of its own."""
    assert _slope(serve(latent(indexer=True), kv_cache=kv_cache)) == 3 * (latent_bytes + 132)


def test_windows_are_full_in_the_long_run(windowed, serve):
    """Of 4 layers 3 have a window: one adds to the slope; where all have one it is what a token takes in reach."""
    assert _slope(serve(windowed(3))) == 2 * 64 * 2
    assert _slope(serve(windowed(4))) == 4 * 2 * 64 * 2


def test_windows_keep_so_many_tokens_of_each_sequence(windowed, serve):
    """3 layers keep 100 of 1000 tokens, the fourth all."""
    assert _demand(serve(windowed(3), batch=2, sequence=1000)) == 2 * 2 * 64 * 2 * (3 * 100 + 1000)
    assert _demand(serve(windowed(3), sequence=50)) == 2 * 64 * 2 * 4 * 50


@pytest.mark.parametrize(
    ("framework", "tokens"), [("hf", 1001), ("sglang", 1001), ("vllm", 1008), ("llama.cpp", 1024)], ids=str
)
def test_pages_are_whole(dense, serve, framework, tokens):
    """Those of vLLM have 16 tokens, llama.cpp's context is a multiple of 256, the others count each token."""
    assert _demand(serve(dense(), framework=framework, sequence=1001)) == 4 * 2 * 64 * 2 * tokens


def test_latent_pages_of_vllm_have_64_tokens(latent, serve):
    """FlashMLA's."""
    assert _demand(serve(latent(), framework="vllm", sequence=65)) == 3 * 144 * 128


def test_a_window_of_llama_cpp_has_room_for_one_pass_more(windowed, serve):
    """100 + 512 tokens in whole pages of 256."""
    spec = serve(windowed(4), framework="llama.cpp", sequence=4096)
    assert _demand(spec) == 4 * 2 * 64 * 2 * 768


def test_next_token_layers_are_cached_when_they_are_used(latent, serve):
    """Speculation adds their cache."""
    layer = latent().layers[0]
    assert _slope(serve(latent(next_token=(layer,)), speculative="mtp")) == 4 * 144
    assert _slope(serve(latent(next_token=(layer,)))) == 3 * 144


@given(batch=st.integers(1, 50), sequence=st.integers(1, 5000), ways=st.sampled_from([1, 2, 4]))
def test_more_never_takes_less(dense, serve, batch, sequence, ways):
    """Another token or another sequence never makes the cache smaller, another rank never larger."""
    spec = serve(dense(), batch=batch, sequence=sequence, parallel=Parallel(tp=ways))
    assert _demand(spec) <= _demand(
        serve(dense(), batch=batch, sequence=sequence + 1, parallel=Parallel(tp=ways))
    )
    assert _demand(spec) <= _demand(
        serve(dense(), batch=batch + 1, sequence=sequence, parallel=Parallel(tp=ways))
    )
    assert _demand(spec) <= _demand(serve(dense(), batch=batch, sequence=sequence))


def test_vllm_serves_sparse_latents_in_its_own_eight_bits(latent, serve):
    """DeepSeek-V3.2 there: unsaid and fp8 are both `fp8_ds_mla`; bf16 said aloud stays."""
    assert serve(latent(indexer=True), framework="vllm").kv_cache == "fp8_ds_mla"
    assert serve(latent(indexer=True), framework="vllm", kv_cache="fp8").kv_cache == "fp8_ds_mla"
    assert serve(latent(indexer=True), framework="vllm", kv_cache="bf16").kv_cache == "bf16"
    assert serve(latent(indexer=True), framework="sglang").kv_cache == "bf16"
