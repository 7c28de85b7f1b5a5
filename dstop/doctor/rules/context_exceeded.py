"""A prompt is longer than the context

What it means
    The server or model has a fixed number of tokens for prompt and answer, and this request has more. It is a setting, not
    a lack of memory, although a longer context costs KV cache.

Evidence
    `maximum context length is ... tokens`, `exceed context window`, TGI's `must be <=`, llama.cpp without a free slot.

Fix
    Raise the context where the model and the cache allow it; else a shorter prompt, or fewer tokens to generate.

When it is wrong
    If the engine says that its KV cache cannot hold the context, that is memory (DS5xx).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.questions.frameworks import ENGINES
from dstop.doctor.questions.innocent import not_memory
from dstop.doctor.rule import PROVEN, Rule

if TYPE_CHECKING:
    from dstop.doctor.case import Case
    from dstop.doctor.rule import Assessment


def _examine(case: Case) -> Assessment | None:
    sign = case.first("other.context_length")
    if sign is None:
        return None
    has, wants = sign.number("has_count"), sign.number("wants_count")
    title = f"{wants} tokens are more than the context of {has}" if has and wants else None
    fixes = ["increase_context", "limit_output_tokens", "reduce_seq_len", "change_config"]
    if "derived max_model_len" in sign.text:
        fixes = ["reduce_max_model_len", "change_config", "increase_context"]
    if case.phase in {"training", "forward", "backward"} and case.framework not in ENGINES:
        fixes = ["reduce_seq_len", "change_config", "increase_context"]
    commands = {"increase_context": _option(case, wants or 0)}
    if has and "reduce_max_model_len" in fixes:
        commands["reduce_max_model_len"] = f"--max-model-len {has}"
    return not_memory(case, sign, PROVEN + 10, fixes, title=title, commands=commands)


def _option(case: Case, wants: int) -> str:
    length = 1 << max(12, wants.bit_length())
    options = {
        "sglang": f"--context-length {length}",
        "tgi": f"--max-input-tokens {length - 1024} --max-total-tokens {length}",
        "llama.cpp": f"-c {length}",
        "ollama": f"PARAMETER num_ctx {length}",
        "lmdeploy": f"--session-len {length}",
        "tensorrt-llm": f"--max_seq_len {length}",
    }
    return options.get(case.framework, f"--max-model-len {length}")


RULE = Rule(
    id="DS915",
    name="context-exceeded",
    cause="not_memory",
    title="A prompt is longer than the context",
    page=__doc__ or "",
    examine=_examine,
    fires=(
        "ValueError: This model's maximum context length is 8192 tokens. However, you requested 8203 tokens (7691 in the messages, 512 in the completion). Please reduce the length of the messages or completion.\n",
        "ValueError: Requested tokens (5219) exceed context window of 2048\n",
        "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. Given: 4000 `inputs` tokens and 512 `max_new_tokens`\n",
    ),
    near_miss=(
        "ValueError: The model's max seq len (29000) is larger than the maximum number of tokens that can be stored in KV cache (23648). Try increasing `gpu_memory_utilization` or decreasing `max_model_len` when initializing the engine.\n",
    ),
)
