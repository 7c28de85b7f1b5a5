"""A format of weights is applied to what it is meant for: matrices of layers, not the embedding, head or router."""

from __future__ import annotations

import pytest

from dstop.errors import PlanError
from dstop.footprint.architecture.values import Quantization, Tensor
from dstop.footprint.scheme import scheme_of

FP8 = Quantization(method="fp8", bits=8, block=(128, 128))


def _names(architecture, weights):
    scheme = scheme_of(architecture, weights)
    tensors = (*architecture.embedding, *architecture.layers[0].tensors, *architecture.output)
    return {tensor.name: scheme.of(tensor).name for tensor in tensors}


@pytest.mark.parametrize("weights", ["int8", "nf4", "awq", "nvfp4"])
def test_what_stays_in_16_bits(latent, weights):
    """Embedding, head, norm and router keep the model's dtype; projections and experts do not."""
    names = _names(latent(), weights)
    assert {names[name] for name in ("embed_tokens", "lm_head", "norm", "gate")} == {"bf16"}
    assert {names[name] for name in ("q_proj", "kv_b_proj", "experts.up_proj")} == {weights}


def test_native_follows_the_checkpoint(latent):
    """An fp8 checkpoint is fp8 with its own blocks; without a quantization it is the model's dtype."""
    assert _names(latent(quantization=FP8), "native")["q_proj"] == "fp8"
    assert scheme_of(latent(quantization=FP8), "native").matrices.block == (128, 128)
    assert _names(latent(), "native")["q_proj"] == "bf16"


def test_a_quantized_checkpoint_can_be_served_unpacked(latent):
    """bf16 said aloud is bf16 for all."""
    assert set(_names(latent(quantization=FP8), "bf16").values()) == {"bf16"}


def test_asking_for_what_the_checkpoint_has_keeps_its_blocks(latent):
    """fp8 of a model in blocks of 128 x 128 is that, not one scale a matrix."""
    assert scheme_of(latent(quantization=FP8), "fp8").matrices.block == (128, 128)
    assert scheme_of(latent(), "fp8").matrices.block == (0, 0)


def test_experts_alone_can_be_in_four_bits(latent):
    """gpt-oss: mxfp4 experts; DeepSeek-V4: fp8 beside them."""
    plain = Quantization(method="mxfp4", bits=4, experts_only=True)
    mixed = Quantization(method="mxfp4", bits=4, experts_only=True, rest="fp8", block=(128, 128))
    assert _names(latent(quantization=plain), "native")["q_proj"] == "bf16"
    assert _names(latent(quantization=mixed), "native")["q_proj"] == "fp8"
    assert _names(latent(quantization=mixed), "native")["experts.up_proj"] == "mxfp4"
    assert _names(latent(quantization=mixed), "native")["lm_head"] == "bf16"


def test_skipped_modules_stay_plain(dense):
    """`modules_to_not_convert` by the module's own name or its path."""
    said = Quantization(method="gptq", bits=4, group=128, skipped=("o_proj",))
    names = _names(dense(quantization=said), "native")
    assert (names["o_proj"], names["q_proj"]) == ("bf16", "gptq")


def test_a_tensor_of_its_own_dtype_keeps_it(dense):
    """The router bias of DeepSeek-V3 is fp32 in every format."""
    bias = Tensor(name="e_score_correction_bias", shape=(16,), role="router", dtype="fp32")
    assert scheme_of(dense(), "bf16").of(bias).name == "fp32"


def test_groups_are_the_checkpoint_s(dense):
    """GPTQ with 32 inputs a group has four times the scales; 8 bits have 8-bit zero points."""
    small = scheme_of(dense(quantization=Quantization(method="gptq", bits=4, group=32)), "native")
    wide = scheme_of(dense(quantization=Quantization(method="gptq", bits=8, group=128)), "native")
    assert small.matrices.of((1, 128)) == 64 + 4 * 2.5
    assert wide.matrices.of((1, 128)) == 128 + 3


def test_what_is_not_known_is_refused(dense):
    """A format that nobody has told, and a method with fewer bits than can be read."""
    with pytest.raises(PlanError, match="weights: no format 'int3'"):
        scheme_of(dense(), "int3")
    with pytest.raises(PlanError, match="'aqlm' with 2 bits"):
        scheme_of(dense(quantization=Quantization(method="aqlm", bits=2)), "native")
