"""What blocks keep for the backward pass, counted by hand from what each operation saves."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dstop.errors import PlanError
from dstop.footprint.architecture.values import Mlp, Tensor
from dstop.footprint.spec.values import Lora
from dstop.footprint.training.attention import attention_kept, scores_kept
from dstop.footprint.training.feed_forward import feed_forward_kept, mlp_bytes
from dstop.footprint.training.lora import check_lora
from dstop.footprint.training.recompute import check_recompute, layer_kept, layer_whole
from dstop.footprint.training.setting import setting_of

TOKENS, HIDDEN, WIDTH = 512, 256, 512


def _attention(spec):
    architecture = spec.architecture
    return attention_kept(architecture.layers[0], architecture.hidden, setting_of(spec), architecture.norm)


def test_a_norm_keeps_an_upcast_and_two_more(dense, train):
    """RMSNorm in bf16 keeps 4 bytes of an upcast, 4 a row, 2 of the normed tensor; the matrices share their input."""
    kept = _attention(train(dense(), weights="bf16", framework="hf"))
    assert kept["norm"] == TOKENS * (4 * HIDDEN + 4 + 2 * HIDDEN)
    assert kept["normed"] == TOKENS * 2 * HIDDEN


def test_autocast_casts_for_each_matrix(dense, train):
    """Under autocast query, key and value each keep a cast of their own, and the residual stream is fp32."""
    kept = _attention(train(dense(), weights="fp32", autocast="bf16", framework="hf"))
    assert kept["norm"] == TOKENS * (4 * HIDDEN + 4 + 4 * HIDDEN)
    assert kept["normed"] == 3 * TOKENS * 2 * HIDDEN


def test_flash_keeps_grouped_keys_once(dense, train):
    """SDPA keeps q, k, v and out, keys and values of the 2 heads that there are, and 4 bytes a row and head."""
    kept = _attention(train(dense(), weights="bf16", framework="hf"))
    assert kept["qkv"] == TOKENS * 2 * (256 + 2 * 64)
    assert kept["out"] == TOKENS * 2 * 256
    assert kept["core"] == TOKENS * 4 * 8


def test_eager_attention_repeats_keys_and_keeps_scores(dense, train):
    """Eager attention keeps repeated keys and values, and 6 bytes a score in bf16, 4 in fp32."""
    half = _attention(train(dense(), weights="bf16", attention="eager", framework="hf"))
    assert half["qkv"] == TOKENS * 2 * 3 * 256
    assert half["core"] == 6 * 8 * TOKENS * TOKENS
    full = _attention(train(dense(), weights="fp32", attention="eager", framework="hf"))
    assert full["core"] == 4 * 8 * TOKENS * TOKENS


def test_latent_attention_keeps_whole_heads(latent, train):
    """MLA keeps queries and keys of nope + rope a head, values of their own size, and the latent with its norm."""
    kept = _attention(train(latent(), weights="bf16", framework="hf"))
    assert kept["qkv"] == TOKENS * 2 * 8 * (24 + 24 + 16)
    assert kept["latent"] == TOKENS * (64 * (4 + 2 + 2) + 4)


def test_korthikanti_of_megatron(dense, train):
    """A GPT block of Megatron-LM keeps sbh(34 + 5as/h): arXiv 2205.05198, equation 2, measured by its golden values."""
    heads, width = 8, 4 * HIDDEN
    base = dense().layers[0]
    attention = replace(base.attention, kv_heads=heads, dropout=0.1)
    second = Tensor(name="post_attention_layernorm", shape=(HIDDEN,), role="norm")
    block = Mlp(width=width, gated=False, activation="gelu")
    layer = replace(base, attention=attention, feed_forward=block, tensors=(*base.tensors, second))
    architecture = dense(norm="layer", residual_dropout=0.1)
    spec = train(architecture, weights="bf16", attention="eager", framework="megatron", batch=3)
    kept = sum(layer_whole(layer, spec, setting_of(spec)).values())
    formula = 3 * TOKENS * HIDDEN * (34 + 5 * heads * TOKENS / HIDDEN)
    assert kept == pytest.approx(formula, rel=0.01)  # statistics of the norms are left out of the formula


def test_tensor_and_sequence_parallelism_divide_it(dense, train):
    """With both, everything that a layer keeps is divided by the ranks, but for key/value heads that are shared."""
    alone = train(dense(), weights="bf16", framework="megatron")
    both = train(dense(), weights="bf16", framework="megatron", tp=2, sequence_parallel=True)
    whole, part = (
        sum(layer_whole(spec.architecture.layers[0], spec, setting_of(spec)).values())
        for spec in (alone, both)
    )
    assert part == pytest.approx(whole / 2)
    uneven = train(dense(), weights="bf16", framework="megatron", tp=2)
    more = sum(layer_whole(uneven.architecture.layers[0], uneven, setting_of(uneven)).values())
    assert part < more < whole


@pytest.mark.parametrize(
    ("block", "fields", "each"),
    [
        (Mlp(width=WIDTH), {"weights": "bf16", "framework": "hf"}, 8),
        (Mlp(width=WIDTH), {"weights": "fp32", "framework": "hf"}, 16),
        (Mlp(width=WIDTH), {"weights": "bf16", "framework": "megatron"}, 6),
        (Mlp(width=WIDTH), {"weights": "bf16", "framework": "pytorch", "compile": True}, 6),
        (Mlp(width=WIDTH, gated=False, activation="gelu_new"), {"weights": "bf16", "framework": "hf"}, 10),
        (
            Mlp(width=WIDTH, gated=False, activation="gelu_new"),
            {"weights": "fp32", "autocast": "bf16", "framework": "hf"},
            16,
        ),
        (Mlp(width=WIDTH, gated=False, activation="gelu"), {"weights": "bf16", "framework": "hf"}, 4),
        (Mlp(width=WIDTH, gated=False, activation="relu"), {"weights": "bf16", "framework": "hf"}, 2),
    ],
    ids=["bf16", "fp32", "megatron", "compiled", "gelu_new", "gelu_new autocast", "gelu", "relu"],
)
def test_bytes_of_a_dense_block(dense, train, block, fields, each):
    """Bytes a token and unit of width, by activation and by who fuses it."""
    assert mlp_bytes(block, setting_of(train(dense(), **fields)), WIDTH) == each * WIDTH


def test_experts_keep_what_is_routed_to_them(latent, train):
    """Each of 2 choices of a token keeps its input, four tensors of the width, an output and its weighted sum."""
    spec = train(latent(), weights="bf16", framework="hf")
    kept = feed_forward_kept(spec.architecture.layers[0], spec, setting_of(spec))
    pairs = 2 * TOKENS
    assert kept["moe"] + kept["moe_act"] == pairs * (2 * 256 + 4 * 2 * 128 + 2 * 2 * 256 + 16)


def test_ranks_that_share_no_experts_dispatch_their_own_tokens(latent, train):
    """With etp 1 each rank routes its own part of the tokens; with etp = tp all of them, to thinner experts."""
    own = train(
        latent(), weights="bf16", framework="megatron", tp=2, dp=2, ep=4, etp=1, sequence_parallel=True
    )
    shared = train(
        latent(), weights="bf16", framework="megatron", tp=2, dp=2, ep=2, etp=2, sequence_parallel=True
    )
    acts = [
        feed_forward_kept(spec.architecture.layers[0], spec, setting_of(spec))["moe_act"]
        for spec in (own, shared)
    ]
    assert acts[0] == acts[1] == TOKENS * 2 * 128


@pytest.mark.parametrize("framework", ["hf", "megatron"])
def test_recomputation_keeps_less_and_less(dense, train, framework):
    """None keeps more than selective, selective more than full, full more than full on the CPU."""
    kept = []
    for how in ("none", "selective", "full", "offload"):
        spec = train(dense(), weights="bf16", attention="eager", checkpointing=how, framework=framework)
        layer, setting = spec.architecture.layers[0], setting_of(spec)
        kept.append(layer_kept(layer, layer_whole(layer, spec, setting), spec, setting))
    assert kept == sorted(kept, reverse=True)
    assert len(set(kept)) == len(kept)
    assert kept[2] == TOKENS * 2 * HIDDEN
    assert kept[3] == 0


def test_a_module_alone_lets_go_of_its_own(latent, train):
    """mla_up_proj lets go of queries, keys and values; moe_act of the experts' products; core_attn of scores alone."""
    spec = train(latent(), weights="bf16", attention="flash", framework="megatron")
    layer, setting = spec.architecture.layers[0], setting_of(spec)
    whole = layer_whole(layer, spec, setting)
    for name, parts in (("mla_up_proj", ["qkv"]), ("moe_act", ["moe_act"]), ("core_attn", ["core"])):
        kept = layer_kept(layer, whole, replace(spec, checkpointing=(name,)), setting)
        assert sum(whole.values()) - kept == pytest.approx(sum(whole[part] for part in parts))


