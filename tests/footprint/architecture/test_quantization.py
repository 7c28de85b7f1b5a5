"""What `quantization_config` says, as the files of published models have it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from dstop.errors import PlanError
from dstop.footprint.architecture.config import read_config

if TYPE_CHECKING:
    from dstop.footprint.architecture.values import Quantization

LLAMA: dict[str, Any] = {
    "model_type": "llama",
    "hidden_size": 64,
    "num_hidden_layers": 4,
    "num_attention_heads": 8,
    "intermediate_size": 96,
    "vocab_size": 1000,
}
LATENT = {"kv_lora_rank": 16, "qk_nope_head_dim": 16, "qk_rope_head_dim": 8, "v_head_dim": 12}
EXPERTS = {
    "n_routed_experts": 8,
    "n_shared_experts": 1,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 32,
}
MLA: dict[str, Any] = {
    **LLAMA,
    **LATENT,
    **EXPERTS,
    "model_type": "deepseek_v3",
    "first_k_dense_replace": 1,
}


def read(said: dict[str, Any], base: dict[str, Any] = LLAMA) -> Quantization:
    """Read a config with this quantization."""
    found = read_config({**base, "quantization_config": said}).quantization
    assert found is not None
    return found


def test_fp8_blocks() -> None:
    """DeepSeek-V3 has a scale for 128 x 128 weights."""
    found = read({"quant_method": "fp8", "fmt": "e4m3", "weight_block_size": [128, 128]})
    assert (found.method, found.bits, found.block) == ("fp8", 8, (128, 128))


def test_gptq_and_awq() -> None:
    """Both share a scale in groups; a group of -1 is a whole row."""
    gptq = read({"quant_method": "gptq", "bits": 4, "group_size": -1, "sym": True})
    awq = read({"quant_method": "awq", "bits": 4, "group_size": 128, "zero_point": True})
    assert (gptq.bits, gptq.group, gptq.zero_points) == (4, 0, True)
    assert (awq.bits, awq.group, awq.zero_points) == (4, 128, True)


def test_bitsandbytes() -> None:
    """Four bits or eight."""
    assert read({"quant_method": "bitsandbytes", "load_in_4bit": True}).bits == 4
    assert read({"quant_method": "bitsandbytes", "load_in_8bit": True}).bits == 8


def test_mxfp4_is_of_experts_alone() -> None:
    """gpt-oss keeps the rest in bf16."""
    assert read({"quant_method": "mxfp4", "modules_to_not_convert": ["lm_head"]}).experts_only


def test_compressed_tensors_leaves_out_what_it_ignores() -> None:
    """Kimi-K2-Thinking leaves all but routed experts alone, by patterns that are not run as expressions."""
    ignore = [
        "lm_head",
        "re:.*self_attn.*",
        "re:.*shared_experts.*",
        r"re:.*mlp\.(gate|up|gate_up|down)_proj.*",
    ]
    weights = {"num_bits": 4, "group_size": 32, "symmetric": True, "type": "int", "strategy": "group"}
    said = {"quant_method": "compressed-tensors", "config_groups": {"group_0": {"weights": weights}}}
    found = read({**said, "ignore": ignore}, MLA)
    assert (found.bits, found.group, found.zero_points) == (4, 32, False)
    assert "kv_b_proj" in found.skipped
    assert "shared_experts.up_proj" in found.skipped
    assert "gate_proj" in found.skipped
    assert "experts.up_proj" not in found.skipped


def test_patterns_of_one_layer_are_passed_over() -> None:
    """A module of one layer says nothing of the others."""
    said = {"quant_method": "fp8", "modules_to_not_convert": ["model.layers.0.self_attn.q_proj", "lm_head"]}
    assert read(said).skipped == ()


def test_several_kinds_of_weights_are_refused() -> None:
    """Which module has which cannot be told: the average is asked for."""
    groups = {"a": {"weights": {"num_bits": 4}}, "b": {"weights": {"num_bits": 8}}}
    with pytest.raises(PlanError, match="several kinds"):
        read({"quant_method": "compressed-tensors", "config_groups": groups})


def test_experts_of_v4_are_in_four_bits_unless_it_says_fp8() -> None:
    """DeepSeek-V4 keeps its routed experts in mxfp4 beside fp8; `expert_dtype` says otherwise."""
    sizes = {
        "head_dim": 16,
        "q_lora_rank": 24,
        "o_lora_rank": 8,
        "o_groups": 2,
        "compress_ratios": [0, 1, 128, 128],
    }
    config = {**LLAMA, **EXPERTS, **sizes, "model_type": "deepseek_v4", "qk_rope_head_dim": 8}
    said = {"quant_method": "fp8", "weight_block_size": [128, 128]}
    four = read(said, config)
    assert (four.method, four.experts_only, four.rest, four.block) == ("mxfp4", True, "fp8", (128, 128))
    assert read(said, {**config, "expert_dtype": "fp8"}).method == "fp8"
