"""Ollama asks for far more memory than the model's size: it is the context

What it means
    The requirement is weights plus KV cache of the whole context, times the parallel requests. A small model with a context of
    a hundred thousand tokens needs several times its own size.

Evidence
    `requires more system memory (A)`, where A is several times what the weights of this many parameters take; or the log of
    the estimate, whose cache is a good part of it.

Fix
    A shorter context (`num_ctx`), one request at a time, a quantized cache. Older versions also overestimated some models: a
    newer one may ask for less.

When it is wrong
    If the weights are most of the requirement, only a smaller model or more memory helps (DS515).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.fixes.prescribe import prescribe
from dstop.doctor.questions.arithmetic import gib
from dstop.doctor.questions.asking import told_by
from dstop.doctor.questions.engines import loaded_bytes
from dstop.doctor.rule import SAYS_SO, Assessment, Rule
from dstop.model.diagnosis import Evidence
from dstop.units import GIB

if TYPE_CHECKING:
    from dstop.doctor.case import Case

_BYTES_A_PARAMETER = 0.65
"""Q4_K_M, the default of Ollama's library: 4.85 bits and the tables that stay in higher precision."""
_FAR = 2.5
_CACHE_SHARE = 0.4
_USUAL_CONTEXT = 4096


def _examine(case: Case) -> Assessment | None:
    sign = next((one for one in case.all("ollama.host_memory") if one.values), None)
    need = sign.number("need_bytes") if sign is not None else None
    if sign is None or not need:
        return None
    cache = next(
        (one.number("kv_bytes") for one in case.all("ollama.kv_need") if one.number("kv_bytes")), None
    )
    weights = loaded_bytes(case)
    parameters = case.number("parameters")
    if weights is None and parameters is not None:
        weights = int(parameters * _BYTES_A_PARAMETER)
    if cache is not None and cache >= _CACHE_SHARE * need:
        says = f"{gib(cache)} of the {gib(need)} is KV cache"
    elif cache is None and weights is not None and need >= _FAR * weights + GIB:
        says = f"{gib(need)} is needed, and the weights take about {gib(weights)}: the rest is context"
    else:
        return None
    length = _context(case)
    commands = {}
    if length is not None and length > _USUAL_CONTEXT:
        commands["reduce_max_model_len"] = f"PARAMETER num_ctx {max(_USUAL_CONTEXT, length // 4)}"
    return Assessment(
        strength=SAYS_SO,
        evidence=(told_by(sign), Evidence(source=str(sign.place), says=says, value=need)),
        at=sign.place,
        title=f"Ollama needs {gib(need)}, most of it for the context",
        fixes=prescribe(
            case,
            "reduce_max_model_len",
            "reduce_max_num_seqs",
            "kv_cache_quant",
            "upgrade_version",
            "increase_host_ram",
            commands=commands,
            short_bytes=max(0, need - (sign.number("available_bytes") or need)) or None,
        ),
    )


def _context(case: Case) -> int | None:
    for sign in case.all("ollama.context"):
        for name in ("length_count", "kv_count", "asked_count"):
            length = sign.number(name)
            if length:
                return length
    return case.number("max_model_len")


RULE = Rule(
    id="DS516",
    name="ollama-context",
    cause="kv_cache_max_len",
    title="Ollama asks for far more memory than the model's size: it is the context",
    page=__doc__ or "",
    examine=_examine,
    fires=(
        """$ OLLAMA_CONTEXT_LENGTH=131072 ollama run qwen2.5:7b
Error: model requires more system memory (31.7 GiB) than is available (22.3 GiB)
""",
    ),
    near_miss=(
        """$ ollama run llama3.3:70b
Error: model requires more system memory (42.4 GiB) than is available (30.1 GiB)
""",
    ),
)
