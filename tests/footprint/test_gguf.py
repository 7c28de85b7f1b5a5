"""Which block format llama.cpp gives each tensor of a file."""

from __future__ import annotations

import pytest

from dstop.footprint.architecture.values import Tensor
from dstop.footprint.gguf import gguf_format, shares_of_more
from dstop.footprint.spec.parse import parse_spec
from dstop.footprint.weights import checkpoint_bytes
from dstop.units import GIB


def _tensor(name, role, shape=(4096, 4096)):
    return Tensor(name=name, role=role, shape=shape)


@pytest.mark.parametrize(
    ("tensor", "more", "name"),
    [
        (_tensor("q_proj", "attention"), True, "q4_k"),
        (_tensor("v_proj", "attention"), False, "q4_k"),
        (_tensor("v_proj", "attention"), True, "q6_k"),
        (_tensor("down_proj", "mlp"), True, "q6_k"),
        (_tensor("lm_head", "head"), False, "q6_k"),
        (_tensor("embed_tokens", "embedding"), False, "q4_k"),
        (_tensor("gate", "router"), False, "fp32"),
        (_tensor("norm", "norm", (4096,)), False, "fp32"),
    ],
    ids=["q", "v", "v of more", "down of more", "head", "embedding", "router", "norm"],
)
def test_formats_of_q4_k_m(tensor, more, name):
    """Q4_K, with Q6_K for the head and for values and down projections of half the layers."""
    assert gguf_format("q4_k_m", tensor, more=more, tied=False).name == name


def test_a_tied_embedding_is_kept_as_the_head_is():
    """There is one tensor for both."""
    embedding = _tensor("embed_tokens", "embedding")
    assert gguf_format("q4_k_m", embedding, more=False, tied=True).name == "q6_k"
    assert gguf_format("q8_0", embedding, more=False, tied=True).name == "q8_0"


def test_rows_that_are_no_whole_blocks_of_256_get_blocks_of_32():
    """Qwen2.5-0.5B's rows of 896 are the known case."""
    assert (
        gguf_format("q4_k_m", _tensor("q_proj", "attention", (896, 896)), more=False, tied=False).name
        == "q5_0"
    )


def test_half_of_32_layers_get_more_bits(dense):
    """The first and last four, and every third of the 24 between: 16 of 32."""
    layer = dense().layers[0]
    assert shares_of_more((layer,) * 32) == {id(layer): 0.5}


def test_the_first_layers_of_a_kind_count_for_that_kind(dense, latent):
    """DeepSeek's three dense layers are in the first eighth; of the 58 with experts 27 get more bits."""
    first, rest = dense().layers[0], latent().layers[0]
    assert shares_of_more((first,) * 3 + (rest,) * 58) == {id(first): 1.0, id(rest): 27 / 58}


@pytest.mark.parametrize(
    ("name", "form"),
    [("k_proj", "q8_0"), ("v_proj", "q8_0"), ("o_proj", "q5_k"), ("q_proj", "q4_k")],
    ids=str,
)
def test_attention_beside_eight_experts_gets_more_bits(name, form):
    """Mixtral's is small beside its experts."""
    found = gguf_format("q4_k_m", _tensor(name, "attention"), more=False, tied=False, eight=True)
    assert found.name == form


@pytest.mark.parametrize(
    ("model", "weights", "size", "near"),
    [
        ("llama-2-7b", "q4_k_m", 4_081_004_224, 0.0005),
        ("llama-2-7b", "q5_k_m", 4_783_156_928, 0.0005),
        ("llama-2-7b", "q4_0", 3_825_807_040, 0.0005),
        ("llama-2-7b", "q6_k", 5_529_194_176, 0.0005),
        ("llama-2-7b", "q8_0", 7_161_089_728, 0.0005),
        ("llama-3-8b", "q4_k_m", 4_920_734_272, 0.001),
        ("qwen2.5-32b", "q4_k_m", 19_851_351_776, 0.0005),
        ("deepseek-r1", "q4_k_m", 377 * GIB, 0.002),
        ("deepseek-v2", "q4_k_m", 133 * GIB, 0.004),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_published_files(model, weights, size, near):
    """Sizes of public GGUF files in bytes; DeepSeek's as ktransformers lists them, in whole GiB."""
    spec = parse_spec({"model": model, "phase": "inference", "framework": "llama.cpp", "weights": weights})
    assert checkpoint_bytes(spec) == pytest.approx(size, rel=near)
