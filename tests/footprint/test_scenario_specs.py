"""A SPEC for each scenario of the sizing guide: what is arithmetic in them."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from dstop.footprint.catalog.hardware import find_gpu
from dstop.footprint.catalog.prices import own_prices
from dstop.footprint.catalog.tier_report import tier_report
from dstop.footprint.catalog.tiers import find_tier
from dstop.footprint.cost import cost_of
from dstop.footprint.estimate import estimate
from dstop.footprint.fit import fits_of
from dstop.footprint.spec.parse import parse_spec
from dstop.footprint.spec.settle import settle
from dstop.units import GIB

HERE = Path(__file__).parent
GUIDE_USD_PER_HOUR, GUIDE_HOURS, GUIDE_USD = 12, 72, 864
"""Of the second scenario: 4 cards, about $12 an hour, 72 hours, about $864."""
QUERIES_PER_SECOND, SECONDS = 1000, 0.1
"""Of the third: 1000 and more queries a second, each below 100 ms."""
TOKENS = 512
"""Of one query, prompt and answer: the guide names none."""


def spec_of(name: str):
    """Read a scenario, and settle what it leaves open."""
    return settle(parse_spec(json.loads((HERE / "scenarios" / f"{name}.json").read_text("utf-8"))))[0]


def fit_of(spec, gpu: str, own=None):
    """Judge one card."""
    (fit,) = fits_of(spec, [find_gpu(gpu)], own)
    return fit


def section() -> str:
    """Give the README's section."""
    text = (HERE.parents[1] / "README.md").read_text("utf-8")
    return text.split("## What it should need", 1)[1].split("\n## ", 1)[0]


def test_adapters_of_a_7b_model_fit_the_workstation():
    """Scenario 1: adapters on a 4-bit base leave room on an RTX 4090; training all parameters does not fit."""
    spec = spec_of("prototype")
    assert fit_of(spec, "RTX 4090").verdict == "fits"
    whole = replace(
        spec,
        lora=None,
        weights="bf16",
        gradients="bf16",
        master_weights=True,
        optimizer_state="fp32",
    )
    assert fit_of(whole, "RTX 4090").verdict == "does not fit"


def test_the_states_of_10_b_fit_four_cards():
    """Scenario 2: 16 bytes a parameter over 4 cards are 37 GiB on each, and a micro-batch fits beside them."""
    spec = spec_of("train-10b")
    parts = estimate(spec).per_gpu.parts
    assert spec.architecture.total_parameters == pytest.approx(10e9, rel=0.01)
    assert parts.static_bytes == pytest.approx(160e9 / 4, rel=0.01)
    assert fit_of(spec, "A100-80").fits


def test_the_price_of_the_guide_is_72_times_12():
    """Its $864 are its own figures multiplied; a public list asks more for four such cards."""
    spec = spec_of("train-10b")
    own = own_prices({"A100-80": GUIDE_USD_PER_HOUR / 4})
    assert cost_of(spec, fit_of(spec, "A100-80", own), hours=GUIDE_HOURS).price == GUIDE_USD
    listed = fit_of(spec, "A100-80").price_per_hour
    assert listed is not None
    assert listed > GUIDE_USD_PER_HOUR


def test_72_hours_are_a_fine_tune():
    """4 cards at 40 % of 312 TFLOPS do 1.29e20 operations: 2.2 B tokens of 10 B parameters, 1.6 B recomputed."""
    spec = spec_of("train-10b")
    fit = fit_of(spec, "A100-80")
    recomputed = cost_of(spec, fit, hours=GUIDE_HOURS).tokens
    once = cost_of(replace(spec, checkpointing="none"), fit, hours=GUIDE_HOURS).tokens
    done = 4 * 312e12 * 0.4 * GUIDE_HOURS * 3600
    assert done == pytest.approx(1.29e20, rel=0.01)
    assert once == pytest.approx(done / 6e10, rel=0.02)
    assert recomputed == pytest.approx(done / 8e10, rel=0.02)


def test_memory_is_not_what_limits_the_service():
    """Scenario 3: 1000 queries a second of 0.1 s are 100 at once (Little); eight cards hold ten times as many."""
    spec = spec_of("serve-int8")
    footprint = estimate(spec)
    pool = footprint.per_gpu.parts.kv_cache_bytes
    held = int(pool / (footprint.kv_bytes_per_token * TOKENS)) * spec.parallel.dp
    assert footprint.kv_bytes_per_token == 491_520
    assert held > 10 * QUERIES_PER_SECOND * SECONDS


def test_bandwidth_bounds_the_answers():
    """With 13 queries on a card each step reads weights and cache: some twenty tokens in 100 ms."""
    spec = replace(spec_of("serve-int8"), batch=13, sequence=TOKENS)
    speed = cost_of(spec, fit_of(spec, "A100-80"), hours=1).tokens_per_second
    assert speed is not None
    assert 10 < speed / (spec.batch * spec.parallel.dp) * SECONDS < 30


def test_the_readme_gives_the_bytes_that_the_guide_implies():
    """12.8 and 6 bytes a parameter, against the 16 of mixed-precision AdamW."""
    for name in ("pro", "enterprise"):
        report = tier_report(find_tier(name))
        assert f"{report.ends[-1].implied_bytes_per_parameter:.1f}" in section()
        assert report.contradictions


def test_the_example_is_what_the_program_says():
    """DeepSeek-V3 under vLLM on eight H200: the README shows the output as it was, and its total is still so."""
    spec = parse_spec({"model": "deepseek-v3", "framework": "vllm", "gpu": "H200", "parallel": {"tp": 8}})
    footprint = estimate(spec)
    shown = re.search(r"each GPU  (\d+)G", section())
    assert shown is not None
    assert float(shown[1]) == pytest.approx(footprint.per_gpu.parts.total_bytes / GIB, rel=0.03)
    assert f"{footprint.kv_bytes_per_token:,.0f} bytes of cache a token" in section()
