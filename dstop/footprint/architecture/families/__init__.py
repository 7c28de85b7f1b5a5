"""Who reads which `model_type`: one file a family, imported when a config names it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dstop.footprint.architecture.fields import Fields
    from dstop.footprint.architecture.values import Architecture

    Reader = Callable[[Fields, str], Architecture]

READERS = {
    "arcee": "llama",
    "cohere": "cohere",
    "cohere2": "cohere",
    "deepseek": "deepseek",
    "deepseek_v2": "mla",
    "deepseek_v3": "mla",
    "deepseek_v32": "mla",
    "deepseek_v4": "deepseek_v4",
    "glm_moe_dsa": "mla",
    "kimi_k2": "mla",
    "dots1": "deepseek",
    "ernie4_5": "llama",
    "gemma": "gemma",
    "gemma2": "gemma",
    "gemma3_text": "gemma",
    "glm": "llama",
    "glm4": "llama",
    "glm4_moe": "deepseek",
    "gpt2": "gpt2",
    "gpt_neox": "gpt_neox",
    "gpt_oss": "gpt_oss",
    "granite": "llama",
    "llama": "llama",
    "mistral": "llama",
    "mixtral": "mixtral",
    "olmo": "olmo",
    "olmo2": "olmo",
    "olmo3": "olmo",
    "olmoe": "olmo",
    "opt": "opt",
    "phi": "phi",
    "phi3": "phi",
    "qwen2": "qwen",
    "qwen2_moe": "qwen",
    "qwen3": "qwen",
    "qwen3_moe": "qwen",
    "seed_oss": "qwen",
    "smollm3": "llama",
    "starcoder2": "starcoder",
}
"""`model_type` -> module of this package with `read(fields, family)`."""

MORE: list[Callable[[], Mapping[str, Reader]]] = []
"""What gives the readers of plugins, `model_type` -> reader; asked only for a family that none of ours reads."""


def reader_of_plugins(family: str) -> Reader | None:
    """Give a plugin's reader of a family; None where no plugin has one."""
    return next((readers[family] for readers in (give() for give in MORE) if family in readers), None)
