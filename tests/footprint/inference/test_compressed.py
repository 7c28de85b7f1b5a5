"""DeepSeek-V4's cache, against the byte counts of vLLM's code for it."""

from __future__ import annotations

import pytest

from dstop.footprint.inference.cache import kv_bytes_per_token, kv_demand
from dstop.footprint.inference.compressed import compressed_constant, entry_bytes
from dstop.footprint.stages import stages_of


def test_an_entry_in_eight_bits_is_584_bytes(compressed):
    """448 fp8, 7 exponents padded to 8, 64 rope elements in 16 bits; in bf16 512 elements."""
    attention = compressed().layers[0].attention
    assert entry_bytes(attention, "fp8") == 584
    assert entry_bytes(attention, "bf16") == 1024


@pytest.mark.parametrize(
    ("kv_cache", "slope"),
    [("fp8", (584 + 132) / 4 + 584 / 128), ("fp4", (584 + 68) / 4 + 584 / 128)],
    ids=str,
)
def test_the_slope_is_an_entry_for_several_tokens(compressed, serve, kv_cache, slope):
    """A layer with its window alone adds nothing, one of ratio 4 has an indexer, one of 128 has none."""
    spec = serve(compressed(), kv_cache=kv_cache)
    assert kv_bytes_per_token(spec, stages_of(spec)[0]) == pytest.approx(slope)


def test_pages_of_states_are_as_vllm_makes_them(compressed):
    """A page of the window is 37,440 bytes, of states 32,832 with or without overlap, of an indexer's states 8,640."""
    alone, overlapping, wide = (layer.attention for layer in compressed().layers)
    window = 3 * 37_440
    assert compressed_constant(alone, "fp8", paged=True) == window
    assert compressed_constant(overlapping, "fp8", paged=True) == window + 3 * (32_832 + 8_640)
    assert compressed_constant(wide, "fp8", paged=True) == window + 17 * 32_832


def test_what_each_request_needs_is_in_the_demand(compressed, serve):
    """Ten short requests take more than one of their length."""
    many = serve(compressed(), batch=10, sequence=128)
    one = serve(compressed(), batch=1, sequence=1280)
    stage = stages_of(many)[0]
    assert kv_demand(many, stage) > 2 * kv_demand(one, stage)


def test_unsaid_it_is_cached_in_eight_bits(compressed, serve):
    """The model's own cache, in every framework."""
    assert serve(compressed()).kv_cache == "fp8"
