"""A plan as text: each width is filled and never passed, every figure is there, and nothing hostile is drawn."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dstop.draw.ascii import ascii_line
from dstop.draw.line import cells, plain
from dstop.draw.plan_catalog import catalog_lines
from dstop.draw.plan_compare import plan_comparison
from dstop.draw.plan_search import NOTHING, search_lines
from dstop.draw.plan_text import plan_lines
from dstop.draw.plan_words import layout_text, part_notes
from dstop.footprint.catalog.hardware import find_gpu, gpus
from dstop.footprint.catalog.models import find_model, model_names
from dstop.footprint.catalog.tier_report import tier_report, tier_spec
from dstop.footprint.catalog.tiers import find_tier, tiers
from dstop.footprint.cost import cost_of
from dstop.footprint.estimate import estimate
from dstop.footprint.fit import judged, usual_gpus
from dstop.footprint.plan import Plan
from dstop.footprint.search.cheapest import Searched, search
from dstop.footprint.spec.parse import parse_spec
from dstop.footprint.spec.settle import settle
from dstop.footprint.spec.values import Parallel
from dstop.units import bytes_text

WIDTHS = (60, 80, 100, 137, 200)


def planned(spec, **more):
    """Give a plan of a spec against the usual cards."""
    footprint, fits = judged(spec, usual_gpus())
    return Plan(spec=settle(spec)[0], footprint=footprint, fits=fits, **more)


@pytest.fixture(scope="module")
def plans():
    """Plans of every shape: one card, a pipeline, an engine, adapters, a tier with a search and a cost."""
    llama = find_model("llama-3-8b")
    pipeline = {
        "phase": "training",
        "parallel": {"pp": 32, "tp": 2, "dp": 2, "zero": 1},
        "master_weights": True,
    }
    tier = find_tier("deepseek-pro")
    asked = tier_spec(tier, "training")
    whole = planned(asked)
    costs = [cost_of(whole.spec, fit, hours=72) for fit in whole.fits if fit.fits]
    return {
        "one": planned(parse_spec({}, architecture=llama)),
        "pipeline": planned(parse_spec(pipeline, architecture=llama)),
        "engine": planned(parse_spec({"framework": "vllm", "gpu": "H100-80"}, architecture=llama)),
        "adapters": planned(parse_spec({"phase": "training", "lora": {"rank": 8}}, architecture=llama)),
        "mixture": planned(parse_spec({"parallel": {"tp": 8}}, architecture=find_model("deepseek-v3"))),
        "tier": replace(whole, costs=costs, searched=search(asked, usual_gpus()), tier=tier_report(tier)),
    }


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", ["one", "pipeline", "engine", "adapters", "mixture", "tier"])
@pytest.mark.parametrize("every", [False, True])
def test_every_line_has_its_width(plans, name, width, every):
    """No line is longer or shorter than the width, in Unicode and in ASCII."""
    for line in plan_lines(plans[name], width, every=every):
        assert cells(plain(line)) == width
        text = plain(ascii_line(line))
        assert text.isascii()
        assert len(text) == width


@pytest.mark.parametrize("name", ["one", "pipeline", "engine", "adapters", "mixture", "tier"])
def test_the_figures_are_there(plans, name):
    """The total, its band, each part that is not nought and each card with its verdict can be read."""
    plan = plans[name]
    text = "\n".join(plain(line) for line in plan_lines(plan, 120))
    rank = plan.footprint.per_gpu
    for amount in (rank.parts.total_bytes, rank.low_bytes, rank.high_bytes, *rank.parts.by_part().values()):
        assert not amount or bytes_text(amount) in text
    for fit in plan.fits:
        assert any(fit.gpu in row and fit.verdict in row for row in text.splitlines())


def test_no_figure_is_cut(plans):
    """Prices, hours and layouts of a search and a run are whole at the narrowest width, wherever they stand."""
    plan = plans["tier"]
    text = " ".join(" ".join(plain(line) for line in plan_lines(plan, 60)).split())
    for cost in plan.costs:
        if cost.price is not None:
            assert f"{cost.price:,.2f}" in text
    for found in plan.searched.found:
        assert layout_text(found.spec.parallel) in text
        if found.price is not None:
            assert f"{found.price.per_hour:,.2f}" in text


def test_narrower_than_sixty_is_drawn_as_sixty(plans):
    """A window of ten cells wraps what is drawn for sixty; there is no figure in less."""
    assert plan_lines(plans["one"], 10) == plan_lines(plans["one"], 60)


def test_a_long_pipeline_loses_its_middle(plans):
    """Of 32 stages the first and the last dozen are drawn, and how many are not."""
    lines = [plain(line) for line in plan_lines(plans["pipeline"], 100)]
    assert any("8 more" in line for line in lines)
    assert any(line.strip().startswith("31 ") for line in lines)


def test_assumptions_are_few_unless_all_are_asked_for(plans):
    """--all draws each with its source."""
    plan = plans["pipeline"]
    few, every = plan_lines(plan, 100), plan_lines(plan, 100, every=True)
    text = " ".join(" ".join(plain(line) for line in every).split())
    for each in plan.footprint.assumptions:
        assert f"({each.source})" in text
    assert len(few) < len(every)
    assert "more (--all)" in "\n".join(plain(line) for line in few)


def test_a_name_from_outside_moves_nothing(plans):
    """A model's name with escapes is drawn as text, cell for cell."""
    plan = plans["one"]
    hostile = replace(plan, footprint=replace(plan.footprint, model="a\x1b[2J\u202eb\r\n"))
    for line in plan_lines(hostile, 80):
        assert plain(line).isprintable()
        assert "\u202e" not in plain(line)
        assert cells(plain(line)) == 80


