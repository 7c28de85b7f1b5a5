"""The KV pool is full: not the card, but the engine's own tokens ran out

What it means
    SGLang's pool has a fixed number of tokens. A prefill or a decode step needed more than were free or could be evicted; no
    memory of the card was asked for at all.

Evidence
    `Prefill out of memory. Try to lower your batch size.` or `Decode out of memory.`, with the tokens it tried to allocate; or
    `alloc_req_slots runs out of memory`.

Fix
    A prefill: smaller chunks. A decode: fewer running requests. Or a larger pool: a higher static fraction, an fp8 cache, more
    cards. That direction is the opposite of what an out-of-memory error of CUDA asks for.

When it is wrong
    If it comes at low load, the accounting of this version is wrong (hybrid models, speculative decoding): a newer version.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.fixes.prescribe import prescribe
from dstop.doctor.questions.asking import told_by
from dstop.doctor.questions.engines import share, static_fraction
from dstop.doctor.rule import PROVEN, Assessment, Rule

if TYPE_CHECKING:
    from dstop.doctor.case import Case

_STEP = 0.04
_HIGHEST = 0.94


def _examine(case: Case) -> Assessment | None:
    sign = case.first("sglang.pool_full", "sglang.requests_full")
    if sign is None:
        return None
    failure = case.failure
    if failure is not None and failure.place.order < sign.place.order:
        return None
    is_prefill = str(sign.values.get("what", "")).lower() == "prefill"
    fixes = [
        "reduce_max_num_seqs",
        "reduce_max_model_len",
        "raise_mem_fraction_static",
        "kv_cache_fp8",
        "upgrade_version",
    ]
    if is_prefill:
        fixes = [
            "reduce_chunked_prefill",
            "reduce_max_num_seqs",
            "raise_mem_fraction_static",
            "reduce_max_model_len",
            "kv_cache_fp8",
        ]
    elif sign.kind == "sglang.requests_full":
        fixes = ["reduce_max_num_seqs", "raise_mem_fraction_static", "upgrade_version"]
    fraction = static_fraction(case)
    commands = {}
    if fraction is not None and fraction + _STEP <= _HIGHEST:
        commands["raise_mem_fraction_static"] = f"--mem-fraction-static {share(fraction + _STEP)}"
    pool = case.first("sglang.kv_pool")
    return Assessment(
        strength=PROVEN + 10,
        evidence=tuple(told_by(one) for one in (sign, pool) if one is not None),
        against=("the card did not run out: a lower --mem-fraction-static makes the pool smaller still",),
        at=sign.place,
        fixes=prescribe(case, *fixes, commands=commands),
    )


RULE = Rule(
    id="DS511",
    name="engine-cache-exhausted",
    cause="kv_cache_max_len",
    title="The engine's KV pool is full: its tokens ran out, not the card",
    page=__doc__ or "",
    examine=_examine,
    fires=(
        """[2025-02-21 07:55:01 TP0] max_total_num_tokens=29811, chunked_prefill_size=8192, max_prefill_tokens=16384, max_running_requests=2048, context_len=131072
[2025-02-21 08:00:12 TP0] Prefill out of memory. Try to lower your batch size.
Try to allocate 8192 tokens.
Available tokens: 3711
""",
    ),
    near_miss=(
        """[2025-02-21 08:00:12 TP0] KV cache pool is full. Retract requests. #retracted_reqs: 1, #new_token_ratio: 0.5978 -> 0.8761
[2025-02-21 08:00:14 TP0] Decode batch. #running-req: 31, #token: 28123, token usage: 0.94, gen throughput (token/s): 812.31
""",
    ),
)
