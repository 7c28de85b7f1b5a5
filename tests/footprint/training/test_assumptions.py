"""What a training plan takes for granted is said, and only what has a bearing on it."""

from __future__ import annotations

import pytest

from dstop.footprint.estimate import estimate
from dstop.footprint.spec.values import Lora, Parallel, Spec


def _said(architecture, **fields):
    found = estimate(Spec(architecture=architecture, phase="training", **fields))
    return {each.subject: each.says for each in found.assumptions}


def test_gradients_that_share_memory_are_explained(dense):
    """Where the peak has no gradients yet, the plan says what their size was taken from."""
    said = _said(dense(), framework="hf", sequence=8192)
    assert "take the place of activations" in said["gradients"]
    assert "12 bytes a token and word" in said["loss"]
    assert "copy of the second moments" in said["optimizer"]


def test_megatron_says_what_it_does(dense):
    """Its gradients are a buffer that stays, and its step and loss are fused: nothing is said of those."""
    said = _said(dense(), framework="megatron", parallel=Parallel(pp=2, vpp=2))
    assert "stay" in said["gradients"]
    assert "interleaved" in said["parallel.pp"]
    assert not {"loss", "optimizer"} & set(said)


@pytest.mark.parametrize("routed", [True, False])
def test_even_routing_is_an_assumption_of_experts(dense, latent, routed):
    """Only a model with experts is told that they are taken to be chosen as often."""
    said = _said((latent if routed else dense)())
    assert ("activations" in said) is routed


def test_sparse_attention_is_an_assumption(latent):
    """Where layers have an indexer the plan says that its activations are not counted."""
    assert "indexer" in _said(latent(indexer=True))["attention"]
    assert "indexer" not in _said(latent())["attention"]


def test_a_quantized_base_says_what_is_not_quantized(dense):
    """Under peft the rest of a 4-bit base may be cast to fp32, and the plan says how much that is."""
    assert (
        "prepare_model_for_kbit_training"
        in _said(dense(), framework="hf", lora=Lora(rank=8, base="nf4"))["lora"]
    )
    assert "lora" not in _said(dense(), framework="hf", lora=Lora(rank=8))
