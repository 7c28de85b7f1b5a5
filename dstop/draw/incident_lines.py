"""What crashes left behind, a line a run."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from dstop.draw.line import clean, fit, fit_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dstop.draw.line import Line
    from dstop.pytorch.incident.values import Incident

_WHAT_CELLS = 34


def run_line(run: Sequence[Incident], width: int) -> Line:
    """Draw what one run left: when, what happened, to which ranks, and what ran."""
    newest = run[-1]
    at = (
        "time unknown"
        if newest.at_ns is None
        else time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(newest.at_ns / 1e9))
    )
    what = what_happened(run)
    command = clean(" ".join(newest.cmdline[:40]) or newest.run_name or newest.name)
    head = ((f" {at:<19}  ", "label"), (fit(what, _WHAT_CELLS) + "  ", "bad"))
    used = sum(len(text) for text, _ in head)
    return fit_line((*head, (fit(command, max(0, width - used)), "")), width)


def what_happened(run: Sequence[Incident]) -> str:
    """Say in a few words how a run failed: out of memory on which ranks, or how it ended."""
    failed = [incident for incident in run if incident.kind == "oom"]
    if failed:
        ranks = sorted({incident.rank for incident in failed if incident.rank is not None})
        where = f", rank{'s' if len(ranks) > 1 else ''} {' '.join(map(str, ranks))}" if ranks else ""
        return f"out of memory{where}"
    ended = next((incident.exit for incident in run if incident.exit is not None), None)
    if ended is None:
        return "ended badly"
    if ended.signal is not None:
        return f"killed by {clean(ended.signal_name or f'signal {ended.signal}')}"
    return "ended badly" if ended.code is None else f"exit status {ended.code}"
