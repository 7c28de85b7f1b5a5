"""A finding as JSON: what a rule says of a running machine, with its proof and what helps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dstop.export.values import clean, finite

if TYPE_CHECKING:
    from dstop.model.finding import Finding


def finding_object(finding: Finding) -> dict[str, Any]:
    """Give one finding; `gpu_index` and `pid` are null where it is of the whole machine."""
    return {
        "rule": finding.rule,
        "cause": finding.cause,
        "severity": str(finding.severity),
        "says": clean(finding.says),
        "gpu_index": finding.gpu_index,
        "pid": finding.pid,
        "badge": clean(finding.badge),
        "evidence": [
            {"source": clean(one.source), "says": clean(one.says), "value": _number(one.value)}
            for one in finding.evidence
        ],
        "fixes": [
            {
                "id": fix.id,
                "title": fix.title,
                "command": fix.command,
                "recovers_bytes": fix.recovers_bytes,
                "short_bytes": fix.short_bytes,
                "cost": fix.cost,
            }
            for fix in finding.fixes
        ],
    }


def _number(value: float | str | None) -> float | str | None:
    return finite(value) if isinstance(value, float) else value
