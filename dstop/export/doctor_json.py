"""A report as JSON: plain numbers, the unit in the key, null for what is not known."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dstop.model.diagnosis import Balance, Diagnosis, Fix, Report

SCHEMA = 1


def report_line(report: Report) -> bytes:
    """Write the report as one line."""
    return (json.dumps(report_object(report), allow_nan=False) + "\n").encode()


def report_object(report: Report) -> dict[str, Any]:
    """Give the report as the contract names it: `schema`, `diagnoses`, `facts`, and what was read."""
    return {
        "schema": SCHEMA,
        "diagnoses": [diagnosis_object(one) for one in report.diagnoses],
        "facts": dict(report.facts),
        "sources": list(report.sources),
        "notes": list(report.notes),
    }


def diagnosis_object(one: Diagnosis) -> dict[str, Any]:
    """Give one diagnosis."""
    return {
        "cause": one.cause,
        "subcause": one.subcause,
        "rule": one.rule,
        "title": one.title,
        "confidence": str(one.confidence),
        "rank": one.rank,
        "device": one.device,
        "phase": one.phase,
        "evidence": [
            {"source": item.source, "says": item.says, "value": item.value} for item in one.evidence
        ],
        "against": list(one.against),
        "balance": balance_object(one.balance),
        "fixes": [fix_object(fix) for fix in one.fixes],
    }


def balance_object(balance: Balance | None) -> dict[str, int | None] | None:
    """Give the balance sheet in bytes; None where the card's size is unknown."""
    if balance is None:
        return None
    return {
        **{field.name: getattr(balance, field.name) for field in fields(balance)},
        "short_bytes": balance.short_bytes,
    }


def fix_object(fix: Fix) -> dict[str, Any]:
    """Give one fix."""
    return {
        "id": fix.id,
        "title": fix.title,
        "command": fix.command,
        "recovers_bytes": fix.recovers_bytes,
        "short_bytes": fix.short_bytes,
        "cost": fix.cost,
    }
