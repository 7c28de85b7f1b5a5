"""A config.json is hostile: what is wrong is refused by the name of its field, and never anything else."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dstop.errors import PlanError
from dstop.footprint.architecture.config import read_config
from dstop.footprint.architecture.families import READERS
from dstop.footprint.architecture.values import Experts

LLAMA: dict[str, Any] = {
    "model_type": "llama",
    "hidden_size": 64,
    "num_hidden_layers": 4,
    "num_attention_heads": 8,
    "num_key_value_heads": 2,
    "intermediate_size": 96,
    "vocab_size": 1000,
}
MLA: dict[str, Any] = {
    **LLAMA,
    "model_type": "deepseek_v3",
    "num_key_value_heads": 8,
    "q_lora_rank": 24,
    "kv_lora_rank": 16,
    "qk_nope_head_dim": 16,
    "qk_rope_head_dim": 8,
    "v_head_dim": 12,
    "n_routed_experts": 8,
    "n_shared_experts": 1,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 32,
    "first_k_dense_replace": 1,
    "num_nextn_predict_layers": 1,
}
NEEDED = ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "vocab_size")
BAD: dict[str, Any] = {
    "nought": 0,
    "negative": -1,
    "huge": 10**30,
    "true": True,
    "text": "64",
    "list": [64],
    "half": 1.5,
    "nan": math.nan,
    "inf": math.inf,
}


@pytest.mark.parametrize("field", NEEDED)
def test_missing_fields_are_named(field: str) -> None:
    """A config without a field that is needed is refused by its name."""
    with pytest.raises(PlanError, match=field):
        read_config({key: value for key, value in LLAMA.items() if key != field})


@pytest.mark.parametrize("kind", BAD)
@pytest.mark.parametrize("field", NEEDED)
def test_absurd_fields_are_named(field: str, kind: str) -> None:
    """A size of another kind or out of all bounds is refused by its name."""
    with pytest.raises(PlanError, match=field):
        read_config({**LLAMA, field: BAD[kind]})


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"num_key_value_heads": 3}, "num_key_value_heads"),
        ({"hidden_size": 63}, "num_attention_heads"),
        ({"tie_word_embeddings": "yes"}, "tie_word_embeddings"),
        ({"attention_dropout": 2}, "attention_dropout"),
        ({"attention_dropout": math.nan}, "attention_dropout"),
        ({"torch_dtype": "complex64"}, "torch_dtype"),
        ({"torch_dtype": 16}, "torch_dtype"),
        ({"layer_types": ["full_attention"]}, "layer_types"),
        ({"layer_types": ["linear_attention"] * 4}, "layer_types"),
        ({"layer_types": [[]] * 4}, "layer_types"),
        ({"layer_types": ["sliding_attention"] * 4}, "sliding_window"),
        ({"sliding_window": -5}, "sliding_window"),
        ({"model_type": "mamba2"}, "mamba2"),
        ({"model_type": None}, "model_type"),
        ({"model_type": 7}, "model_type"),
        ({"model_type": "bert"}, "encoder"),
        ({"vision_config": {"hidden_size": 1}}, "vision_config"),
        ({"audio_config": {"hidden_size": 1}}, "audio_config"),
        ({"is_encoder_decoder": True}, "is_encoder_decoder"),
        ({"_class_name": "UNet2DConditionModel"}, "_class_name"),
        ({"text_config": 3}, "text_config"),
        ({"quantization_config": 3}, "quantization_config"),
        ({"quantization_config": {"quant_method": "magic"}}, "quant_method"),
        ({"quantization_config": {"quant_method": "fp8", "weight_block_size": 3}}, "weight_block_size"),
        ({"quantization_config": {"quant_method": "gptq", "bits": "4"}}, "bits"),
    ],
)
def test_what_contradicts_itself_is_named(change: dict[str, Any], named: str) -> None:
    """Contradictions, other modalities and unknown methods are refused by the field that says so."""
    with pytest.raises(PlanError, match=named):
        read_config({**LLAMA, **change})


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"kv_lora_rank": None}, "kv_lora_rank"),
        ({"num_experts_per_tok": 9}, "num_experts_per_tok"),
        ({"n_routed_experts": 10**9}, "n_routed_experts"),
        ({"num_nextn_predict_layers": 10**9}, "num_nextn_predict_layers"),
        ({"moe_layer_freq": 0}, "moe_layer_freq"),
    ],
)
def test_what_is_wrong_with_experts_is_named(change: dict[str, Any], named: str) -> None:
    """Latent attention and experts are held to the same."""
    with pytest.raises(PlanError, match=named):
        read_config({**MLA, **change})


@given(
    family=st.sampled_from(sorted(READERS)),
    change=st.dictionaries(
        st.sampled_from(sorted({*MLA, "head_dim", "layer_types", "sliding_window", "quantization_config"})),
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats()
        | st.text(max_size=8)
        | st.lists(st.integers()),
        max_size=4,
    ),
)
def test_nothing_but_a_plan_error_comes_out(family: str, change: dict[str, Any]) -> None:
    """Whatever a config holds, it is read or refused."""
    try:
        model = read_config({**MLA, **change, "model_type": change.get("model_type", family)})
    except PlanError as error:
        says = str(error)
    else:
        says = str(model.total_parameters)
        assert model.total_parameters > 0
    assert says.isprintable()


def test_layers_that_are_alike_are_one_object() -> None:
    """Work can be done once for each kind of layer."""
    model = read_config(MLA)
    assert len({id(layer) for layer in model.layers}) == 2
    assert model.layers[1] is model.layers[3]


def test_next_token_modules_are_apart() -> None:
    """A next-token module is a layer, 2h² and 3h; the published total is without it."""
    model = read_config(MLA)
    module = sum(tensor.parameters for tensor in model.next_token[0].tensors)
    layer = sum(tensor.parameters for tensor in model.layers[-1].tensors)
    assert module == layer + 2 * 64 * 64 + 3 * 64
    assert model.total_parameters == read_config({**MLA, "num_nextn_predict_layers": 0}).total_parameters


def test_down_projections_of_latent_attention_are_whole_on_every_rank() -> None:
    """Tensor parallelism divides what is per head alone."""
    splits = {tensor.name: tensor.split for tensor in read_config(MLA).layers[1].tensors}
    assert splits["q_a_proj"] == splits["kv_a_proj_with_mqa"] == splits["gate"] == "none"
    assert splits["q_b_proj"] == splits["kv_b_proj"] == "column"
    assert splits["o_proj"] == "row"


def test_the_bias_of_the_router_is_fp32() -> None:
    """DeepSeek-V3 keeps it so; V2 has none."""
    dtypes = {tensor.name: tensor.dtype for tensor in read_config(MLA).layers[1].tensors}
    assert dtypes["gate.e_score_correction_bias"] == "fp32"
    older = read_config({**MLA, "model_type": "deepseek_v2"}).layers[1]
    assert all("correction" not in tensor.name for tensor in older.tensors)


def test_glm_layers_share_indexers() -> None:
    """Only layers marked full have an indexer, and its cache."""
    extra = {"index_n_heads": 4, "index_head_dim": 8, "index_topk": 16}
    kinds = {"indexer_types": ["full", "shared", "shared", "full"]}
    model = read_config({**MLA, **extra, **kinds, "model_type": "glm_moe_dsa"})
    assert [layer.attention.indexer is not None for layer in model.layers] == [True, False, False, True]


@pytest.mark.parametrize(
    ("change", "windows"),
    [
        ({"model_type": "mistral", "sliding_window": 16}, [16, 16, 16, 16]),
        ({"model_type": "mistral", "sliding_window": None}, [None] * 4),
        ({"model_type": "gemma2", "sliding_window": 16}, [16, None, 16, None]),
        (
            {"model_type": "gemma3_text", "sliding_window": 16, "sliding_window_pattern": 3},
            [16, 16, None, 16],
        ),
        ({"model_type": "qwen2", "sliding_window": 16, "use_sliding_window": False}, [None] * 4),
        ({"model_type": "qwen2", "sliding_window": 16}, [None] * 4),
        (
            {"model_type": "qwen2", "sliding_window": 16, "use_sliding_window": True, "max_window_layers": 2},
            [None, None, 16, 16],
        ),
        (
            {"sliding_window": 16, "layer_types": ["sliding_attention", *["full_attention"] * 3]},
            [16, None, None, None],
        ),
    ],
)
def test_windows_are_read_layer_by_layer(change: dict[str, Any], windows: list[int | None]) -> None:
    """Each family says in its own way which layers slide."""
    model = read_config({**LLAMA, **change})
    assert [layer.attention.window for layer in model.layers] == windows


def test_the_text_part_of_a_nested_config_is_read() -> None:
    """A config whose only other part is text is that text decoder."""
    assert read_config({"model_type": "wrapper", "text_config": LLAMA}) == read_config(LLAMA)


def test_dropouts_of_gpt2_are_those_of_its_config_class() -> None:
    """GPT-2 drops a tenth where its config does not say otherwise."""
    model = read_config({"model_type": "gpt2", "n_embd": 64, "n_layer": 2, "n_head": 4, "vocab_size": 100})
    assert (model.residual_dropout, model.layers[0].attention.dropout) == (0.1, 0.1)
    assert model.tied


def test_active_parameters_leave_out_idle_experts() -> None:
    """Two of eight experts are passed through."""
    model = read_config(MLA)
    assert isinstance(model.layers[1].feed_forward, Experts)
    idle = 3 * 6 * 3 * 64 * 32
    assert model.active_parameters == model.total_parameters - idle


V4: dict[str, Any] = {
    **LLAMA,
    "model_type": "deepseek_v4",
    "num_key_value_heads": 1,
    "head_dim": 16,
    "q_lora_rank": 24,
    "o_lora_rank": 8,
    "o_groups": 2,
    "qk_rope_head_dim": 8,
    "moe_intermediate_size": 32,
    "n_routed_experts": 8,
    "n_shared_experts": 1,
    "num_experts_per_tok": 2,
    "num_hash_layers": 1,
    "index_n_heads": 4,
    "index_head_dim": 8,
    "index_topk": 16,
    "compress_ratios": [0, 4, 128, 4],
}


def test_ratios_of_v4_say_what_each_layer_compresses() -> None:
    """Only layers of ratio 4 have an indexer; the first layer routes by hash and has no bias."""
    layers = read_config(V4).layers
    assert [layer.attention.compress_ratio for layer in layers] == [0, 4, 128, 4]
    assert [layer.attention.indexer is not None for layer in layers] == [False, True, False, True]
    biased = [any("correction" in tensor.name for tensor in layer.tensors) for layer in layers]
    assert biased == [False, True, True, True]
    assert layers[1] is layers[3]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"compress_ratios": [0, 4]}, "compress_ratios"),
        ({"compress_ratios": [0, 4, 7, 4]}, "compress_ratios"),
        ({"compress_ratios": [0, 4, [], 4]}, "compress_ratios"),
        ({"o_groups": 3}, "o_groups"),
        ({"index_topk": None}, "index_topk"),
    ],
)
def test_what_is_wrong_with_v4_is_named(change: dict[str, Any], named: str) -> None:
    """The order of its ratios is not guessed."""
    with pytest.raises(PlanError, match=named):
        read_config({**V4, **change})


def test_a_model_without_sparse_layers_needs_no_experts() -> None:
    """Where each layer is dense, what is missing of experts does not matter."""
    model = read_config({**MLA, "first_k_dense_replace": 4, "num_experts_per_tok": None})
    assert model.active_parameters == model.total_parameters