@pytest.mark.parametrize(
    ("modules", "says"),
    [
        (("mlpp",), "checkpointing: no module 'mlpp'"),
        (("mla_up_proj",), "checkpointing: small has no latent attention"),
        (("moe_act",), "checkpointing: small has no experts"),
    ],
)
def test_modules_that_cannot_be_recomputed_are_refused(dense, train, modules, says):
    """A module that nobody recomputes alone, or that the model has not, is named."""
    with pytest.raises(PlanError, match=says):
        check_recompute(train(dense(), checkpointing=modules))


def test_targets_that_the_model_has_not_are_refused(dense, train):
    """An adapter on a matrix that is not there is named, with those that are."""
    with pytest.raises(PlanError, match=r"lora\.targets: small has no 'c_attn'") as refused:
        check_lora(train(dense(), lora=Lora(rank=8, targets=("q_proj", "c_attn"))))
    assert "gate_proj" in (refused.value.fix or "")
    check_lora(train(dense(), lora=Lora(rank=8, targets=("all-linear",))))


def test_what_is_frozen_does_not_keep_its_input(dense, train):
    """Below adapters a matrix keeps no input and a norm no normed tensor; peft casts the adapter's input to fp32."""
    kept = layer_whole(
        dense().layers[0],
        spec := train(dense(), lora=Lora(rank=8, targets=("q_proj", "v_proj")), framework="hf"),
        setting_of(spec),
    )
    assert kept["normed"] == 0
    assert kept["norm"] == TOKENS * (4 * HIDDEN + 4)
    assert kept["lora"] == 2 * TOKENS * 4 * (HIDDEN + 8)


