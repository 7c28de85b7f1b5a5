"""SGLang: a static fraction that must be raised for one message and lowered for another."""

from __future__ import annotations

from dstop.doctor.evidence.pattern import Pattern

_G = r"[\d.]{1,12}"

MESSAGES: tuple[Pattern, ...] = (
    Pattern(
        "sglang.raise_fraction",
        "mem-fraction-static",
        r"(?:Not enough memory[^\n]{0,40}(?:try to )?increase --mem-fraction-static|Loaded weights leave no GPU memory for the KV cache under "
        r"--mem-fraction-static=(?P<fraction_ratio>0?\.\d+)|Raise --mem-fraction-static above (?P<least_ratio>0?\.\d+))",
    ),
    Pattern(
        "sglang.raise_fraction",
        "mem_fraction_static",
        rf"Not enough memory[^\n]{{0,120}}mem_fraction_static=(?P<fraction_ratio>{_G})",
    ),
    Pattern(
        "sglang.least_fraction",
        "minimum viable",
        rf"minimum viable = 1 - available/pre = (?P<least_ratio>{_G})",
    ),
    Pattern(
        "sglang.prefill_full",
        "refill out of memory",
        r"[Pp]refill out of memory\.[^\n]{0,80}\n?(?:[^\n]{0,20}allocate (?P<tokens_count>\d+) tokens)?",
    ),
    Pattern(
        "sglang.decode_full",
        "ecode out of memory",
        r"[Dd]ecode out of memory\.[^\n]{0,80}\n?(?:[^\n]{0,20}allocate (?P<tokens_count>\d+) tokens)?",
    ),
    Pattern("sglang.requests_full", "alloc_req_slots runs out of memory"),
    Pattern("sglang.retract", "KV cache pool is full", r"KV cache pool is full\. Retract requests"),
    Pattern(
        "sglang.capture_hint",
        "Possible solutions",
        r"Possible solutions:\s{1,4}1\. set --mem-fraction-static to a smaller value",
    ),
    Pattern(
        "sglang.capture_failed",
        "apture c",
        r"[Cc]apture (?:c|C)uda ?[Gg]raph failed:? ?(?P<why>[^\n]{0,200})",
    ),
    Pattern(
        "sglang.capture_failed",
        "apture CUDA graph failed",
        r"[Cc]apture CUDA graph failed:? ?(?P<why>[^\n]{0,200})",
    ),
    Pattern("sglang.capture_began", "Capture cuda graph begin"),
    Pattern(
        "sglang.weights",
        "Load weight end",
        rf"Load weight end\.[^\n]{{0,160}}avail mem=(?P<free_gib>{_G}) GB(?:, mem usage=(?P<weights_gib>{_G}) GB)?",
    ),
    Pattern("sglang.fraction", "mem_fraction_static", rf"mem_fraction_static=(?P<fraction_ratio>{_G})"),
    Pattern("sglang.kv_pool", "KV Cache is allocated", r"KV Cache is allocated\.[^\n]{0,120}"),
    Pattern("sglang.scheduler_died", "Scheduler hit an exception"),
    Pattern(
        "sglang.host_cache",
        "hierarchical",
        r"(?i)Not enough host memory available[^\n]{0,200}hierarchical|hierarchical cache[^\n]{0,120}(?:not enough|exceed)",
    ),
    Pattern(
        "sglang.host_cache",
        "host memory available",
        rf"Not enough host memory available\.? Requesting (?P<tried_gib>{_G}) GB but only have (?P<available_gib>{_G}) GB free",
    ),
    Pattern(
        "sglang.too_long",
        "input length",
        r"(?:The )?input (?:token )?length[^\n]{0,60}(?:exceeds|longer than|is too long)[^\n]{0,120}",
    ),
)
