"""vLLM beside the memory it holds: KV-cache use, queue and preemptions, from the engine's own page.

Names of the metrics: https://docs.vllm.ai/en/latest/usage/metrics.html; before 0.10
the cache's was `gpu_cache_usage_perc`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pluggy

from dstop.plugin.engines import Engine, port_option

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dstop.doctor.live.scene import Scene
    from dstop.doctor.rule import Rule
    from dstop.model.finding import Finding
    from dstop.model.process import GpuProcess, ProcessFacts
    from dstop.plugin.engines import Page

hookimpl = pluggy.HookimplMarker("dstop")

PORT = 8000
_CACHE = ("vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc")
_RUNNING, _WAITING = "vllm:num_requests_running", "vllm:num_requests_waiting"
_PREEMPTIONS = ("vllm:num_preemptions_total", "vllm:num_preemptions")

FULL_PCT = 97.0
"""A block is some 16 tokens of each sequence: a cache with less than this free preempts at the next step that grows."""
LEAST_PER_MIN = 6.0
"""Rarer than one in ten seconds is what a full cache does by design."""


def is_server(cmdline: Sequence[str]) -> bool:
    """Whether it is the command line of vLLM's HTTP server."""
    words = [word.rpartition("/")[2] for word in cmdline[:4]]
    for at, word in enumerate(words[:-1]):
        if word == "vllm" and words[at + 1] == "serve":
            return True
    return "vllm.entrypoints.openai.api_server" in cmdline[:6]


def port_of(cmdline: Sequence[str]) -> int | None:
    """Give the port that it serves; None where it serves a Unix socket."""
    return None if any(word.partition("=")[0] == "--uds" for word in cmdline) else port_option(cmdline, PORT)


def tell(page: Page, per_min: float | None) -> Mapping[str, float | str]:
    """Make figures of the engine's page."""
    used = page.highest(*_CACHE)
    told: dict[str, float | str] = {
        "kv_cache_pct": "this engine does not tell it" if used is None else 100 * used
    }
    counts = {
        "requests_running": page.total(_RUNNING),
        "requests_waiting": page.total(_WAITING),
        "preemptions_total": page.total(*_PREEMPTIONS),
        "preemptions_per_min": per_min,
    }
    return told | {name: value for name, value in counts.items() if value is not None}


_ENGINE = Engine(
    is_server=is_server,
    port_of=port_of,
    names=(*_CACHE, _RUNNING, _WAITING, *_PREEMPTIONS),
    counter=_PREEMPTIONS,
    tell=tell,
)


@hookimpl
def figures(process: ProcessFacts) -> Mapping[str, float | str] | None:
    """Give the figures of the engine that a process belongs to."""
    return _ENGINE.figures(process)


@hookimpl
def rules() -> Sequence[Rule]:
    """Give the two rules."""
    from dstop.doctor.rule import Rule  # noqa: PLC0415 - figures alone need no doctor

    return [
        Rule(
            id="VL510",
            name="vllm-cache-full",
            cause="kv_cache_max_len",
            title="vLLM's KV cache is full, and requests wait for it",
            page=CACHE_FULL,
            watch=watch_cache,
        ),
        Rule(
            id="VL511",
            name="vllm-preemptions",
            cause="kv_cache_max_len",
            title="vLLM throws requests out of its cache and computes them again",
            page=PREEMPTIONS,
            watch=watch_preemptions,
        ),
    ]


CACHE_FULL = """vLLM's KV cache is full, and requests wait for it

What it means
    The card's memory is as full as it always is; what has run out is the engine's own pool of tokens. New requests are
    not begun before others end, so the queue grows and time to first token with it.

Evidence
    The engine's page: at least 97 % of the cache in use while requests wait.

Fix
    More cache: a higher `--gpu-memory-utilization` where the card has room, an fp8 cache, more cards. Or less asked of
    it: a lower `--max-model-len` or `--max-num-seqs`, which trades the queue inside for one outside.

When it is wrong
    A batch job that sends everything at once has a full cache and a queue by design: throughput is what counts there.
"""

PREEMPTIONS = """vLLM throws requests out of its cache and computes them again

What it means
    Running sequences grow, the cache has no block left, and the engine drops a request's blocks. Its prefill is
    computed again later. At this rate much of the card's work is done twice.

Evidence
    The engine's counter of preemptions over the last minute: at least one in ten seconds, and as many a minute as
    requests run.

Fix
    Fewer sequences at a time (`--max-num-seqs`): the cache then holds those that run to their end. Or more cache: a
    higher `--gpu-memory-utilization`, an fp8 cache, more cards.

When it is wrong
    Right after a burst of long prompts the counter rises for some seconds, and the engine settles by itself.
"""


def watch_cache(scene: Scene) -> list[Finding]:
    """Look for engines whose cache is full while requests wait."""
    found: list[Finding] = []
    for row in _engines(scene):
        used, waiting = row.figure("kv_cache_pct"), row.figure("requests_waiting")
        if used is None or waiting is None or used < FULL_PCT or waiting < 1:
            continue
        says = f"vLLM's KV cache is {used:.0f}% full and {waiting:.0f} requests wait"
        found.append(
            _finding(
                row,
                "VL510",
                "KV FULL",
                says,
                value=used,
                fixes=("kv_cache_fp8", "raise_gpu_memory_utilization", "reduce_max_model_len"),
            )
        )
    return found


def watch_preemptions(scene: Scene) -> list[Finding]:
    """Look for engines that preempt all the time."""
    found: list[Finding] = []
    for row in _engines(scene):
        rate, running = row.figure("preemptions_per_min"), row.figure("requests_running") or 0.0
        if rate is None or rate < max(LEAST_PER_MIN, running):
            continue
        says = (
            f"vLLM preempts {rate:.0f} requests a minute with {running:.0f} running, and computes them again"
        )
        found.append(
            _finding(
                row,
                "VL511",
                "PREEMPTS",
                says,
                value=rate,
                fixes=("reduce_max_num_seqs", "kv_cache_fp8", "raise_gpu_memory_utilization"),
            )
        )
    return found


def _engines(scene: Scene) -> list[GpuProcess]:
    """Give one row of each engine: workers of one parent tell the same."""
    found: dict[tuple[int, object], GpuProcess] = {}
    for row in sorted(scene.sample.processes, key=lambda row: (row.gpu_index, row.pid)):
        if row.figure("kv_cache_pct") is not None:
            found.setdefault((row.facts.ppid or row.pid, row.figures), row)
    return list(found.values())


def _finding(
    row: GpuProcess, rule: str, badge: str, says: str, *, value: float, fixes: Sequence[str]
) -> Finding:
    from dstop.doctor.live.telling import of_process, remedies  # noqa: PLC0415 - most engines are well
    from dstop.model.finding import Finding, Severity  # noqa: PLC0415 - as above

    return Finding(
        rule=rule,
        cause="kv_cache_max_len",
        severity=Severity.WARNING,
        badge=badge,
        says=says,
        gpu_index=row.gpu_index,
        pid=row.pid,
        started_at_s=row.facts.started_at_s,
        evidence=(of_process(row, says, value),),
        fixes=remedies(*fixes),
    )
