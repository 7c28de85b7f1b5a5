"""The layouts that a search considers can all be, and come least intrusive first."""

from __future__ import annotations

import pytest

from dstop.footprint.catalog.models import find_model
from dstop.footprint.search.layouts import experts_of, layouts, tensor_ways
from dstop.footprint.spec.layout import check_layout
from dstop.footprint.spec.parse import parse_spec

MODELS = ("llama-3-8b", "qwen3-30b-a3b", "deepseek-v3", "qwen2.5-0.5b")


def spec_of(name, **more):
    """Give the spec of a catalogued model."""
    return parse_spec(more, architecture=find_model(name))


@pytest.mark.parametrize("phase", ["training", "inference"])
@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("gpus", [1, 8, 64])
def test_every_layout_can_be_and_takes_all_gpus(name, phase, gpus):
    """None is refused by the check of layouts, none is there twice, and the GPUs multiply out."""
    spec = spec_of(name, phase=phase)
    found = layouts(spec, gpus, 8, ())
    assert found or (name, phase) == ("qwen2.5-0.5b", "inference")  # its heads and layers allow 32 at most
    for each in found:
        laid = each.of(spec)
        check_layout(laid)
        assert laid.parallel.gpus == gpus
        assert laid.parallel.tp <= 8
        assert not (laid.parallel.pp > 1 and laid.parallel.zero > 1)
    assert len({(each.parallel, each.checkpointing) for each in found}) == len(found)
    assert [each.cost for each in found] == sorted(each.cost for each in found)


def test_what_somebody_said_stays():
    """A degree that was typed is in every layout; what it leaves open is still searched."""
    spec = spec_of("llama-3-8b", phase="training", checkpointing="full", parallel={"tp": 4, "zero": 1})
    found = layouts(spec, 16, 8, {"tp", "zero", "checkpointing"})
    assert {(each.parallel.tp, each.parallel.zero, each.checkpointing) for each in found} == {(4, 1, "full")}
    assert {each.parallel.pp for each in found} >= {1, 2, 4}


def test_one_replica_serves():
    """Inference divides one model over its GPUs: more replicas would be more of the same."""
    assert {each.parallel.dp for each in layouts(spec_of("llama-3-8b"), 8, 8, ())} == {1}


def test_heads_and_experts_bound_the_degrees():
    """14 heads allow two ways at most; 256 experts are divided by what there is of ranks."""
    assert tensor_ways(find_model("qwen2.5-0.5b"), 8) == (1, 2)
    assert tensor_ways(find_model("llama-3-8b"), 8) == (1, 2, 4, 8)
    assert experts_of(find_model("deepseek-v3")) == 256
    assert experts_of(find_model("llama-3-8b")) == 0
    degrees = {each.parallel.ep for each in layouts(spec_of("deepseek-v3", phase="training"), 64, 8, ())}
    assert {1, 64} <= degrees
