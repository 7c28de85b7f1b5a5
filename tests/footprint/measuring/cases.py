"""The table of what is measured: each case a configuration of transformers, shrunk until a step takes a second.

Left out, for on a simulated device they are not what they are on a GPU: a mixture of experts whose tokens are sorted by
the router's answers (all answers are nought: see `EVEN`), and losses that skip padding.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import shapes as of


@dataclass(frozen=True)
class Case:
    """One training. The fields are those of a SPEC, but for `config` (a class of transformers) and `arguments`."""

    config: str
    model: dict[str, Any]
    weights: str = "bf16"
    autocast: str = ""
    optimizer: str = "adamw"
    batch: int = 2
    sequence: int = 512
    checkpointing: bool = False
    attention: str = "sdpa"
    lora: dict[str, Any] | None = None
    frozen: tuple[str, ...] = ()
    """Parameters whose names have one of these in them are not trained."""
    loss: str = "full"
    """`full`: the model's own; `chunked`: pieces of the sequence, each recomputed; `hidden`: none, to see the rest."""
    chunks: int = 8
    mask: bool = True
    """Whether a mask of ones is passed, as the Trainer's collators do."""
    arguments: dict[str, Any] = field(default_factory=dict)
    sharding: str = ""
    """`ddp`, `fsdp` (FSDP2, each layer a unit), `fsdp-mixed` (gathered in bf16): two ranks, the first is recorded."""
    variant: str = ""
    """What no field of a SPEC can say."""
    note: str = ""


@dataclass(frozen=True)
class Generation:
    """One prompt and the tokens after it."""

    config: str
    model: dict[str, Any]
    weights: str = "bf16"
    batch: int = 1
    prompt: int = 1024
    new: int = 64
    attention: str = "sdpa"
    variant: str = ""
    note: str = ""


OPTIMIZERS = {"adamw-fused": ("adamw", "fused"), "adamw-loop": ("adamw", "for-loop")}
OPTIMIZERS |= {"adafactor-torch": ("adafactor", "torch.optim")}


def spec_of(case, config, static):
    """Give the SPEC of a case: `config` is the model's own, `static` what was counted."""
    spec = {"model": config, "weights": case.weights, "batch": case.batch, "attention": case.attention}
    spec["framework"] = "hf"
    if isinstance(case, Generation):
        spec |= {"phase": "inference", "kv_cache": case.weights, "sequence": case.prompt + case.new}
        latent = {"mla_cache": "expanded"} if "kv_lora_rank" in config else {}
        return spec | latent | {"max_num_batched_tokens": case.prompt * case.batch}
    spec |= {
        "phase": "training",
        "sequence": case.sequence,
        "checkpointing": "full" if case.checkpointing else "none",
    }
    spec |= {"optimizer": OPTIMIZERS.get(case.optimizer, (case.optimizer, ""))[0]}
    if case.sharding:
        spec |= {
            "parallel": {"dp": 2, "zero": 3 if case.sharding.startswith("fsdp") else 0},
            "framework": "pytorch",
        }
    if case.sharding == "fsdp-mixed":
        spec["autocast"] = "bf16"
    if case.autocast:
        spec["autocast"] = case.autocast
    if case.lora:
        spec["lora"] = {"alpha": 16, "base": case.weights} | case.lora
    elif case.frozen:
        spec["trainable_fraction"] = static["trainable"] / static["parameters"]
    if not case.lora:
        spec |= {"gradients": case.weights, "master_weights": False}
    if case.loss != "full":
        spec["loss"] = case.loss
    return spec


