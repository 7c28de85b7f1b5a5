"""Passes of real transformers: what was asked for beyond weights and cache, at most."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dstop.footprint.inference.cache import kv_demand
from dstop.footprint.inference.passes import prompt_peak
from dstop.footprint.spec.parse import parse_spec
from dstop.footprint.spec.settle import settle
from dstop.footprint.stages import stages_of

PASSES = json.loads((Path(__file__).parent / "recordings" / "passes.json").read_text())["passes"]
EXACT = {"llama", "llama-eager", "llama-fp32", "llama-heads", "phi3", "gpt2"}
"""Of one sequence: those whose every tensor is in the docstring."""


@pytest.fixture(params=PASSES, ids=lambda row: row["name"])
def row(request):
    """Give one recorded pass."""
    return request.param


def _settled(row):
    spec, _ = settle(parse_spec(row["spec"]))
    return spec, stages_of(spec)[0]


def test_the_cache_is_what_was_held(row):
    """To the byte, apart from the tokens and positions themselves."""
    spec, stage = _settled(row)
    tokens = spec.batch * spec.sequence
    assert 0 <= row["cache"] - kv_demand(spec, stage) <= 16 * tokens


def test_the_widest_moment_is_what_was_measured(row):
    """Within 3 %, and to a thousandth where the arithmetic is complete."""
    spec, stage = _settled(row)
    found = prompt_peak(spec, stage, spec.batch * spec.sequence, spec.sequence)
    near = 0.001 if row["name"] in EXACT else 0.03
    assert found == pytest.approx(row["peak"] - row["cache"], rel=near)
