"""DeepSeek-V3 on 16 pipeline stages, 2 tensor and 8 expert ranks, as arXiv 2502.07846 counts it by hand.

Figures of the paper: 11.64 GB (GiB) of bf16 weights a device on stages 1 to 14, and the formulas of what attention and
experts keep. The paper holds two things whole that Megatron-LM divides over tp: the shared expert (as etp is 1) and the
rotary part of the query's up-projection.
"""

from __future__ import annotations

import pytest

from dstop.footprint.catalog.models import find_model
from dstop.footprint.spec.settle import settle
from dstop.footprint.spec.values import Parallel, Spec
from dstop.footprint.stages import stages_of
from dstop.footprint.training.attention import attention_kept
from dstop.footprint.training.feed_forward import feed_forward_kept
from dstop.footprint.training.recompute import layer_kept, layer_whole
from dstop.footprint.training.setting import setting_of
from dstop.footprint.training.states import states_of
from dstop.units import GIB

HIDDEN, HEADS, NOPE, ROPE, VALUE, QUERY, EXPERT = 7168, 128, 128, 64, 128, 1536, 2048
LAYERS = 4
"""Of a stage in the middle."""
WHOLE = LAYERS * (3 * HIDDEN * EXPERT + QUERY * HEADS * ROPE) // 2
"""What the paper's devices hold beyond Megatron-LM's: half of the shared expert and of the rotary up-projection."""
SEQUENCE = 4096


@pytest.fixture(scope="module")
def make():
    """Give what makes the paper's spec."""
    architecture = find_model("deepseek-v3")

    def build(**fields):
        layout = {"tp": 2, "pp": 16, "dp": 32, "ep": 8, "etp": 1, "sequence_parallel": True}
        layout |= fields.pop("layout", {})
        settled, _ = settle(
            Spec(
                architecture=architecture,
                phase="training",
                weights="bf16",
                gradients="fp32",
                master_weights=True,
                framework="megatron",
                sequence=SEQUENCE,
                parallel=Parallel(**layout),
                **fields,
            )
        )
        return settled

    return build


def test_weights_of_a_stage_in_the_middle(make):
    """Four layers with experts come to the paper's 11.64 GiB, once what it holds whole is added."""
    spec = make()
    stage = stages_of(spec)[1]
    assert len(stage.layers) == LAYERS
    weights = states_of(spec, stage).weights
    assert (weights + 2 * WHOLE) / GIB == pytest.approx(11.64, abs=0.005)


def test_zero_divides_experts_less(make):
    """Experts are the same on 8 ranks (32 x 2 / 8), the rest on 32: moments and master copy are divided by those."""
    spec = make(layout={"zero": 1})
    stage = stages_of(spec)[1]
    experts = LAYERS * 256 // 8 * 3 * HIDDEN * EXPERT
    found = states_of(spec, stage)
    rest = found.parameters - experts
    assert found.optimizer == pytest.approx(12 * (experts / 8 + rest / 32))
    assert states_of(make(layout={"zero": 2}), stage).gradients == pytest.approx(
        4 * (experts / 8 + rest / 32)
    )
    # the fp32 bias of routers is not in two bytes
    assert states_of(make(layout={"zero": 3}), stage).weights == pytest.approx(
        2 * (experts / 8 + rest / 32), rel=1e-5
    )


def test_what_attention_keeps(make):
    """Queries, keys and values 4bs(dh + dhr)nh + 2bs·dh·nh, result 2bs·dh·nh, each over tp; norms 4bsh."""
    spec = make(batch=2)
    layer = stages_of(spec)[1].layers[0]
    kept = attention_kept(layer, HIDDEN, setting_of(spec), "rms")
    tokens = 2 * SEQUENCE
    assert kept["qkv"] == tokens * (4 * (NOPE + ROPE) * HEADS + 2 * VALUE * HEADS) / 2
    assert kept["out"] == tokens * 2 * VALUE * HEADS / 2
    statistics = tokens * 4 / 2
    assert kept["norm"] + kept["normed"] == tokens * 4 * HIDDEN / 2 + statistics


def test_what_experts_keep(make):
    """The paper's (3h + 8mi) bytes a pair of token and expert, within a tenth: fused kernels keep 4h + 6mi."""
    spec = make()
    layer = stages_of(spec)[1].layers[0]
    kept = feed_forward_kept(layer, spec, setting_of(spec))
    pairs = SEQUENCE * 8 / 2
    assert kept["moe"] + kept["moe_act"] == pytest.approx(pairs * (3 * HIDDEN + 8 * EXPERT), rel=0.1)


def test_full_recomputation_keeps_a_layers_input(make):
    """With sequence parallelism over 2 ranks full recomputation keeps bsh bytes a layer."""
    spec = make(checkpointing="full")
    layer = stages_of(spec)[1].layers[0]
    setting = setting_of(spec)
    assert layer_kept(layer, layer_whole(layer, spec, setting), spec, setting) == SEQUENCE * HIDDEN
