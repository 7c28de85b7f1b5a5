"""The README's worked examples: each figure that it gives is what the arithmetic gives today."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from dstop.footprint.catalog.hardware import find_gpu
from dstop.footprint.catalog.models import find_model
from dstop.footprint.catalog.prices import price_of
from dstop.footprint.catalog.tier_report import tier_spec
from dstop.footprint.catalog.tiers import GB, find_tier
from dstop.footprint.cost import cost_of, weights_read
from dstop.footprint.estimate import estimate
from dstop.footprint.fit import fits_of, on_card
from dstop.footprint.spec.parse import parse_spec
from dstop.footprint.spec.settle import settle
from dstop.footprint.spec.values import Parallel
from dstop.units import GIB

SECTION = (Path(__file__).parents[2] / "README.md").read_text().split("### Three scenarios of the guide")[1]
NEAR = 0.03


def said(pattern):
    """Give the number that the README has in a place."""
    found = re.search(pattern, SECTION)
    assert found is not None, pattern
    return float(found[1].replace(",", ""))


def test_a_prototype_on_one_card():
    """The small tier at both ends, Llama-3-8B served and its QLoRA, on one RTX 4090."""
    tier, gpu = find_tier("deepseek-lite"), find_gpu("RTX 4090")
    small = estimate(tier_spec(tier, "training", tier.low_parameters)).per_gpu
    assert small.low_bytes / GB == pytest.approx(said(r"512 tokens: ([\d.]+) to"), rel=NEAR)
    assert small.high_bytes / GB == pytest.approx(said(r"512 tokens: [\d.]+ to ([\d.]+) GB"), rel=NEAR)
    asked = tier_spec(tier, "training")
    large = estimate(asked).per_gpu
    assert large.parts.total_bytes / GIB == pytest.approx(said(r"0\.5 B: ([\d.]+) GiB"), rel=NEAR)
    assert large.low_bytes / GIB == pytest.approx(said(r"0\.5 B: [\d.]+ GiB \(([\d.]+) to"), rel=NEAR)
    assert large.high_bytes / GIB == pytest.approx(
        said(r"0\.5 B: [\d.]+ GiB \([\d.]+ to ([\d.]+)\)"), rel=NEAR
    )
    assert fits_of(asked, [gpu])[0].verdict == "fits"
    assert gpu.usable_bytes / GIB == pytest.approx(said(r"of the ([\d.]+) GiB that the card"), rel=NEAR)

    llama = find_model("llama-3-8b")
    served = parse_spec({"sequence": 4096}, architecture=llama)
    one = estimate(served).per_gpu.parts.total_bytes
    assert one / GIB == pytest.approx(said(r"\(([\d.]+) GiB with one\)"), rel=NEAR)
    assert fits_of(served, [gpu])[0].max_batch == said(r"bf16 with (\d+) sequences")
    adapters = {
        "phase": "training",
        "lora": {"rank": 16, "base": "nf4"},
        "checkpointing": "full",
        "sequence": 2048,
    }
    trained = estimate(parse_spec(adapters, architecture=llama)).per_gpu.parts.total_bytes
    assert trained / GIB == pytest.approx(said(r"QLoRA takes ([\d.]+) GiB"), rel=NEAR)


def test_ten_billion_within_three_days():
    """What four A100 hold, what 72 hours of them cost, and how many tokens that is."""
    asked = tier_spec(find_tier("deepseek-pro"), "training")
    (fit,) = fits_of(asked, [find_gpu("A100-80")], {"A100-80": 3.0})
    rank = estimate(asked).per_gpu
    assert fit.verdict == "fits"
    assert rank.parts.static_bytes / GIB == pytest.approx(said(r"parameter: ([\d.]+) GiB a card"), rel=NEAR)
    assert rank.parts.total_bytes / GIB == pytest.approx(said(r"in all ([\d.]+) GiB"), rel=NEAR)
    assert rank.low_bytes / GIB == pytest.approx(said(r"in all [\d.]+ GiB \(([\d.]+) to"), rel=NEAR)
    assert rank.high_bytes / GIB == pytest.approx(said(r"in all [\d.]+ GiB \([\d.]+ to ([\d.]+)\)"), rel=NEAR)
    cost = cost_of(settle(asked)[0], fit, hours=72)
    assert cost.price == pytest.approx(said(r"72 h x \$12 is \$([\d.]+)\."))
    assert cost.tokens / 1e9 == pytest.approx(said(r"that is ([\d.]+) B tokens"), rel=NEAR)
    assert 200e9 / cost.tokens * 72 / 24 > 365  # over a year for twenty tokens a parameter
    listed = price_of(find_gpu("A100-80"), 4)
    assert listed.per_hour == pytest.approx(said(r"knows is \$([\d.]+) "), abs=0.01)


def test_a_thousand_queries_a_second():
    """What eight A100 hold of a 10 B model in INT8, and how fast they can read it at best."""
    asked = replace(
        tier_spec(find_tier("deepseek-pro"), "inference"),
        weights="int8",
        framework="vllm",
        batch=64,
        parallel=Parallel(dp=8),
    )
    gpu = find_gpu("A100-80")
    parts = estimate(on_card(asked, gpu)).per_gpu.parts
    assert parts.weights_bytes / GIB == pytest.approx(said(r"INT8 is ([\d.]+) GiB"), rel=NEAR)
    assert parts.kv_cache_bytes / GIB == pytest.approx(said(r"pool of ([\d.]+) GiB"), rel=NEAR)
    (fit,) = fits_of(asked, [gpu])
    assert fit.max_batch == pytest.approx(said(r"holds (\d+) sequences"), rel=NEAR)
    alone = estimate(asked).per_gpu.parts
    read = alone.weights_bytes * weights_read(asked.architecture, 64) + alone.kv_cache_bytes
    assert read / GB == pytest.approx(said(r"at least ([\d.]+) GB a step"), rel=NEAR)
    assert read / (gpu.bandwidth_gb_s * GB) * 1e3 == pytest.approx(said(r"step: ([\d.]+) ms"), rel=NEAR)
    speed = cost_of(settle(asked)[0], fit, hours=1).tokens_per_second
    assert speed == pytest.approx(said(r"([\d,]+) tokens a second on eight"), rel=NEAR)
    assert speed / 1000 == pytest.approx(said(r"queries a second (\d+) tokens each"), rel=NEAR)
