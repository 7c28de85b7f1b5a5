"""Inside its own share of the card the engine has nothing left for the KV cache

What it means
    The engine's budget is a share of the card: weights, the peak of the profiling run and the graphs come off it, and what is
    left becomes the KV cache. Nothing was left, although the card itself may have room.

Evidence
    `No available memory for the cache blocks`, or a negative `Available KV cache memory` (vLLM); `No enough gpu memory for kv
    cache` (lmdeploy).

Fix
    More budget: a higher utilization, more cards for the weights, fewer bytes a weight. Or a lower peak: fewer sequences and
    batched tokens in the profiling run. On vLLM's CPU backend the budget is `VLLM_CPU_KVCACHE_SPACE`.

When it is wrong
    A shorter context does not help here: it makes no block appear where there is room for none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.fixes.prescribe import prescribe
from dstop.doctor.questions.arithmetic import gib
from dstop.doctor.questions.asking import told_by
from dstop.doctor.questions.engines import card_bytes, loaded_bytes, share, share_above, utilization
from dstop.doctor.rule import PROVEN, SAYS_SO, Assessment, Rule
from dstop.model.diagnosis import Evidence
from dstop.units import GIB

if TYPE_CHECKING:
    from dstop.doctor.case import Case

_HIGH, _HIGHEST = 0.93, 0.97
_USUAL = 0.9
_MOSTLY = 0.8


def _examine(case: Case) -> Assessment | None:
    said = case.first("vllm.no_kv_blocks", "lmdeploy.no_blocks", "tgi.budget")
    if said is not None and said.kind == "tgi.budget":
        fixes = prescribe(
            case, "reduce_max_batch_tokens", "quantize", "shard_more_gpus", "reduce_max_model_len"
        )
        return Assessment(strength=SAYS_SO, evidence=(told_by(said),), at=said.place, fixes=fixes)
    negative = case.first("vllm.kv_negative")
    sign = said or negative
    if sign is None:
        return None
    failure = case.failure
    if said is None and failure is not None and failure.place.order > sign.place.order:
        return None  # it went on; what failed comes later
    evidence = [told_by(sign)] + (
        [told_by(negative)] if negative is not None and negative is not sign else []
    )
    weights, used, total = loaded_bytes(case), utilization(case), card_bytes(case)
    missing = None if negative is None else negative.number("missing_bytes")
    is_weights = weights is not None and total is not None and weights >= _MOSTLY * (used or _USUAL) * total
    if weights is not None:
        of = f" of the {gib(int((used or _USUAL) * total))} that the engine may use" if total else ""
        evidence.append(
            Evidence(source=str(sign.place), says=f"the weights take {gib(weights)}{of}", value=weights)
        )
    commands = {"lower_kv_cache_fraction": "--cache-max-entry-count 0.9"}
    raised = _raised(used, missing, total)
    if raised is not None:
        commands["raise_gpu_memory_utilization"] = f"--gpu-memory-utilization {share(raised)}"
    return Assessment(
        strength=SAYS_SO if said is not None else PROVEN + 5,
        evidence=tuple(evidence),
        against=("a shorter --max-model-len makes no room where nothing is left for a single block",),
        at=sign.place,
        fixes=prescribe(
            case,
            *_fixes(case, is_weights=is_weights, is_high=used is not None and used >= _HIGH),
            commands=commands,
            short_bytes=missing,
        ),
    )


def _raised(used: float | None, missing: int | None, total: int | None) -> float | None:
    """Give the utilization that holds what is missing and a GiB of cache; None where that is above all sense."""
    if missing is None or not total:
        return None
    wanted = share_above((used or _USUAL) + (missing + GIB) / total)
    return wanted if wanted <= _HIGHEST else None


def _fixes(case: Case, *, is_weights: bool, is_high: bool) -> tuple[str, ...]:
    if case.has("vllm.cpu_backend"):
        return (
            "raise_cpu_kvcache_space",
            "increase_host_ram",
            "raise_gpu_memory_utilization",
            "use_smaller_model",
        )
    if case.has("lmdeploy.no_blocks"):
        return (
            "shard_more_gpus",
            "quantize",
            "reduce_max_batch_tokens",
            "kill_other_process",
            "use_smaller_model",
        )
    if is_high:
        return (
            "shard_more_gpus",
            "quantize",
            "reduce_max_num_seqs",
            "reduce_max_batch_tokens",
            "use_smaller_model",
        )
    if is_weights:
        return (
            "raise_gpu_memory_utilization",
            "shard_more_gpus",
            "quantize",
            "use_smaller_model",
            "reduce_max_num_seqs",
        )
    return (
        "raise_gpu_memory_utilization",
        "reduce_max_num_seqs",
        "shard_more_gpus",
        "reduce_max_batch_tokens",
        "quantize",
    )


RULE = Rule(
    id="DS502",
    name="engine-no-room-for-cache",
    cause="kv_budget_too_small",
    title="Inside its own share of the card the engine has nothing left for the KV cache",
    page=__doc__ or "",
    examine=_examine,
    fires=(
        """INFO 03-11 10:02:12 [gpu_model_runner.py:1281] Model loading took 18.7301 GiB and 9.1 seconds
INFO 03-11 10:02:31 [gpu_worker.py:227] Available KV cache memory: -0.93 GiB
ERROR 03-11 10:02:31 [core.py:390] ValueError: No available memory for the cache blocks. Try increasing `gpu_memory_utilization` when initializing the engine.
""",
        "RuntimeError: No enough gpu memory for kv cache.\n",
    ),
    near_miss=(
        """INFO 03-11 10:02:31 [gpu_worker.py:227] Available KV cache memory: 4.93 GiB
INFO 03-11 10:02:31 [kv_cache_utils.py:634] GPU KV cache size: 40,384 tokens
INFO:     Application startup complete.
""",
    ),
)