def test_scores_are_divided_by_context_parallelism(dense, train):
    """Each rank of cp has its own rows of the scores, against all tokens."""
    spec = train(dense(), weights="bf16", attention="eager", framework="hf", cp=4)
    setting = setting_of(spec)
    assert setting.tokens == TOKENS // 4
    assert scores_kept(spec.architecture.layers[0].attention, setting) == 6 * 8 * (TOKENS // 4) * TOKENS


@pytest.mark.parametrize(
    ("norms", "times"),
    [(1, 1), (2, 2), (4, 4)],
    ids=["parallel block", "before each", "before and after each"],
)
def test_norms_are_those_that_the_layer_has(dense, train, norms, times):
    """A parallel block shares one norm; Gemma 2 and GLM 4 have one before and one after attention and block."""
    base = dense().layers[0]
    more = tuple(Tensor(name=f"norm {place}", shape=(HIDDEN,), role="norm") for place in range(norms - 1))
    spec = train(dense(), weights="bf16", framework="hf")
    kept = layer_whole(replace(base, tensors=(*base.tensors, *more)), spec, setting_of(spec))
    assert kept["norm"] == times * TOKENS * (6 * HIDDEN + 4)


@pytest.mark.parametrize(("family", "each"), [("llama", 6), ("gemma2", 8), ("olmo2", 8)])
def test_norms_that_weigh_in_fp32(dense, train, family, each):
    """Gemma and OLMo 2 multiply with the norm's weight in fp32: the normed tensor is kept in that."""
    spec = train(dense(family=family), weights="bf16", framework="hf")
    kept = layer_whole(spec.architecture.layers[0], spec, setting_of(spec))
    assert kept["norm"] == TOKENS * (each * HIDDEN + 4)
