"""An expectation to start from: bytes as a test needs them, and nothing computed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from dstop.model.footprint import Expectation, Footprint, PartComparison, Parts, RankFootprint

_PARAMETERS = 8_030_261_248
"""Llama-3.1-8B, as its authors count it."""


def make_expectation(
    low: int, expected: int | None, high: int | None, *, live: int | None = None, **overrides: Any
) -> Expectation:
    """Give what a process should hold, in bytes, beside what it does; all of it weights unless `parts` say more.

    Args:
        low: of the band.
        expected: None where only a tier is known.
        high: None where a part is unknown.
        live: what the driver says; None where it says nothing.
        overrides: fields of the Expectation.
    """
    parts = Parts(weights_bytes=expected or 0)
    rank = RankFootprint(
        stage=0,
        gpus=1,
        layers=32,
        parameters=_PARAMETERS,
        parts=parts,
        low_bytes=low,
        high_bytes=high or low,
        peak_at="serving",
    )
    footprint = Footprint(
        model="Llama-3.1-8B",
        phase="inference",
        total_parameters=_PARAMETERS,
        active_parameters=_PARAMETERS,
        ranks=(rank,),
        chosen=0,
        gpus=1,
        kv_bytes_per_token=131_072,
        checkpoint_bytes=2 * _PARAMETERS,
        assumptions=(),
    )
    why = "" if live is not None else "the driver does not say what the process holds"
    told = PartComparison(part="total", expected_bytes=expected, live_bytes=live, reason=why)
    base = Expectation(
        model="Llama-3.1-8B",
        sources={"model": "catalog", "phase": "command line"},
        footprint=None if expected is None else footprint,
        rank=None if expected is None else rank,
        low_bytes=low,
        expected_bytes=expected,
        high_bytes=high,
        parts=(told,),
        remainder_bytes=None if live is None or expected is None else live - expected,
    )
    return replace(base, **overrides)
