"""The engine needs more host memory than there is

What it means
    Layers that are not on the card, swap space, a host tier of the KV cache, pinned buffers: the engine counts them before it
    starts, or asks for them, and the machine, or its container, has less.

Evidence
    Ollama: `model requires more system memory (A) than is available (B)`. SGLang: `Not enough host memory available. Requesting
    A GB`. vLLM: `Too large swap space`. ggml: `failed to allocate CPU buffer`. TGI: a shard ended by signal 9.

Fix
    A smaller model or context, a smaller host tier, more memory or a higher limit of the container.

When it is wrong
    If Ollama asks for many times the size of the model, its context is the reason (DS516).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.fixes.prescribe import prescribe
from dstop.doctor.questions.arithmetic import gib
from dstop.doctor.questions.asking import told_by
from dstop.doctor.rule import PROVEN, SAYS_SO, Assessment, Rule
from dstop.model.diagnosis import Evidence
from dstop.units import GIB

if TYPE_CHECKING:
    from dstop.doctor.case import Case
    from dstop.doctor.evidence.facts import Sign

_SIGKILL = 9
_SWAP_SHARE = 0.3


def _examine(case: Case) -> Assessment | None:
    sign = case.first("ollama.host_memory", "sglang.host_cache", "vllm.swap_space")
    if sign is not None:
        return _told(case, sign, SAYS_SO - 2, subcause=None)
    buffer = case.first("ggml.host_weights", "ggml.host_buffer")
    if buffer is not None and (case.failure is None or case.failure.place.order > buffer.place.order):
        if case.has("ggml.kv") or case.has("ggml.serving"):
            return None
        is_pinned = "_Host" in str(buffer.values.get("buffer", ""))
        return _told(case, buffer, PROVEN + 8, subcause="pinned_host_memory" if is_pinned else None)
    killed = next(
        (one for one in case.all("tgi.shard_signal") if one.number("signal_count") == _SIGKILL), None
    )
    if killed is not None and case.failure is None:
        return _told(case, killed, PROVEN, subcause=None)
    return None


def _told(case: Case, sign: Sign, strength: int, *, subcause: str | None) -> Assessment:
    need = sign.number("need_bytes") or sign.number("tried_bytes") or sign.number("swap_bytes")
    there = sign.number("available_bytes") or sign.number("host_bytes")
    evidence = [told_by(sign)]
    short = None
    if need is not None and there is not None and need > there:
        short = need - there
        says = f"{gib(need)} is needed, {gib(there)} is there: {gib(short)} short"
        evidence.append(Evidence(source=str(sign.place), says=says, value=short))
    commands: dict[str, str] = {}
    host = sign.number("host_bytes")
    if sign.kind == "vllm.swap_space":
        room = int((host or 0) * _SWAP_SHARE / max(1, case.number("tensor_parallel") or 1)) // GIB
        commands["reduce_host_cache_size"] = f"--swap-space {room}"
        commands["change_config"] = commands["reduce_host_cache_size"]
    return Assessment(
        strength=strength,
        evidence=tuple(evidence),
        at=sign.place,
        subcause=subcause,
        fixes=prescribe(case, *_FIXES[sign.kind], commands=commands, short_bytes=short),
    )


_FIXES: dict[str, tuple[str, ...]] = {
    "ollama.host_memory": (
        "use_smaller_model",
        "increase_host_ram",
        "reduce_max_model_len",
        "raise_memory_limit",
        "add_swap",
        "kv_cache_quant",
    ),
    "sglang.host_cache": ("reduce_host_cache_size", "increase_host_ram", "raise_memory_limit"),
    "vllm.swap_space": ("reduce_host_cache_size", "increase_host_ram", "raise_memory_limit", "change_config"),
    "ggml.host_weights": (
        "use_smaller_model",
        "increase_host_ram",
        "raise_memory_limit",
        "add_swap",
        "reduce_max_model_len",
    ),
    "ggml.host_buffer": (
        "use_smaller_model",
        "increase_host_ram",
        "reduce_max_model_len",
        "raise_memory_limit",
        "add_swap",
    ),
    "tgi.shard_signal": ("raise_memory_limit", "increase_host_ram", "use_smaller_model", "increase_shm"),
}

RULE = Rule(
    id="DS515",
    name="engine-host-memory",
    cause="host_ram_oom",
    title="The engine needs more host memory than there is",
    page=__doc__ or "",
    examine=_examine,
    fires=(
        "Error: model requires more system memory (18.4 GiB) than is available (11.9 GiB)\n",
        """ValueError: Not enough host memory available. Requesting 181.20 GB but only have 96.41 GB free. Please reduce the size of the hierarchical cache.
""",
        "ValueError: Too large swap space. 32.00 GiB out of the 31.20 GiB total CPU memory is allocated for the swap space.\n",
        """ggml_aligned_malloc: insufficient memory (attempted to allocate 36000.00 MB)
alloc_tensor_range: failed to allocate CPU buffer of size 37748736000
llama_model_load: error loading model: unable to allocate CPU buffer
""",
    ),
    near_miss=(
        """WARNING 06-21 08:32:55 config.py:1148] Possibly too large swap space. 4.00 GiB out of the 7.74 GiB total CPU memory is allocated for the swap space.
INFO:     Application startup complete.
""",
    ),
)