LL = Case("LlamaConfig", of.LLAMA)
LW = Case("LlamaConfig", of.WIDE, batch=1, sequence=2048)
G2 = Case("GPT2Config", of.GPT2)
Q2 = Case("Qwen2Config", of.QWEN2)
Q3 = Case("Qwen3Config", of.QWEN3)
MI = Case("MistralConfig", of.MISTRAL)
V3 = Case("DeepseekV3Config", of.DENSE)
V2 = Case("DeepseekV2Config", of.DENSE)
V3E = Case("DeepseekV3Config", of.WITH_EXPERTS, note="even routing")
V2E = Case("DeepseekV2Config", of.LITE, note="even routing")
MIXED = {"weights": "fp32", "autocast": "bf16"}
LORA = {"rank": 16, "targets": ["q_proj", "v_proj"]}
LINEARS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
NO_CACHE = {"mask": False, "arguments": {"use_cache": False}}
MASKED = "no mask is passed and no cache is kept: transformers 4.57 then builds a mask of sequence x sequence"

CASES = {
    # Llama: types, attention, recomputation
    "llama-bf16": LL,
    "llama-fp32": replace(LL, weights="fp32"),
    "llama-autocast": replace(LL, **MIXED),
    "llama-fp16-autocast": replace(LL, weights="fp32", autocast="fp16", batch=4, sequence=256),
    "llama-bf16-eager": replace(LL, attention="eager"),
    "llama-fp32-eager": replace(LL, weights="fp32", attention="eager", batch=1, sequence=1024),
    "llama-autocast-eager": replace(LL, **MIXED, attention="eager", batch=4, sequence=256),
    "llama-bf16-checkpointing": replace(LL, checkpointing=True),
    "llama-bf16-checkpointing-4k": replace(LL, checkpointing=True, batch=1, sequence=4096),
    "llama-fp32-checkpointing": replace(LL, weights="fp32", checkpointing=True, batch=4, sequence=256),
    "llama-autocast-checkpointing": replace(LL, **MIXED, checkpointing=True, batch=4, sequence=512),
    "llama-bf16-checkpointing-eager": replace(
        LL, checkpointing=True, attention="eager", batch=1, sequence=1024
    ),
    "llama-wide-bf16": LW,
    "llama-wide-bf16-checkpointing": replace(LW, checkpointing=True),
    "llama-wide-autocast": replace(LW, **MIXED, sequence=1024),
    "llama-deep-bf16": replace(LL, batch=4, sequence=1024, model=of.LLAMA | {"num_hidden_layers": 16}),
    "llama-short": replace(LL, batch=1, sequence=128),
    "llama-tied-vocabulary": Case("LlamaConfig", of.TIED),
    "llama-mha-vocabulary": Case("LlamaConfig", of.MHA, batch=4, sequence=256),
    "llama-tied-autocast": Case("LlamaConfig", of.TIED, **MIXED, batch=1),
    # optimizers
    "llama-bf16-fused": replace(LL, optimizer="adamw-fused", variant="fused"),
    "llama-fp32-fused": replace(LL, weights="fp32", optimizer="adamw-fused", variant="fused"),
    "llama-fp32-for-loop": replace(
        LL, weights="fp32", optimizer="adamw-loop", variant="for-loop", sequence=64
    ),
    "llama-wide-fp32-foreach": replace(LW, weights="fp32", sequence=128),
    "llama-bf16-sgd": replace(LL, optimizer="sgd"),
    "llama-fp32-momentum": replace(LL, weights="fp32", optimizer="sgd_momentum", sequence=64),
    "llama-fp32-adagrad": replace(LL, weights="fp32", optimizer="adagrad", sequence=64),
    "llama-fp32-adafactor": replace(
        LL, weights="fp32", optimizer="adafactor", variant="transformers", sequence=64
    ),
    "llama-bf16-muon": replace(LL, optimizer="muon", sequence=64),
    # few tokens and a wide vocabulary: the end of the backward pass is the peak
    "llama-tied-momentum-short": Case(
        "LlamaConfig", of.TIED, optimizer="sgd_momentum", batch=1, sequence=128
    ),
    "qwen2-fp32-tied-chunked": replace(
        Q2, weights="fp32", optimizer="sgd_momentum", checkpointing=True, loss="chunked"
    ),
    "mixtral-tied-short": Case(
        "MixtralConfig",
        of.MIXTRAL | {"tie_word_embeddings": True, "vocab_size": 151936},
        optimizer="sgd_momentum",
        sequence=128,
        note="even routing",
    ),
    "mixtral-checkpointing": Case(
        "MixtralConfig", of.MIXTRAL, optimizer="sgd", checkpointing=True, loss="chunked", note="even routing"
    ),
    # adapters and frozen parts
    "llama-bf16-lora": replace(LL, lora=LORA),
    "llama-wide-lora-all": replace(LW, lora={"rank": 32, "targets": LINEARS}, sequence=1024),
    "llama-wide-lora-checkpointing": replace(LW, lora={"rank": 32, "targets": LINEARS}, checkpointing=True),
    "llama-bf16-frozen-embedding": replace(LL, frozen=("embed_tokens", "lm_head")),
    # two ranks
    "llama-fp32-ddp": replace(LL, weights="fp32", sharding="ddp"),
    "llama-autocast-ddp": replace(LL, **MIXED, sharding="ddp"),
    "llama-bf16-fsdp": replace(LL, sharding="fsdp"),
    "llama-fp32-fsdp": replace(LL, weights="fp32", sharding="fsdp"),
    "llama-wide-fsdp-mixed": replace(LW, weights="fp32", sharding="fsdp-mixed", sequence=512),
    "llama-wide-fsdp-checkpointing": replace(LW, sharding="fsdp", checkpointing=True),
    # the loss
    "llama-bf16-chunked": replace(LL, loss="chunked", sequence=1024),
    "qwen3-bf16-chunked": replace(Q3, loss="chunked", sequence=1024),
    # other dense models
    "gpt2-bf16": G2,
    "gpt2-fp32": replace(G2, weights="fp32"),
    "gpt2-autocast": replace(G2, **MIXED),
    "gpt2-bf16-eager": replace(G2, attention="eager"),
    "gpt2-autocast-eager": replace(G2, **MIXED, attention="eager", sequence=1024),
    "gpt2-fp32-eager": replace(G2, weights="fp32", attention="eager"),
    "gpt2-bf16-checkpointing": replace(G2, checkpointing=True, batch=4, sequence=1024),
    "gpt2-autocast-momentum": replace(G2, **MIXED, optimizer="sgd_momentum", batch=4, sequence=256),
    "qwen2-bf16": replace(Q2, batch=1),
    "qwen2-autocast": replace(Q2, **MIXED, batch=1),
    "qwen2-bf16-checkpointing": replace(Q2, checkpointing=True),
    "qwen3-bf16": Q3,
    "qwen3-fp32": replace(Q3, weights="fp32", batch=4, sequence=256),
    "qwen3-autocast": replace(Q3, **MIXED),
    "qwen3-bf16-eager": replace(Q3, attention="eager"),
    "qwen3-bf16-masked": replace(Q3, **NO_CACHE, variant="masked", note=MASKED),
    "mistral-bf16": replace(MI, batch=4, sequence=512),
    "mistral-autocast-checkpointing": replace(MI, **MIXED, checkpointing=True),
    # DeepSeek: multi-head latent attention, dense and with experts
    "dsv3-dense-bf16": V3,
    "dsv3-dense-fp32": replace(V3, weights="fp32"),
    "dsv3-dense-autocast": replace(V3, **MIXED, batch=1, sequence=1024),
    "dsv3-dense-bf16-eager": replace(V3, attention="eager"),
    "dsv3-dense-bf16-checkpointing": replace(V3, checkpointing=True, batch=4, sequence=1024),
    "dsv2-dense-bf16": V2,
    "dsv2-dense-autocast": replace(V2, **MIXED),
    "dsv3-experts-bf16": V3E,
    "dsv3-experts-autocast": replace(V3E, **MIXED),
    "dsv3-experts-bf16-checkpointing": replace(V3E, checkpointing=True, sequence=1024),
    "dsv2-experts-bf16": V2E,
    "dsv2-experts-fp32": replace(V2E, weights="fp32"),
    # other mixtures of experts
    "qwen3-experts-bf16": Case("Qwen3MoeConfig", of.QWEN3_MOE, note="even routing"),
    "mixtral-bf16": Case("MixtralConfig", of.MIXTRAL, note="even routing"),
    "mixtral-autocast": Case("MixtralConfig", of.MIXTRAL, **MIXED, note="even routing"),
}
CASES |= {
    # families that differ from Llama in a norm, an activation, a bias or the head
    "arcee-autocast": Case("ArceeConfig", of.OTHER, **MIXED, sequence=1024),
    "cohere-bf16": Case("CohereConfig", of.OTHER, sequence=1024),
    "gemma-bf16": Case("GemmaConfig", of.SIXTY_FOUR, sequence=1024),
    "gemma2-bf16": Case("Gemma2Config", of.SIXTY_FOUR, sequence=1024),
    "gemma2-autocast-eager": Case("Gemma2Config", of.SIXTY_FOUR, **MIXED, attention="eager", optimizer="sgd"),
    "glm4-bf16": Case("Glm4Config", of.SIXTY_FOUR | {"pad_token_id": 0}, sequence=1024),
    "gpt-neox-bf16": Case("GPTNeoXConfig", of.OTHER | {"num_key_value_heads": 16}, sequence=1024),
    "granite-autocast-checkpointing": Case("GraniteConfig", of.OTHER, **MIXED, checkpointing=True),
    "olmo2-bf16": Case("Olmo2Config", of.OTHER, sequence=1024),
    "phi-autocast": Case("PhiConfig", of.OTHER, **MIXED, sequence=1024),
    "phi3-bf16": Case("Phi3Config", of.PADDED, sequence=1024),
    "seed-oss-bf16-eager": Case("SeedOssConfig", of.SIXTY_FOUR, attention="eager", optimizer="sgd"),
    "starcoder2-bf16": Case("Starcoder2Config", of.OTHER, sequence=1024),
}
L8 = Case("LlamaConfig", of.LLAMA_8B, batch=1, sequence=2048)
VL = Case("DeepseekV2Config", of.V2_LITE, batch=1, sequence=2048, note="even routing")
CASES |= {
    # models as they are published
    "llama-1b-autocast": Case("LlamaConfig", of.LLAMA_1B, **MIXED, batch=4, sequence=1024),
    "llama-1b-bf16": Case("LlamaConfig", of.LLAMA_1B, batch=8, sequence=1024),
    "llama-8b-bf16": L8,
    "llama-8b-bf16-checkpointing": replace(L8, checkpointing=True, batch=2, sequence=4096),
    "llama-8b-autocast-checkpointing": replace(L8, **MIXED, checkpointing=True, batch=1, sequence=8192),
    "llama-8b-lora": replace(L8, lora=LORA, batch=2),
    "llama-8b-lora-all-checkpointing": replace(
        L8, lora={"rank": 64, "targets": LINEARS}, checkpointing=True, batch=4
    ),
    "llama-8b-fsdp-mixed": replace(
        L8, weights="fp32", sharding="fsdp-mixed", checkpointing=True, sequence=4096
    ),
    "qwen2-half-bf16": Case("Qwen2Config", of.QWEN2_HALF, batch=8, sequence=1024),
    "qwen3-4b-autocast-checkpointing": Case(
        "Qwen3Config", of.QWEN3_4B, **MIXED, checkpointing=True, batch=4, sequence=2048
    ),
    "qwen3-4b-bf16": Case("Qwen3Config", of.QWEN3_4B, batch=2, sequence=2048),
    "gpt2-xl-autocast": Case("GPT2Config", of.GPT2_XL, **MIXED, batch=4, sequence=1024),
    "gpt2-xl-fp32-checkpointing": Case(
        "GPT2Config", of.GPT2_XL, weights="fp32", checkpointing=True, batch=8, sequence=1024
    ),
    "dsv2-lite-bf16": VL,
    "dsv2-lite-autocast-checkpointing": replace(VL, **MIXED, checkpointing=True, batch=2),
    "dsv2-lite-lora": replace(VL, lora={"rank": 16, "targets": ["q_proj", "kv_b_proj", "o_proj"]}, batch=2),
    "dsv3-four-layers-bf16": Case(
        "DeepseekV3Config", of.V3_FOUR, batch=1, sequence=4096, note="even routing"
    ),
    "dsv3-four-layers-checkpointing": Case(
        "DeepseekV3Config", of.V3_FOUR, batch=2, sequence=4096, checkpointing=True, note="even routing"
    ),
}
HIDDEN = {
    "gemma2-hidden": Case("Gemma2Config", of.SIXTY_FOUR, loss="hidden"),
    "llama-bf16-hidden": replace(LL, loss="hidden", sequence=1024),
    "gpt2-bf16-eager-hidden": replace(G2, loss="hidden", attention="eager"),
    "gpt2-autocast-eager-hidden": replace(G2, **MIXED, loss="hidden", attention="eager"),
    "dsv3-experts-hidden": replace(V3E, loss="hidden", sequence=1024),
    "dsv2-experts-hidden": replace(V2E, loss="hidden", sequence=1024),
    "mixtral-hidden": Case("MixtralConfig", of.MIXTRAL, loss="hidden", sequence=1024),
    "qwen3-experts-hidden": Case("Qwen3MoeConfig", of.QWEN3_MOE, loss="hidden", sequence=1024),
}
"""Without the head, for `peaks.py` and `saved.py`: what the layers alone do. No SPEC says that."""
GENERATIONS = {
    "generate-llama": Generation("LlamaConfig", of.LLAMA),
    "generate-llama-long": Generation("LlamaConfig", of.WIDE, prompt=4096, new=32),
    "generate-llama-batch": Generation("LlamaConfig", of.MHA, batch=8, prompt=128, new=256),
    "generate-llama-fp32": Generation("LlamaConfig", of.LLAMA, weights="fp32", batch=2, prompt=512, new=128),
    "generate-gpt2": Generation("GPT2Config", of.GPT2, batch=4, prompt=512, new=256),
    "generate-qwen2": Generation("Qwen2Config", of.QWEN2, prompt=2048, new=64),
    "generate-qwen3": Generation("Qwen3Config", of.QWEN3, batch=2, prompt=2048, new=64),
    "generate-llama-eager": Generation("LlamaConfig", of.LLAMA, attention="eager", prompt=1024, new=32),
    "generate-dsv3": Generation("DeepseekV3Config", of.DENSE, prompt=2048, new=64),
    "generate-dsv2": Generation("DeepseekV2Config", of.DENSE, batch=4, prompt=256, new=128),
    "generate-dsv3-experts": Generation(
        "DeepseekV3Config", of.WITH_EXPERTS, prompt=2048, new=4, note="even routing"
    ),
    "generate-llama-8b": Generation("LlamaConfig", of.LLAMA_8B, prompt=8192, new=128),
    "generate-llama-8b-batch": Generation("LlamaConfig", of.LLAMA_8B, batch=16, prompt=512, new=128),
    "generate-qwen3-4b": Generation("Qwen3Config", of.QWEN3_4B, batch=4, prompt=4096, new=32),
    "generate-dsv2-lite": Generation("DeepseekV2Config", of.V2_LITE, prompt=4096, new=8, note="even routing"),
    "generate-dsv3-four-layers": Generation(
        "DeepseekV3Config", of.V3_FOUR, prompt=4096, new=4, note="even routing"
    ),
}
