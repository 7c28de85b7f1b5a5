"""Weights, gradients, master copy and moments, counted by hand."""

from __future__ import annotations

import pytest

from dstop.errors import PlanError
from dstop.footprint.architecture.values import Quantization
from dstop.footprint.spec.values import Lora
from dstop.footprint.stages import stages_of
from dstop.footprint.training.optimizers import OPTIMIZERS
from dstop.footprint.training.states import states_of

MIXED = {"weights": "bf16", "gradients": "fp32", "master_weights": True, "optimizer_state": "fp32"}


def _states(spec, stage=0):
    return states_of(spec, stages_of(spec)[stage])


@pytest.mark.parametrize(
    ("fields", "each"),
    [
        ({"weights": "fp32"}, (4, 4, 8)),
        ({"weights": "bf16"}, (2, 2, 4)),
        (MIXED, (2, 4, 12)),
        ({**MIXED, "optimizer_state": "bf16"}, (2, 4, 8)),
        ({"weights": "fp32", "optimizer": "sgd"}, (4, 4, 0)),
        ({"weights": "fp32", "optimizer": "sgd_momentum"}, (4, 4, 4)),
        ({"weights": "bf16", "optimizer": "lion"}, (2, 2, 2)),
        ({"weights": "fp32", "optimizer": "adagrad"}, (4, 4, 4)),
    ],
    ids=["fp32", "bf16", "mixed", "bf16 moments", "sgd", "momentum", "lion", "adagrad"],
)
def test_bytes_of_a_parameter(dense, train, fields, each):
    """Recipes come to their bytes a parameter: 16 in fp32, 8 in bf16, 18 with a master copy and fp32 gradients."""
    found = _states(train(dense(), **fields))
    count = found.parameters
    assert (found.weights, found.gradients, found.optimizer) == tuple(size * count for size in each)


def test_eight_bits_have_scales_and_leave_vectors(dense, train):
    """8-bit moments take a byte and 4/256 of a scale an element of a matrix; norms keep the states' type."""
    architecture = dense()
    found = _states(train(architecture, weights="bf16", optimizer="adamw8bit"))
    vectors = 5 * 256  # a norm in each of four layers, and the last one
    expected = 2 * (found.parameters - vectors) * (1 + 4 / 256) + 2 * vectors * 2
    assert found.optimizer == pytest.approx(expected)


def test_adafactor_keeps_rows_and_columns(dense, train):
    """A matrix of Adafactor keeps a row and a column in fp32, a vector itself."""
    found = _states(train(dense(), weights="fp32", optimizer="adafactor"))
    layer = (256 + 256) + 2 * (64 + 256) + (256 + 256) + 3 * (512 + 256) + 256
    around = 2 * (1000 + 256) + 256
    assert found.optimizer == 4 * (4 * layer + around)


def test_muon_keeps_one_moment_of_inner_matrices(dense, train):
    """Muon keeps one moment of matrices in layers, two of embedding, head and norms."""
    found = _states(train(dense(), weights="fp32", optimizer="muon"))
    two = 2 * 1000 * 256 + 5 * 256
    assert found.optimizer == 4 * ((found.parameters - two) + 2 * two)


@pytest.mark.parametrize("zero", [0, 1, 2, 3])
def test_zero_divides_stage_by_stage(dense, train, zero):
    """ZeRO divides moments and master copy from its first stage on, gradients from the second, weights in the third."""
    alone = _states(train(dense(), **MIXED))
    found = _states(train(dense(), **MIXED, dp=4, cp=2, zero=zero))
    assert found.optimizer == alone.optimizer / (8 if zero >= 1 else 1)
    assert found.gradients == alone.gradients / (8 if zero >= 2 else 1)
    assert found.weights == alone.weights / (8 if zero >= 3 else 1)


def test_experts_are_sharded_over_their_own_replicas(latent, train):
    """The optimizer states of experts are divided by dp·tp·cp/(ep·etp), of the rest by dp·cp."""
    spec = train(latent(), **MIXED, tp=2, dp=8, ep=4, etp=1, zero=1)
    experts = 3 * 3 * (16 // 4) * 128 * 256
    found = _states(spec)
    rest = found.parameters - experts
    assert found.optimizer == pytest.approx(12 * rest / 8 + 12 * experts / (8 * 2 // 4))


def test_a_step_in_backward_has_one_gradient(dense, train):
    """With the step fused into backward only the largest gradient exists: here the embedding's."""
    assert _states(train(dense(), weights="bf16", optimizer_in_backward=True)).gradients == 2 * 1000 * 256


def test_adapters_alone_have_states(dense, train):
    """The base is frozen: gradients and moments are those of rank x (in + out), in fp32 under peft."""
    lora = Lora(rank=8, targets=("q_proj", "v_proj"))
    base = _states(train(dense(), weights="bf16", framework="hf"))
    found = _states(train(dense(), lora=lora, framework="hf"))
    adapters = 4 * 8 * ((256 + 256) + (64 + 256))
    assert found.weights == base.weights + 4 * adapters
    assert (found.gradients, found.optimizer) == (4 * adapters, 8 * adapters)
    plain = _states(train(dense(), lora=lora, framework="pytorch"))
    assert (plain.gradients, plain.optimizer) == (2 * adapters, 4 * adapters)


def test_a_quantized_base_is_small(dense, train):
    """QLoRA's matrices have 4 bits and a scale for 64; embedding, head and norms keep 16 bits."""
    found = _states(train(dense(), lora=Lora(rank=8, base="nf4"), weights="bf16", framework="hf"))
    whole = _states(train(dense(), lora=Lora(rank=8), weights="bf16", framework="hf"))
    matrices = 4 * (2 * 256 * 256 + 2 * 64 * 256 + 3 * 512 * 256)
    assert whole.weights - found.weights == pytest.approx(matrices * (2 - 0.5625), rel=0.01)


def test_a_share_is_trained(dense, train):
    """Only what is trained has gradients and moments; all of it has weights."""
    whole = _states(train(dense(), weights="bf16"))
    half = _states(train(dense(), weights="bf16", trainable_fraction=0.5))
    assert (half.weights, half.gradients, half.optimizer) == (
        whole.weights,
        whole.gradients / 2,
        whole.optimizer / 2,
    )


def test_an_optimizer_that_nobody_knows_is_refused(dense, train):
    """What an unknown optimizer keeps is not guessed: the field is named, with those that are known."""
    with pytest.raises(PlanError, match="optimizer: what 'adam_of_2031' keeps is not known") as refused:
        _states(train(dense(), optimizer="adam_of_2031"))
    assert all(name in (refused.value.fix or "") for name in OPTIMIZERS)


def test_the_head_can_have_an_adapter(dense, train):
    """A target outside the layers counts too: rank x (vocabulary + width)."""
    alone, both = (
        _states(train(dense(), lora=Lora(rank=8, targets=targets), framework="hf"))
        for targets in (("q_proj",), ("q_proj", "lm_head"))
    )
    assert both.parameters - alone.parameters == 8 * (1000 + 256)


def test_adapters_on_a_quantized_checkpoint(dense, train):
    """A base that stays as its files are has their bits: 8 and a scale a row, not the type that is computed in."""
    said = Quantization(method="compressed-tensors", bits=8)
    spec = train(dense(quantization=said), lora=Lora(rank=8, base="native"), framework="hf")
    whole = _states(train(dense(), lora=Lora(rank=8), framework="hf"))
    matrices = 4 * (2 * 256 * 256 + 2 * 64 * 256 + 3 * 512 * 256)
    assert whole.weights - _states(spec).weights == pytest.approx(matrices, rel=0.02)
