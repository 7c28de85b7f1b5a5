"""Tiers are claims of the sizing guide, and arithmetic says where they cannot be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dstop.errors import PlanError
from dstop.footprint.catalog.hardware import find_gpu
from dstop.footprint.catalog.models import find_model
from dstop.footprint.catalog.tier_report import tier_report, tier_spec
from dstop.footprint.catalog.tiers import GB, find_tier, is_tier, tier_of, tiers
from dstop.footprint.estimate import estimate
from dstop.footprint.spec.values import Parallel, Spec
from dstop.units import GIB

LITE, PRO, ENTERPRISE = "DeepSeek-Lite", "DeepSeek-Pro", "DeepSeek-Enterprise"


def test_the_tiers_are_as_the_guide_says():
    """The figures of the guide, word for word: a slip here would put words into its mouth."""
    lite, pro, enterprise = tiers()
    assert (lite.low_parameters, lite.high_parameters) == (0.1e9, 0.5e9)
    assert (lite.training_low_bytes, lite.training_high_bytes, lite.training_batch) == (8 * GB, 12 * GB, 16)
    assert (lite.inference_low_bytes, lite.inference_high_bytes) == (4 * GB, 6 * GB)
    assert (lite.sample_bytes, lite.sample_gpus) == (9 * GB, 1)
    assert (pro.low_parameters, pro.high_parameters) == (1e9, 10e9)
    assert (pro.training_low_bytes, pro.training_high_bytes, pro.training_batch) == (24 * GB, 48 * GB, 8)
    assert (pro.inference_low_bytes, pro.inference_high_bytes) == (12 * GB, 24 * GB)
    assert (pro.sample_bytes, pro.sample_gpus, pro.sample_dtype) == (32 * GB, 4, "fp16")
    assert (enterprise.low_parameters, enterprise.high_parameters) == (100e9, None)
    assert (enterprise.sample_bytes, enterprise.sample_gpus, enterprise.sample_zero) == (75 * GB, 8, 3)
    assert (enterprise.training_gpus, enterprise.inference_gpus) == (8, 4)


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("deepseek-lite", LITE),
        ("Lite", LITE),
        ("deepseek-lite-base", LITE),
        ("DeepSeek-Pro", PRO),
        ("deepseek_pro_large", PRO),
        ("标准版", PRO),
        ("enterprise", ENTERPRISE),
        ("deepseek-enterprise-xl", ENTERPRISE),
    ],
)
def test_a_tier_is_found_by_its_names(said: str, name: str):
    """The guide's own identifiers and plain words lead to the tier."""
    assert find_tier(said).name == name
    assert is_tier(said)


def test_a_model_is_no_tier():
    """DeepSeek-V3 is a model: it is not taken for a tier because it begins alike."""
    assert not is_tier("deepseek-v3")
    with pytest.raises(PlanError, match="tier"):
        find_tier("gigantic")


@pytest.mark.parametrize(
    ("parameters", "name"),
    [
        (0.05e9, None),
        (0.1e9, LITE),
        (0.494e9, LITE),
        (0.7e9, None),
        (1e9, PRO),
        (6.9e9, PRO),
        (10e9, PRO),
        (33e9, None),
        (100e9, ENTERPRISE),
        (671e9, ENTERPRISE),
    ],
)
def test_a_model_is_in_the_tier_of_its_size(parameters: float, name: str | None):
    """Between the guide's ranges there is no tier, and none is invented."""
    tier = tier_of(parameters)
    assert (tier.name if tier else None) == name


def test_the_guides_examples_imply_bytes_per_parameter():
    """32 GB on 4 GPUs are 12.8 bytes for each of 10 B parameters, 75 GB on 8 are 6 for each of 100 B."""
    assert find_tier("pro").implied_bytes_per_parameter(10e9) == pytest.approx(12.8)
    assert find_tier("enterprise").implied_bytes_per_parameter(100e9) == pytest.approx(6.0)
    assert find_tier("lite").implied_bytes_per_parameter(0.1e9) == pytest.approx(90)


