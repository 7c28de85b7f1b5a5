"""Layouts that contradict themselves or their model are refused before anything is computed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dstop.errors import PlanError
from dstop.footprint.architecture.values import Architecture, Attention, Experts, Layer, Mlp, Tensor
from dstop.footprint.spec.layout import check_layout
from dstop.footprint.spec.values import Lora, Parallel, Spec


def model(
    *, experts: int = 0, kind: str = "gqa", heads: int = 16, kv_heads: int = 4, layers: int = 12
) -> Architecture:
    """Give a model of layers that are alike."""
    feed_forward = Experts(routed=experts, per_token=2, width=64) if experts else Mlp(width=64)
    layer = Layer(
        attention=Attention(kind=kind, heads=heads, kv_heads=kv_heads, head_dim=8, value_dim=8),
        feed_forward=feed_forward,
        tensors=(Tensor(name="q_proj", shape=(heads * 8, 128), role="attention", split="column"),),
    )
    return Architecture(
        name="toy", family="llama", hidden=128, vocab=1000, layers=(layer,) * layers, embedding=(), output=()
    )


def spec(architecture: Architecture | None = None, *, phase: str = "inference", **fields) -> Spec:
    """Give a spec that nobody has checked."""
    return Spec(architecture=architecture or model(), phase=phase, **fields)


@pytest.mark.parametrize(
    ("asked", "field", "fix"),
    [
        (spec(parallel=Parallel(tp=3)), "parallel.tp", "1, 2, 4, 8, 16"),
        (
            spec(model(heads=48, kv_heads=6), parallel=Parallel(tp=4)),
            "parallel.tp",
            "1, 2, 3, 6, or a multiple of 6",
        ),
        (spec(parallel=Parallel(ep=4, dp=4)), "parallel.ep", "leave parallel.ep out"),
        (spec(parallel=Parallel(etp=2)), "parallel.etp", "leave"),
        (spec(model(experts=8), parallel=Parallel(ep=3, dp=3)), "parallel.ep", "1, 2, 4, 8"),
        (spec(model(experts=8), parallel=Parallel(ep=8, dp=4)), "parallel.ep", "raise dp"),
        (spec(parallel=Parallel(pp=13)), "parallel.pp", "at most 12"),
        (spec(parallel=Parallel(vpp=2)), "parallel.vpp", "raise pp"),
        (spec(parallel=Parallel(pp=4, vpp=4)), "parallel.vpp", "at most 3"),
        (spec(parallel=Parallel(pp=2, stage=2)), "parallel.stage", "0 to 1"),
        (spec(parallel=Parallel(cp=8), sequence=4), "parallel.cp", "at most 4"),
        (spec(phase="training", framework="vllm"), "framework", "pytorch"),
        (spec(phase="training", weights="nf4"), "weights", "lora"),
        (spec(lora=Lora(rank=8)), "lora", "training"),
        (
            spec(phase="training", lora=Lora(rank=8), trainable_fraction=0.5),
            "trainable_fraction",
            "leave one",
        ),
        (spec(mla_cache="expanded"), "mla_cache", "leave"),
        (spec(kv_cache="fp8_ds_mla"), "kv_cache", "fp8"),
        (spec(speculative="mtp"), "speculative", "none"),
    ],
    ids=lambda value: value if isinstance(value, str) else "spec",
)
def test_a_contradiction_is_refused_by_the_name_of_its_field(asked, field, fix):
    """The sentence names the field and what would do instead."""
    with pytest.raises(PlanError) as refused:
        check_layout(asked)
    assert refused.value.message.startswith(f"{field}:")
    assert fix in (refused.value.fix or "")


@pytest.mark.parametrize(
    "asked",
    [
        spec(parallel=Parallel(tp=16)),
        spec(model(experts=8), parallel=Parallel(dp=8, ep=8)),
        spec(model(experts=64), parallel=Parallel(tp=2, pp=4, dp=8, ep=16, vpp=2, etp=1, zero=1)),
        spec(model(kind="mla", kv_heads=16), parallel=Parallel(tp=8), mla_cache="expanded"),
        spec(phase="training", weights="nf4", lora=Lora(rank=8, base="nf4")),
    ],
    ids=["more ranks than kv heads", "experts over data ranks", "megatron", "mla", "qlora"],
)
def test_layouts_that_people_run_pass(asked):
    """Key/value heads may be replicated, experts laid over data-parallel ranks, frozen weights quantized."""
    check_layout(asked)


def test_the_widths_of_a_layout_follow_from_its_degrees():
    """ZeRO shards over dp x cp; experts over what ep and etp leave of dp x tp x cp."""
    layout = Parallel(tp=2, pp=4, dp=8, ep=16, etp=1)
    assert (layout.gpus, layout.replicas, layout.expert_replicas) == (64, 8, 1)
    assert replace(layout, ep=1, etp=None).expert_tp == 2
    assert replace(layout, ep=4, etp=None).expert_replicas == 4
