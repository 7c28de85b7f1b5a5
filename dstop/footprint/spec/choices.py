"""The words that a SPEC may use, and the other names that people have for them."""

from __future__ import annotations

import re

PHASES = ("training", "inference")
_ELEMENTS = {
    "bfloat16": "bf16",
    "float16": "fp16",
    "half": "fp16",
    "float32": "fp32",
    "float": "fp32",
    "float8": "fp8",
    "float8_e4m3fn": "fp8",
    "fp8_e4m3": "fp8",
    "fp8_e5m2": "fp8",
}
ELEMENTS = ("fp32", "bf16", "fp16", "fp8")
TRAINABLE = ("fp32", "bf16", "fp16", "native")
"""Formats that gradients can be taken of; others only below adapters."""
WEIGHTS = (
    "native",
    *ELEMENTS,
    "int8",
    "int4",
    "awq",
    "gptq",
    "nf4",
    "nf4-dq",
    "mxfp4",
    "nvfp4",
    "q8_0",
    "q6_k",
    "q5_k_m",
    "q5_0",
    "q4_k_m",
    "q4_0",
)
KV_CACHE = (*ELEMENTS, "int8", "int4", "fp4", "q8_0", "q4_0", "fp8_ds_mla", "nvfp4_ds_mla")
FRAMEWORKS = ("pytorch", "hf", "vllm", "sglang", "megatron", "deepspeed", "llama.cpp")
_FRAMEWORKS = {
    "transformers": "hf",
    "huggingface": "hf",
    "torch": "pytorch",
    "fsdp": "pytorch",
    "torchtitan": "pytorch",
    "torchtune": "pytorch",
    "megatron-lm": "megatron",
    "megatron-core": "megatron",
    "megatron-bridge": "megatron",
    "nemo": "megatron",
    "llamacpp": "llama.cpp",
    "ollama": "llama.cpp",
}
SERVING = ("vllm", "sglang", "llama.cpp")
CHECKPOINTING = ("none", "selective", "full", "offload")
ATTENTION = ("sdpa", "flash", "eager")
MLA_CACHE = ("latent", "expanded", "padded")
SPECULATIVE = ("none", "mtp")
LOSSES = ("full", "chunked", "fused")
STAGES = ("max", "first", "last")

_ALIASES = {
    **_ELEMENTS,
    **_FRAMEWORKS,
    "flash_attention_2": "flash",
    "flash_attention_3": "flash",
    "train": "training",
    "infer": "inference",
    "serving": "inference",
}
_BITS = re.compile(r"\d{1,2}(\.\d{1,4})?bpw")


def plain(word: str) -> str:
    """Give the name that dstop uses for a word: `bfloat16` is `bf16`, `transformers` is `hf`."""
    word = word.strip().lower()
    word = word.removeprefix("torch.")
    return _ALIASES.get(word, word)


def is_average(word: str) -> bool:
    """Whether it is an average of bits a parameter, such as `5.67bpw`."""
    return _BITS.fullmatch(word) is not None
