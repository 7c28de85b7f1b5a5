"""The whole answer: stages that are alike are computed once, and are what they would be by themselves."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dstop.footprint.catalog.models import find_model
from dstop.footprint.estimate import estimate
from dstop.footprint.inference.rank import inference_rank
from dstop.footprint.spec.parse import parse_spec
from dstop.footprint.spec.settle import settle
from dstop.footprint.stages import stages_of


@pytest.mark.parametrize("name", ["deepseek-v3", "gemma-3-27b-text", "llama-3-8b"])
@pytest.mark.parametrize("framework", ["hf", "vllm"])
def test_stages_that_are_alike_are_computed_once(name, framework):
    """Each stage of a pipeline is what its own computation gives, its place included."""
    spec = parse_spec({"framework": framework, "parallel": {"pp": 16}}, architecture=find_model(name))
    settled = settle(spec)[0]
    alone = tuple(inference_rank(settled, stage) for stage in stages_of(settled))
    assert estimate(spec).ranks == alone
    assert [rank.stage for rank in alone] == list(range(16))


def test_the_rank_that_is_asked_about():
    """The largest, the first, the last or a number; the others are there too."""
    spec = parse_spec(
        {"phase": "training", "sequence": 512, "parallel": {"pp": 4}}, architecture=find_model("llama-3-8b")
    )

    def chosen(stage):
        return estimate(replace(spec, parallel=replace(spec.parallel, stage=stage))).per_gpu

    ranks = estimate(spec).ranks
    assert chosen("first") == chosen(0) == ranks[0]
    assert chosen("last") == chosen(3) == ranks[3]
    assert chosen("max").parts.total_bytes == max(rank.parts.total_bytes for rank in ranks)
