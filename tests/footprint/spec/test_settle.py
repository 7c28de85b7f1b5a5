"""What was not said is decided once, as the framework would, and written down."""

from __future__ import annotations

import pytest

from dstop.footprint.spec.parse import parse_spec
from dstop.footprint.spec.settle import settle

LLAMA = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 1024,
    "num_hidden_layers": 12,
    "num_attention_heads": 16,
    "intermediate_size": 2816,
    "vocab_size": 32000,
    "max_position_embeddings": 2048,
    "torch_dtype": "bfloat16",
}


@pytest.mark.parametrize("phase", ["training", "inference"])
def test_after_settling_nothing_that_counts_is_open(phase):
    """The arithmetic finds every field that it reads, and each that was taken has a line."""
    settled, taken = settle(parse_spec({"model": LLAMA, "phase": phase}))
    names = ["weights", "sequence", "attention", "framework"]
    names += ["gradients", "master_weights", "optimizer_state"] if phase == "training" else ["kv_cache"]
    assert all(getattr(settled, name) is not None for name in names)
    assert set(names) <= {assumption.subject for assumption in taken}
    assert all(assumption.says and assumption.source for assumption in taken)


def test_what_was_said_stays_and_has_no_line():
    """A field that the user gave is never overruled."""
    settled, taken = settle(
        parse_spec({"model": LLAMA, "phase": "training", "sequence": 777, "gradients": "fp32"})
    )
    assert (settled.sequence, settled.gradients) == (777, "fp32")
    assert not {"sequence", "gradients"} & {assumption.subject for assumption in taken}


def test_a_default_length_is_not_beyond_the_model():
    """2048 positions are not trained with 4096 tokens."""
    settled, _ = settle(parse_spec({"model": LLAMA, "phase": "training"}))
    assert settled.sequence == 2048


@pytest.mark.parametrize(
    ("said", "state"),
    [
        ({"weights": "fp32"}, "fp32"),
        ({"weights": "bf16"}, "bf16"),
        ({"weights": "bf16", "master_weights": True}, "fp32"),
    ],
    ids=["fp32 weights", "pure bf16", "master copy"],
)
def test_moments_are_made_from_what_the_optimizer_is_given(said, state):
    """Adam's states have the dtype of the parameters that it steps: the fp32 ones where there are any."""
    settled, _ = settle(parse_spec({"model": LLAMA, "phase": "training", **said}))
    assert settled.optimizer_state == state
