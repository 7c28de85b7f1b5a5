"""What a run costs is arithmetic under assumptions that are said."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dstop.errors import PlanError
from dstop.footprint.catalog.hardware import find_gpu
from dstop.footprint.catalog.models import find_model
from dstop.footprint.cost import MFU, cost_of, flops_per_token, parse_tokens, weights_read
from dstop.footprint.fit import fits_of
from dstop.footprint.spec.parse import parse_spec
from dstop.footprint.spec.settle import settle


def planned(name, gpu="A100-80", own=None, **more):
    """Give a settled spec of a model, and how a card does with it."""
    spec = parse_spec(more, architecture=find_model(name))
    return settle(spec)[0], fits_of(spec, [find_gpu(gpu)], own)[0]


@pytest.mark.parametrize(
    ("more", "operations"),
    [
        ({"phase": "inference"}, 2),
        ({"phase": "training"}, 6),
        ({"phase": "training", "checkpointing": "full"}, 8),
        ({"phase": "training", "checkpointing": "selective"}, 6),
        ({"phase": "training", "lora": {"rank": 8}}, 4),
        ({"phase": "training", "lora": {"rank": 8}, "checkpointing": "full"}, 6),
    ],
)
def test_operations_a_parameter_and_token(more, operations):
    """Two forward, two for each kind of gradient, two more where forward is computed again."""
    spec = planned("llama-3-8b", **more)[0]
    assert flops_per_token(spec) == operations * spec.architecture.total_parameters


def test_a_mixture_counts_the_parameters_that_a_token_passes_through():
    """DeepSeek-V3 trains at the cost of its 37 B, not of its 671 B."""
    spec = planned("deepseek-v3", phase="training")[0]
    assert flops_per_token(spec) == 6 * spec.architecture.active_parameters
    assert spec.architecture.active_parameters < spec.architecture.total_parameters / 15


def test_the_guides_second_scenario_is_its_arithmetic():
    """Four A100 for 72 hours at 40 % of 312 TFLOPS are 1.29e20 operations: about 2.2 B tokens of a 10 B model."""
    spec, fit = planned("llama-3-8b", phase="training", parallel={"dp": 4, "zero": 3}, own={"A100-80": 3.0})
    cost = cost_of(spec, fit, hours=72)
    operations = 4 * 312e12 * 0.4 * 72 * 3600
    assert operations == pytest.approx(1.29e20, rel=0.01)
    assert cost.tokens == pytest.approx(operations / (6 * spec.architecture.total_parameters))
    assert operations / (6 * 10e9) == pytest.approx(2.2e9, rel=0.03)
    assert cost.price == pytest.approx(864)
    assert any("40%" in says and "312" in says for says in cost.assumptions)


def test_tokens_give_the_hours_that_give_the_tokens():
    """The two ways of asking meet."""
    spec, fit = planned("qwen3-8b", phase="training", own={"A100-80": 2.0})
    by_tokens = cost_of(spec, fit, tokens=1e9, mfu=0.5)
    by_hours = cost_of(spec, fit, hours=by_tokens.hours, mfu=0.5)
    assert by_hours.tokens == pytest.approx(1e9)
    assert by_hours.price == pytest.approx(by_tokens.price)
    slower = cost_of(spec, fit, tokens=1e9)
    assert slower.hours == pytest.approx(by_tokens.hours * 0.5 / MFU)


def test_generation_is_bounded_by_what_a_step_reads():
    """One sequence of Llama-3-8B on an A100: 2039 GB/s over its weights less the embedding, and its cache."""
    spec, fit = planned("llama-3-8b", sequence=4096)
    cost = cost_of(spec, fit, hours=1)
    embedding = 128256 * 4096 * 2
    weights = spec.architecture.total_parameters * 2 - embedding
    assert cost.tokens_per_second == pytest.approx(2039e9 / (weights + 131072 * 4096), rel=0.01)
    assert (cost.at_most, cost.limit) == (True, "bandwidth")


def test_generation_for_many_is_bounded_by_the_peak_too():
    """With thousands of short sequences the multiplications become the limit."""
    spec, fit = planned("llama-3-8b", batch=4096, sequence=16)
    cost = cost_of(spec, fit, hours=1)
    assert cost.limit == "compute"
    assert cost.tokens_per_second == pytest.approx(312e12 / (2 * spec.architecture.total_parameters))


def test_a_step_reads_the_experts_that_its_tokens_choose():
    """One token touches 8 of 256 experts, thousands nearly all; a tied embedding is read as the head."""
    deepseek = find_model("deepseek-v3")
    assert weights_read(deepseek, 1) < 0.07
    assert weights_read(deepseek, 10_000) == pytest.approx(
        1 - 129280 * 7168 / deepseek.total_parameters, abs=1e-4
    )
    shares = [weights_read(deepseek, batch) for batch in (1, 2, 8, 64, 512)]
    assert shares == sorted(shares)
    tied = replace(find_model("llama-3-8b"), tied=True)
    assert weights_read(tied, 1) == 1.0


@pytest.mark.parametrize(
    ("name", "more", "word"),
    [
        ("T4", {"phase": "training", "weights": "bf16"}, "bf16"),
        ("A100-80", {"phase": "training", "weights": "fp32"}, "fp32"),
    ],
)
def test_a_speed_that_nobody_knows_is_none(name, more, word):
    """Without a figure of the card in that format there are no hours and no price, and the reason is said."""
    spec, fit = planned("qwen3-0.6b", gpu=name, **more)
    cost = cost_of(spec, fit, tokens=1e9)
    assert (cost.tokens_per_second, cost.hours, cost.price) == (None, None, None)
    assert word in cost.assumptions[0]


def test_without_a_price_there_are_hours_alone():
    """A card that nobody sells by the hour costs nothing that dstop could say."""
    spec, fit = planned("qwen3-8b", gpu="RTX 4090")
    cost = cost_of(spec, fit, tokens=1e6)
    assert cost.hours > 0
    assert cost.price is None


@pytest.mark.parametrize(
    ("text", "value"),
    [("20B", 20e9), ("1.5t", 1.5e12), ("300 M".replace(" ", ""), 3e8), ("1e9", 1e9), ("5,000", 5000)],
)
def test_numbers_of_tokens(text, value):
    """They are read as people write them."""
    assert parse_tokens(text) == pytest.approx(value)


@pytest.mark.parametrize("text", ["", "B", "-3B", "nan", "inf", "1e30", "many", "9" * 400, "\x1b[31m"])
def test_what_is_no_number_of_tokens_is_refused(text):
    """The field is named, and nothing of it reaches the terminal as it is."""
    with pytest.raises(PlanError, match="tokens") as caught:
        parse_tokens(text)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("wrong", [{"hours": 0}, {"hours": 1e9}, {"mfu": 0}, {"mfu": 1.1}, {"tokens": -1}])
def test_bounds_are_named(wrong):
    """Hours, tokens and the share of the peak have bounds; which one was passed is said."""
    spec, fit = planned("qwen3-8b", phase="training")
    with pytest.raises(PlanError, match=next(iter(wrong))):
        cost_of(spec, fit, **wrong)