@pytest.mark.parametrize("width", WIDTHS)
def test_two_plans_side_by_side(plans, width):
    """Both totals and their difference stand in one row; a part that both lack has none."""
    first, second = plans["one"], plans["pipeline"]
    lines = plan_comparison((first.spec, first.footprint), (second.spec, second.footprint), width)
    assert {cells(plain(line)) for line in lines} == {width}
    totals = [each.footprint.per_gpu.parts.total_bytes for each in (first, second)]
    row = next(plain(line) for line in lines if plain(line).strip().startswith("total"))
    for amount in (*totals, totals[1] - totals[0]):
        assert bytes_text(amount) in row
    same = plan_comparison((first.spec, first.footprint), (first.spec, first.footprint), width)
    assert not any("gradients" in plain(line) for line in same)


@pytest.mark.parametrize("width", WIDTHS)
def test_the_catalog_fits_the_width(width):
    """A model, a tier and a card have a line each, whatever their names."""
    lines = catalog_lines(model_names(), tiers(), gpus(), width)
    assert {cells(plain(line)) for line in lines} == {width}
    assert len(lines) >= len(model_names()) + len(tiers()) + len(gpus())


def test_a_search_without_an_answer_says_what_would_help():
    """Nothing found is said, with what was searched."""
    lines = search_lines(Searched(found=(), cards=2, formats=(), tried=7), 100)
    text = " ".join(plain(line).strip() for line in lines)
    assert NOTHING in text
    assert "7 configurations" in text


def test_layouts_in_words():
    """Only what is more than one is said."""
    assert layout_text(Parallel()) == "one GPU"
    assert layout_text(Parallel(tp=2, pp=4, dp=8, zero=1, sequence_parallel=True)) == (
        "tp 2 · pp 4 · dp 8 · ZeRO 1 · sequence parallel"
    )


def test_parts_in_words_say_how_they_come_about(plans):
    """What is sharded, what is recomputed and whose pool it is can be read beside the part."""
    pipeline, engine = plans["pipeline"], plans["engine"]
    words = part_notes(pipeline.spec, pipeline.footprint)
    assert "fp32 copy" in words["optimizer"]
    assert "sharded over 2" in words["optimizer"]
    assert "sharded" not in words["weights"]
    assert "H100-80" in part_notes(engine.spec, engine.footprint)["kv_cache"]
    assert estimate(engine.spec).per_gpu.parts.kv_cache_bytes < find_gpu("H100-80").usable_bytes
