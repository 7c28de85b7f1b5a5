"""What the model of a process should hold, beside what it does, in the shape of the JSON contract."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dstop.export.values import clean

if TYPE_CHECKING:
    from dstop.model.footprint import Cause, Expectation, PartComparison


def footprint_object(expectation: Expectation) -> dict[str, Any]:
    """Give the expectation; every null has its reason in `unavailable`."""
    footprint, rank = expectation.footprint, expectation.rank
    row: dict[str, Any] = {
        "model": clean(expectation.model),
        "tier": expectation.tier,
        "phase": None if footprint is None else footprint.phase,
        "parameters": None
        if footprint is None
        else {"total": footprint.total_parameters, "active": footprint.active_parameters},
        "stage": None if rank is None else rank.stage,
        "expected_bytes": expectation.expected_bytes,
        "low_bytes": expectation.low_bytes,
        "high_bytes": expectation.high_bytes,
        "is_floor": expectation.is_floor,
        "verdict": expectation.verdict,
        "remainder_bytes": expectation.remainder_bytes,
        "unexplained_bytes": expectation.unexplained_bytes,
        "parts": [_part(each) for each in expectation.parts],
        "causes": [_cause(each) for each in expectation.causes],
        "sources": {clean(name): clean(source) for name, source in expectation.sources.items()},
        "assumptions": []
        if footprint is None
        else [
            {"subject": each.subject, "says": clean(each.says), "source": each.source}
            for each in footprint.assumptions
        ],
    }
    return {**row, "unavailable": _reasons(row, expectation)}


def _part(each: PartComparison) -> dict[str, Any]:
    row = {
        "part": each.part,
        "expected_bytes": each.expected_bytes,
        "live_bytes": each.live_bytes,
        "difference_bytes": each.difference_bytes,
    }
    why = clean(each.reason) or "not known"
    return {**row, "unavailable": {name: why for name, value in row.items() if value is None}}


def _cause(each: Cause) -> dict[str, Any]:
    return {"name": each.name, "says": clean(each.says), "bytes": each.bytes, "confidence": each.confidence}


def _reasons(row: dict[str, Any], expectation: Expectation) -> dict[str, str]:
    """Say of each null why it is one."""
    part = next(iter(expectation.unknown), None)
    floor = "" if part is None else f"{part}: {clean(expectation.unknown[part])}"
    guide = "only the sizing guide's range is known"
    usual = {
        "tier": "its size is in no tier of the sizing guide",
        "phase": guide,
        "parameters": guide,
        "stage": guide,
        "expected_bytes": guide,
        "high_bytes": floor or guide,
        "remainder_bytes": "the driver does not say what the process holds"
        if expectation.expected_bytes is not None
        else guide,
        "unexplained_bytes": "the total is within the band, or there is nothing to hold it against",
    }
    return {name: usual[name] for name, value in row.items() if value is None}
