"""Cases that nobody chose: families, shapes, types, optimizers, adapters and losses drawn by a seed."""

from __future__ import annotations

import random

from cases import MIXED, Case

FAMILIES = ("Llama", "Qwen2", "Qwen3", "Mistral", "GPT2", "DeepseekV2", "DeepseekV3", "Qwen3Moe", "Mixtral")
DROPOUTS = ({}, {"resid_pdrop": 0.0, "attn_pdrop": 0.0, "embd_pdrop": 0.0}, {"activation_function": "gelu"})
LINEARS = (["q_proj", "v_proj"], ["q_proj", "k_proj", "v_proj", "o_proj"], ["o_proj"])


def draw(count, seed):
    """Give that many cases by name."""
    dice = random.Random(seed)  # noqa: S311 - not for secrets
    cases = {}
    for number in range(count):
        family = dice.choice(FAMILIES)
        cases[f"drawn-{number:03d}-{family.lower()}"] = Case(
            f"{family}Config", _shape(dice, family), **_setting(dice, family)
        )
    return cases


def _shape(dice, family):
    hidden, heads = dice.choice([512, 640, 1024, 1536, 2048]), dice.choice([8, 16])
    layers, vocabulary = dice.choice([3, 5, 8, 12]), dice.choice([32000, 50304, 100352, 151936])
    if family == "GPT2":
        fields = {"n_embd": hidden, "n_layer": layers, "n_head": heads, "n_positions": 2048}
        return fields | {"vocab_size": vocabulary} | dice.choice(DROPOUTS)
    fields = {"hidden_size": hidden, "num_hidden_layers": layers, "num_attention_heads": heads}
    fields |= {"intermediate_size": dice.choice([2, 3, 4]) * hidden + dice.choice([0, 64, 256])}
    fields |= {"num_key_value_heads": dice.choice([1, 2, 4, heads]), "vocab_size": vocabulary}
    fields |= {"tie_word_embeddings": dice.random() < 0.4, "max_position_embeddings": 8192}
    if family == "Qwen2":
        return fields | {"num_attention_heads": hidden // 64, "num_key_value_heads": 2 - hidden // 64 % 2}
    if family.startswith("Deepseek"):
        return (
            fields
            | _latent(dice, heads, min(layers, 5))
            | ({"topk_method": "greedy"} if "V2" in family else {})
        )
    fields |= {"head_dim": dice.choice([64, 128])}
    if family == "Mistral":
        fields |= {"sliding_window": dice.choice([None, 256, 4096])}
    if family == "Qwen3Moe":
        fields |= {"num_experts": dice.choice([8, 16]), "num_experts_per_tok": dice.choice([2, 4])}
        fields |= {"moe_intermediate_size": dice.choice([256, 512]), "num_hidden_layers": min(layers, 5)}
    if family == "Mixtral":
        fields |= {"num_local_experts": dice.choice([4, 8]), "num_hidden_layers": min(layers, 4)}
    return fields


def _latent(dice, heads, layers):
    fields = {"kv_lora_rank": dice.choice([128, 256, 512]), "q_lora_rank": dice.choice([None, 384, 768])}
    fields |= {"qk_nope_head_dim": dice.choice([64, 128]), "qk_rope_head_dim": dice.choice([32, 64])}
    fields |= {"v_head_dim": dice.choice([64, 128]), "moe_intermediate_size": dice.choice([256, 512])}
    fields |= {"n_routed_experts": dice.choice([8, 16, 32]), "num_experts_per_tok": dice.choice([2, 4])}
    fields |= {"n_shared_experts": dice.choice([1, 2]), "n_group": 1, "topk_group": 1}
    dense = min(dice.choice([1, 2, layers]), layers)
    return fields | {
        "first_k_dense_replace": dense,
        "num_hidden_layers": layers,
        "num_key_value_heads": heads,
    }


def _setting(dice, family):
    setting = dict(dice.choice([{"weights": "bf16"}, {"weights": "fp32"}, MIXED]))
    setting |= {"batch": dice.choice([1, 2, 4, 6]), "sequence": dice.choice([128, 256, 512, 1024, 1536])}
    setting |= {
        "checkpointing": dice.random() < 0.35,
        "attention": dice.choice(["sdpa", "sdpa", "sdpa", "eager"]),
    }
    setting |= {"optimizer": dice.choice(["adamw"] * 4 + ["sgd", "sgd_momentum", "adagrad"])}
    if dice.random() < 0.2 and family != "GPT2":
        targets = ["o_proj", "kv_b_proj"] if family.startswith("Deepseek") else dice.choice(LINEARS)
        lora = {"rank": dice.choice([8, 64]), "targets": targets}
        setting |= {"lora": lora, "weights": "bf16", "autocast": ""}
    if dice.random() < 0.1:
        setting |= {"loss": "chunked"}
    return setting
