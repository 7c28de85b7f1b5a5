"""Which block format llama.cpp gives each tensor of a file."""

from __future__ import annotations

import pytest

from dstop.footprint.architecture.values import Tensor
from dstop.footprint.gguf import gguf_format, share_of_more


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


def test_half_of_32_layers_get_more_bits():
    """The first and last four, and every third of the 24 between: 16 of 32."""
    assert share_of_more(32) == 0.5
