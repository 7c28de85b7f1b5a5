"""SGLang beside the memory it holds: KV-pool use, queue and retractions, from the engine's own page.

Names of the metrics: https://docs.sglang.ai/references/production_metrics.html and srt/metrics/collector.py.
"""

from __future__ import annotations

from math import isfinite
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

PORT = 30000
_USED, _RUNNING, _WAITING = "sglang:token_usage", "sglang:num_running_reqs", "sglang:num_queue_reqs"
_RETRACTED = ("sglang:num_retracted_requests_total", "sglang:num_retracted_reqs_total")

FULL_PCT = 97.0
"""Above it the next tokens of the running requests find no place, and the scheduler begins to retract."""
LEAST_PER_MIN = 6.0
"""Rarer than one in ten seconds is the scheduler's estimate of lengths being wrong now and then, as it must be."""


def is_server(cmdline: Sequence[str]) -> bool:
    """Whether it is the command line of SGLang's server."""
    words = [word.rpartition("/")[2] for word in cmdline[:4]]
    starts = any(word == "sglang" and words[at + 1] == "serve" for at, word in enumerate(words[:-1]))
    return starts or "sglang.launch_server" in cmdline[:6]


def port_of(cmdline: Sequence[str]) -> int | None:
    """Give the port that it serves."""
    return port_option(cmdline, PORT)


def tell(page: Page, per_min: float | None) -> Mapping[str, float | str]:
    """Make figures of the engine's page."""
    used = page.highest(_USED)
    told: dict[str, float | str] = {
        "kv_pool_pct": "this engine does not tell it" if used is None else 100 * used
    }
    counts = {
        "requests_running": over_ranks(page, _RUNNING),
        "requests_waiting": over_ranks(page, _WAITING),
        "retractions_total": page.total(*_RETRACTED),
        "retractions_per_min": per_min,
    }
    return told | {name: value for name, value in counts.items() if value is not None}


def over_ranks(page: Page, name: str) -> float | None:
    """Sum over replicas (`dp_rank`); ranks of tensor parallelism tell of the same requests: of them the highest."""
    replicas: dict[str, float] = {}
    for labels, value in page.samples.get(name, ()):
        if isfinite(value):
            key = labels.get("dp_rank", "")
            replicas[key] = max(value, replicas.get(key, value))
    return sum(replicas.values()) if replicas else None


_ENGINE = Engine(
    is_server=is_server,
    port_of=port_of,
    names=(_USED, _RUNNING, _WAITING, *_RETRACTED),
    counter=_RETRACTED,
    tell=tell,
    hint="SGLang tells its figures with --enable-metrics",
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
            id="SG510",
            name="sglang-pool-full",
            cause="kv_cache_max_len",
            title="SGLang's KV pool is full, and requests wait for it",
            page=POOL_FULL,
            watch=watch_pool,
        ),
        Rule(
            id="SG511",
            name="sglang-retractions",
            cause="kv_cache_max_len",
            title="SGLang retracts requests and computes them again",
            page=RETRACTIONS,
            watch=watch_retractions,
        ),
    ]


POOL_FULL = """SGLang's KV pool is full, and requests wait for it

What it means
    The pool of tokens that the engine took at its start is in use; new requests wait for others to end.

Evidence
    The engine's page: at least 97 % of its tokens in use while requests wait.

Fix
    A larger pool: a higher `--mem-fraction-static` where the card has room, an fp8 cache, more cards. Or fewer requests
    at a time: `--max-running-requests`.

When it is wrong
    A batch job that sends everything at once has a full pool and a queue by design.
"""

RETRACTIONS = """SGLang retracts requests and computes them again

What it means
    The scheduler admitted more requests than the pool holds once they have grown, takes some back, and computes their
    tokens again later.

Evidence
    The engine's counter of retracted requests over the last minute: at least one in ten seconds, and as many a minute
    as requests run.

Fix
    A more careful scheduler (`--schedule-conservativeness` above 1), fewer running requests, or a larger pool.

When it is wrong
    Right after a burst of requests with long answers it settles by itself. Versions without the counter never fire it.
"""


def watch_pool(scene: Scene) -> list[Finding]:
    """Look for engines whose pool is full while requests wait."""
    found: list[Finding] = []
    for row in _engines(scene):
        used, waiting = row.figure("kv_pool_pct"), row.figure("requests_waiting")
        if used is None or waiting is None or used < FULL_PCT or waiting < 1:
            continue
        says = f"SGLang's KV pool is {used:.0f}% full and {waiting:.0f} requests wait"
        fixes = ("raise_mem_fraction_static", "kv_cache_fp8", "reduce_max_num_seqs")
        found.append(_finding(row, "SG510", "KV FULL", says, value=used, fixes=fixes))
    return found


def watch_retractions(scene: Scene) -> list[Finding]:
    """Look for engines that retract all the time."""
    found: list[Finding] = []
    for row in _engines(scene):
        rate, running = row.figure("retractions_per_min"), row.figure("requests_running") or 0.0
        if rate is None or rate < max(LEAST_PER_MIN, running):
            continue
        says = f"SGLang retracts {rate:.0f} requests a minute with {running:.0f} running, and computes them again"
        fixes = ("reduce_max_num_seqs", "raise_mem_fraction_static", "kv_cache_fp8")
        found.append(_finding(row, "SG511", "RETRACTS", says, value=rate, fixes=fixes))
    return found


def _engines(scene: Scene) -> list[GpuProcess]:
    """Give one row of each engine: ranks of one parent tell the same."""
    found: dict[tuple[int, object], GpuProcess] = {}
    for row in sorted(scene.sample.processes, key=lambda row: (row.gpu_index, row.pid)):
        if row.figure("kv_pool_pct") is not None:
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