def test_ten_billion_parameters_do_not_fit_the_example_of_pro():
    """16 bytes of states for 10 B over 4 GPUs are 40 GB on each: the guide's 32 GB cannot hold them."""
    report = tier_report(find_tier("pro"))
    low, high = report.ends
    assert high.states_bytes_per_parameter == pytest.approx(16, rel=0.01)
    assert high.training.per_gpu.parts.static_bytes == pytest.approx(40 * GB, rel=0.01)
    assert any("10B on 4 GPUs" in says and "32 GB (12.8" in says for says in report.contradictions)
    assert low.training.per_gpu.parts.static_bytes < 5 * GB
    assert not any(says.startswith("training 1B") for says in report.contradictions)


def test_a_hundred_billion_parameters_do_not_fit_the_example_of_enterprise():
    """1600 GB of states over 8 GPUs are 200 GB on each, whatever ZeRO does: a card has 80."""
    report = tier_report(find_tier("enterprise"))
    (end,) = report.ends
    assert end.training.per_gpu.parts.static_bytes == pytest.approx(200 * GB, rel=0.01)
    assert any("100B on 8 GPUs" in says and "6.0 bytes" in says for says in report.contradictions)


def test_inference_on_four_cards_holds_a_dense_model_of_a_hundred_billion():
    """200 GB of weights over 4 cards: what the guide says of inference is possible."""
    report = tier_report(find_tier("enterprise"))
    weights = report.ends[0].inference.per_gpu.parts.weights_bytes
    assert weights == pytest.approx(50 * GB, rel=0.02)
    assert not any(says.startswith("inference") for says in report.contradictions)


def test_what_is_generous_is_a_remark_and_no_contradiction():
    """Weights of 0.1 B are 0.2 GB: the guide's 4 GB for inference are possible, and mostly something else."""
    report = tier_report(find_tier("lite"))
    assert any("inference of 100M" in says for says in report.remarks)
    assert not any("100M" in says for says in report.contradictions)


@pytest.mark.parametrize("tier", tiers(), ids=lambda tier: tier.name)
def test_a_tier_is_a_spec_like_any_other(tier):
    """What a plan computes for a tier's name is what its report says."""
    spec = tier_spec(tier, "training")
    assert estimate(spec).per_gpu == tier_report(tier).ends[-1].training.per_gpu
    assert spec.parallel.gpus == tier.sample_gpus
    assert "taken as" in spec.architecture.name


@given(st.floats(min_value=1, max_value=1e15))
def test_a_size_is_in_one_tier_at_most(parameters: float):
    """The guide's ranges do not overlap."""
    inside = [
        tier
        for tier in tiers()
        if tier.low_parameters <= parameters <= (tier.high_parameters or float("inf"))
    ]
    assert len(inside) <= 1
    assert tier_of(parameters) == (inside[0] if inside else None)


def test_a_length_that_the_guide_does_not_name_is_no_contradiction():
    """Half a billion parameters at batch 16 and 512 tokens are beyond 12 GB; with shorter sequences they are not."""
    report = tier_report(find_tier("lite"))
    assert not report.contradictions
    assert any("training 500M" in says and "guide's 12 GB hold" in says for says in report.remarks)


def test_the_real_model_is_as_large_as_the_note_says():
    """DeepSeek-V3's weights in fp8 with their scales are 627 GiB: with a context each, eight H100 do not hold them."""
    model = find_model("deepseek-v3")
    weights = estimate(Spec(architecture=model, phase="inference")).per_gpu.parts.weights_bytes
    assert round(weights / GIB) == 627
    split = estimate(Spec(architecture=model, phase="inference", framework="vllm", parallel=Parallel(tp=8)))
    parts = split.per_gpu.parts
    assert parts.weights_bytes + parts.context_bytes > find_gpu("H100-80").usable_bytes
    assert any("627 GiB" in note for note in find_tier("enterprise").notes)
