"""SGLang: a static fraction that must be raised for one message and lowered for another.

The texts stand in sglang/srt: model_executor/model_runner*.py and pool_configurator.py (fraction), mem_cache/common.py and
managers/schedule_batch.py (pool), model_executor/cuda_graph_runner.py and runner_backend_utils (capture),
mem_cache/memory_pool_host.py (host).
"""

from __future__ import annotations

from dstop.doctor.evidence.pattern import Pattern

_G = r"\d{1,6}(?:\.\d{1,6})?"
_F = r"[01]?\.\d{1,6}|1"
_S = r"\s{1,16}"
_TOKENS = r"(?:[^\n]{0,80}(?:\n[^\n]{0,8}Try to allocate (?P<tokens_count>\d+) tokens)?)"

MESSAGES: tuple[Pattern, ...] = (
    Pattern(
        "sglang.raise_fraction",
        "mem-fraction-static",
        rf"Not enought? memory\.?{_S}Please try to increase{_S}--mem-fraction-static"
        rf"(?:\.?{_S}Current value: mem_fraction_static=(?P<fraction_ratio>{_F}))?",
    ),
    Pattern(
        "sglang.raise_fraction",
        "leave no GPU memory for the",
        rf"[Ll]oaded weights leave no GPU memory for the KV cache under{_S}--mem-fraction-static=(?P<fraction_ratio>{_F})"
        rf"(?:\.{_S}Raise{_S}--mem-fraction-static above{_S}(?P<above_ratio>{_F})"
        rf"(?:{_S}\(minimum viable = 1 - available/pre = (?P<least_ratio>{_F}))?)?",
    ),
    Pattern(
        "sglang.raise_fraction",
        "Raise --mem-fraction-static",
        rf"Raise --mem-fraction-static above (?P<above_ratio>{_F})",
    ),
    Pattern("sglang.pool_full", "refill out of memory", rf"(?P<what>[Pp]refill) out of memory\.{_TOKENS}"),
    Pattern("sglang.pool_full", "ecode out of memory", rf"(?P<what>[Dd]ecode) out of memory\.{_TOKENS}"),
    Pattern("sglang.requests_full", "runs out of memory", r"alloc_req_slots runs out of memory[^\n]{0,160}"),
    Pattern("sglang.retract", "KV cache pool is full", r"KV cache pool is full\. Retract requests"),
    Pattern(
        "sglang.capture_hint",
        "Possible solutions",
        r"Possible solutions:\s{1,4}1\. set --mem-fraction-static to a smaller value",
    ),
    Pattern(
        "sglang.capture_failed",
        "raph failed",
        r"[Cc]apture (?:\w{1,20} )?[Cc](?:uda|UDA) ?graph failed:? ?(?P<why>[^\n]{0,300})",
    ),
    Pattern(
        "sglang.capture_no_oom",
        "This is not an out-of-memory error",
        r"This is not an out-of-memory error[^\n]{0,120}",
    ),
    Pattern(
        "sglang.capture_no_oom",
        "not from a GPU memory shortage",
        r"not from a GPU memory shortage[^\n]{0,60}",
    ),
    Pattern(
        "sglang.capture_began",
        "graph begin",
        r"[Cc]apture (?:\w{1,20} ){0,3}[Cc](?:uda|UDA) graph begin[^\n]{0,100}",
    ),
    Pattern("sglang.capture_began", "Capturing batches", r"Capturing batches \([^\n]{0,80}"),
    Pattern(
        "sglang.capture_done",
        "graph end",
        r"[Cc]apture (?:\w{1,20} ){0,3}[Cc](?:uda|UDA) graph end[^\n]{0,100}",
    ),
    Pattern(
        "sglang.loading",
        "Load weight begin",
        rf"Load weight begin\.[^\n]{{0,80}}?avail mem=(?P<free_gib>{_G}) GB",
    ),
    Pattern(
        "sglang.weights",
        "Load weight end",
        rf"Load weight end\.[^\n]{{0,240}}?avail mem=(?P<free_gib>{_G}) GB(?:, mem usage=(?P<weights_gib>{_G}) GB)?",
    ),
    Pattern(
        "sglang.fraction",
        "mem",
        rf"mem[_-]fraction[_-]static[\"']?[= :]{{1,3}}(?P<fraction_ratio>{_F})(?![\d.])",
    ),
    Pattern("sglang.kv_pool", "KV Cache is allocated", r"KV Cache is allocated\.[^\n]{0,120}"),
    Pattern("sglang.kv_pool", "Memory pool end", rf"Memory pool end\. avail mem=(?P<free_gib>{_G}) GB"),
    Pattern(
        "sglang.kv_pool", "max_total_num_tokens=", r"max_total_num_tokens=(?P<tokens_count>[1-9]\d{0,9})"
    ),
    Pattern("sglang.serving", "The server is fired up and ready to roll"),
    Pattern("sglang.serving", " batch", r"(?:Prefill|Decode) batch[.,\[ ][^\n]{0,160}#\w[^\n]{0,80}"),
    Pattern("sglang.scheduler_died", "Scheduler hit an exception"),
    Pattern(
        "sglang.host_cache",
        "Not enough host memory available",
        rf"Not enough host memory available\.?(?:{_S}Requesting (?P<tried_gb>{_G}) GB but only have (?P<available_gb>-?{_G}) GB free)?",
    ),
    Pattern(
        "sglang.too_long",
        "nput ",
        r"[Ii]nput (?:token |ids )?length[^\n]{0,60}(?:exceeds|longer than|is too long)[^\n]{0,120}",
    ),
)
