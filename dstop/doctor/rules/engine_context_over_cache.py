"""One request of the longest context does not fit into the KV cache

What it means
    The engine has room for a KV cache, but not for a single sequence of `max_model_len` tokens, and refuses to start. The
    length is often the model's own maximum, which nobody asked for.

Evidence
    The message prints both sides: tokens of the longest request against tokens that fit (vLLM to 0.8), or GiB against GiB with
    the length that would fit (V1). Bytes a token follow from them: need / length.

Fix
    `--max-model-len` as the message computes it; an fp8 cache halves the bytes a token; a higher utilization or more cards
    make the cache larger.

When it is wrong
    If the length that fits is a few hundred tokens, the weights fill the card (DS502, DS509).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.fixes.prescribe import prescribe
from dstop.doctor.questions.arithmetic import gib
from dstop.doctor.questions.asking import failure_lines, told_by
from dstop.doctor.questions.engines import card_bytes, share, share_above, utilization
from dstop.doctor.rule import FITS, PROVEN, SAYS_SO, Assessment, Rule
from dstop.model.diagnosis import Evidence
from dstop.units import GIB

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dstop.doctor.case import Case
    from dstop.doctor.evidence.facts import Sign

_BLOCK = 16
_HIGHEST = 0.97
_USUAL = 0.9
_TINY = 1024


def _examine(case: Case) -> Assessment | None:
    sign = _fullest(case.all("vllm.kv_too_short"))
    if sign is None:
        return _of_others(case)
    need, available = sign.number("need_bytes"), sign.number("available_bytes")
    length, fits = sign.number("length_count"), _fits(case, sign)
    short = None if need is None or available is None else need - available
    evidence = [told_by(sign)]
    if need is not None and available is not None and length:
        says = f"{need / length / 1024:.1f} KiB a token: {length:,} tokens take {gib(need)}, {gib(available)} is there"
        evidence.append(Evidence(source=str(sign.place), says=says, value=short))
    elif length and fits:
        says = f"{length:,} tokens were asked for, {fits:,} fit"
        evidence.append(Evidence(source=str(sign.place), says=says, value=length - fits))
    commands = {} if not fits else {"reduce_max_model_len": f"--max-model-len {fits}"}
    raised = _raised(case, short)
    if raised is not None:
        commands["raise_gpu_memory_utilization"] = f"--gpu-memory-utilization {share(raised)}"
    fixes = [
        "reduce_max_model_len",
        "raise_gpu_memory_utilization",
        "kv_cache_fp8",
        "shard_more_gpus",
        "quantize",
    ]
    if fits is not None and fits < _TINY:
        fixes.remove("shard_more_gpus")
        fixes.insert(2, "shard_more_gpus")
    if case.has("vllm.cpu_backend"):
        fixes[1] = "raise_cpu_kvcache_space"
    if raised is None and short is not None and (utilization(case) or 0) >= _HIGHEST - 0.02:
        fixes.remove("raise_gpu_memory_utilization")
    return Assessment(
        strength=SAYS_SO,
        evidence=tuple(evidence),
        at=sign.place,
        title=f"The KV cache holds {fits:,} tokens, and one request may have {length:,}"
        if fits and length
        else None,
        fixes=prescribe(
            case,
            *fixes,
            commands=commands,
            recovers={
                "reduce_max_model_len": short,
                "kv_cache_fp8": None if need is None else need // 2,
                "raise_gpu_memory_utilization": short if raised is not None else None,
            },
            short_bytes=short,
        ),
    )


def _of_others(case: Case) -> Assessment | None:
    """Say the same of engines that print no figures."""
    sign = case.first("tgi.total_tokens", "trtllm.no_blocks", "exllama.insufficient", "vllm.swap_used")
    if sign is None:
        return _of_a_static_cache(case)
    fixes: tuple[str, ...] = (
        "reduce_max_model_len",
        "kv_cache_fp8",
        "reduce_max_num_seqs",
        "shard_more_gpus",
        "use_smaller_model",
    )
    if sign.kind == "vllm.swap_used":
        fixes = (
            "reduce_max_num_seqs",
            "raise_gpu_memory_utilization",
            "reduce_max_model_len",
            "change_config",
        )
    if sign.kind == "exllama.insufficient":
        fixes = (
            "reduce_max_model_len",
            "kv_cache_quant",
            "use_smaller_model",
            "shard_more_gpus",
            "lower_kv_cache_fraction",
        )
    commands = {"kv_cache_quant": "cache_mode: Q4  # --cache_type q4 in text-generation-webui"}
    return Assessment(
        strength=PROVEN + 3,
        evidence=(told_by(sign),),
        at=sign.place,
        fixes=prescribe(case, *fixes, commands=commands),
    )


def _of_a_static_cache(case: Case) -> Assessment | None:
    """Answer for a cache that is made whole before the first token (StaticCache of transformers)."""
    failure = case.failure
    if (
        failure is None
        or case.in_frames(r"StaticCache|static_cache|:_?init_kv_cache|early_initialization") is None
    ):
        return None
    return Assessment(
        strength=FITS + 12,
        evidence=tuple(failure_lines(case)),
        at=failure.place,
        fixes=prescribe(
            case, "reduce_max_model_len", "fix_device_placement", "kv_cache_quant", "shard_more_gpus"
        ),
    )


def _fullest(signs: Sequence[Sign]) -> Sign | None:
    """Give the message that prints most of its figures: lines cut off or repeated print fewer."""
    return max(signs, key=lambda sign: len(sign.values), default=None)


def _fits(case: Case, sign: Sign) -> int | None:
    """Give the length that fits: as printed, or by the bytes a token, in whole blocks."""
    told = case.first("vllm.kv_fits")
    printed = (
        sign.number("fits_count")
        or sign.number("stored_count")
        or (told.number("fits_count") if told else None)
    )
    if printed is not None:
        return printed
    need, available, length = (
        sign.number(name) for name in ("need_bytes", "available_bytes", "length_count")
    )
    if not need or available is None or not length:
        return None
    return int(length * available / need) // _BLOCK * _BLOCK or None


def _raised(case: Case, short: int | None) -> float | None:
    """Give the utilization that holds what is short; None where that is above all sense, or unknown."""
    total = card_bytes(case)
    if short is None or not total:
        return None
    wanted = share_above((utilization(case) or _USUAL) + (short + GIB // 4) / total)
    return wanted if wanted <= _HIGHEST else None


RULE = Rule(
    id="DS503",
    name="engine-context-over-cache",
    cause="kv_cache_max_len",
    title="One request of the longest context does not fit into the KV cache",
    page=__doc__ or "",
    examine=_examine,
    fires=(
        """ERROR 07-11 06:23:05 [core.py:390] ValueError: To serve at least one request with the models's max seq len (131072), (16.00 GiB KV cache is needed, which is larger than the available KV cache memory (4.24 GiB). Based on the available memory, the estimated maximum model length is 34736. Try increasing `gpu_memory_utilization` or decreasing `max_model_len` when initializing the engine.
""",
        """ValueError: The model's max seq len (32768) is larger than the maximum number of tokens that can be stored in KV cache (14992). Try increasing `gpu_memory_utilization` or decreasing `max_model_len` when initializing the engine.
""",
        "RuntimeError: Insufficient VRAM in split for model and cache\n",
    ),
    near_miss=(
        """INFO 07-11 06:23:05 [kv_cache_utils.py:716] GPU KV cache size: 190,384 tokens
INFO 07-11 06:23:05 [kv_cache_utils.py:720] Maximum concurrency for 32,768 tokens per request: 5.81x
openai.BadRequestError: Error code: 400 - This model's maximum context length is 32768 tokens. However, you requested 40213 tokens
""",
    ),
)
