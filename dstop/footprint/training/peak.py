"""The moments of a training step at which a rank may hold the most, and which of them it is."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, NamedTuple

from dstop.footprint.sharding import held
from dstop.footprint.training.gathered import gathered_of
from dstop.footprint.training.logits import logits_of
from dstop.footprint.training.norms import norm_kept, norm_style
from dstop.footprint.training.optimizers import optimizer_of, steps_foreach
from dstop.footprint.training.overheads import libraries
from dstop.footprint.training.pipeline import in_flight
from dstop.footprint.training.recompute import layer_again, layer_kept, layer_passing, layer_whole
from dstop.footprint.training.setting import HALF, SINGLE, Setting, setting_of
from dstop.model.value import Value

if TYPE_CHECKING:
    from dstop.footprint.architecture.values import Layer
    from dstop.footprint.spec.values import Spec
    from dstop.footprint.stages import Stage
    from dstop.footprint.training.gathered import Gathered
    from dstop.footprint.training.states import States

FORWARD, BACKWARD, STEP = "end of forward", "backward", "optimizer step"
REDUCED_TOKENS, REDUCTION = 1024, 113_246_208
"""A sum over so many rows or more takes a buffer across blocks; at most 108 SMs x 2048 threads x 512 B (PyTorch's
Reduce.cuh, measured on a device of compute capability 8.0)."""
OFFLOADED = 2
"""Inputs of layers that are on the GPU while others are on the CPU: one in use, one on its way."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Moment(Value):
    """What a rank holds beside weights and optimizer states at one moment of a step."""

    at: str
    gradients: float = 0.0
    activations: float = 0.0
    logits: float = 0.0
    workspace: float = 0.0

    @property
    def total(self) -> float:
        """All of it."""
        return self.gradients + self.activations + self.logits + self.workspace


class Working(NamedTuple):
    """What one layer holds during its backward pass."""

    again: float = 0.0
    """Activations: computed again, or its own that were kept."""
    passing: float = 0.0
    """Gradients between its matrices."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Kept(Value):
    """Activations of a stage."""

    all_layers: float
    """From forward to backward, all micro-batches in flight, with what is around the layers."""
    last: Working
    """Of the layer that takes the most when backward begins, beside what all have kept."""
    layers: tuple[tuple[Layer, Working], ...]
    """Each kind of layer, with what it has kept and takes while its backward pass is at work."""
    casts: float
    """Copies of weights that autograd keeps under autocast."""
    casts_forward: float
    """Copies that are there until autocast ends, whoever keeps them."""


def peak_of(spec: Spec, stage: Stage, states: States) -> Moment:
    """Give the fullest moment of a step.

    Gradients are freed between steps (`set_to_none`), so that they are not there while activations are at their most,
    unless they are a buffer that stays (Megatron-LM) or micro-batches of a pipeline add to them.
    """
    setting = setting_of(spec)
    return max(moments_of(spec, stage, states, setting), key=lambda moment: moment.total)


def moments_of(spec: Spec, stage: Stage, states: States, setting: Setting) -> tuple[Moment, ...]:
    """Give end of forward, start of backward, the last and the first layer in it, its end, and the optimizer's step."""
    kept = kept_of(spec, stage, setting)
    logits = logits_of(spec, stage, setting)
    gathered = gathered_of(spec, stage, setting, states)
    stay = states.gradients if setting.megatron or spec.parallel.pp > 1 else 0.0
    base = libraries(spec) + gathered.always
    whole = gathered.turning
    head = 0.0 if stay else min(logits.head, states.whole_gradients)
    gradients, working = _deepest(spec, stage, states, kept)
    return (
        Moment(
            at=FORWARD,
            gradients=stay,
            activations=kept.all_layers + kept.casts_forward,
            logits=logits.forward,
            workspace=base + whole,
        ),
        Moment(
            at=BACKWARD,
            gradients=stay,
            activations=kept.all_layers + kept.casts,
            logits=logits.backward,
            workspace=base + whole,
        ),
        Moment(
            at=BACKWARD,
            gradients=stay + head,
            activations=kept.all_layers + kept.casts + kept.last.again,
            workspace=base + whole + kept.last.passing,
        ),
        Moment(
            at=BACKWARD,
            gradients=max(stay, gradients),
            activations=working.again,
            workspace=base + gathered.layers + working.passing,
        ),
        Moment(
            at=BACKWARD,
            gradients=states.gradients,
            workspace=base
            + gathered.late
            + _tied(spec, stage, states, setting)
            + (_stepping(spec, states) if spec.optimizer_in_backward else 0.0),
        ),
        _step(spec, states, gathered),
    )


def _deepest(spec: Spec, stage: Stage, states: States, kept: Kept) -> tuple[float, Working]:
    """Give gradients and working set where their sum is the largest, of the first layer of each kind.

    Backward has then been through all layers after it: gradients of itself, of what is before it and of the embedding
    are still to come (a tied embedding has that of the head already).
    """
    share = (
        states.gradients / states.parameters if states.parameters and not spec.optimizer_in_backward else 0.0
    )
    sizes = {id(layer): size for (layer, _), size in zip(kept.layers, states.layers, strict=True)}
    layers = (*stage.layers, *stage.next_token)
    start = 0.0 if spec.architecture.tied else states.embedding_gradient
    found = (0.0, Working())
    for layer, working in kept.layers:
        place = next(index for index, each in enumerate(layers) if each is layer)
        before = sum(sizes[id(each)] for each in layers[: place + 1])
        gradients = max(0.0, states.gradients - start - share * before)
        found = max(found, (gradients, working), key=lambda each: each[0] + sum(each[1]))
    return found


def _tied(spec: Spec, stage: Stage, states: States, setting: Setting) -> float:
    """Give what it takes to add the gradients of a tied embedding: its own, the head's, and their sum.

    The head's is a transposed view, which is not added to in place; a sum over pieces of the loss is, and a cast.
    """
    if not spec.architecture.tied or not stage.last or setting.megatron or spec.parallel.zero > 1:
        return 0.0
    return (2 if spec.loss == "full" and not setting.casts else 1) * states.embedding_gradient


def kept_of(spec: Spec, stage: Stage, setting: Setting) -> Kept:
    """Give the activations of a stage: each kind of layer once, times how many there are of it."""
    architecture, tokens = spec.architecture, setting.tokens
    summed = tokens >= REDUCED_TOKENS and not setting.fused
    buffer = min(2 * SINGLE * tokens * architecture.hidden, REDUCTION) if summed else 0.0
    total, last, layers = 0.0, Working(), []
    flights = in_flight(spec.parallel, stage.index)
    once = {id(layer) for layer in stage.next_token}  # in the last chunk, whose backward pass follows at once
    for layer, many in stage.alike:
        whole = layer_whole(layer, spec, setting)
        mine = layer_kept(layer, whole, spec, setting)
        total += many * mine * (1 if id(layer) in once else flights)
        again, passing = (
            layer_again(layer, whole, spec, setting),
            layer_passing(layer, spec, setting) + buffer,
        )
        last = max(last, Working(again, passing), key=sum)
        layers.append((layer, Working(mine + again, passing)))
    if spec.checkpointing == "offload":
        total += OFFLOADED * setting.residual * tokens * architecture.hidden / setting.sp
    if stage.first and architecture.embedding_dropout:
        total += tokens * architecture.hidden / setting.sp
    if stage.last:
        total += sum(
            norm_kept(architecture.hidden, setting, norm_style(architecture), setting.residual, 1).values()
        )
    head = HALF * architecture.vocab * architecture.hidden / setting.tp if stage.last else 0.0
    casts = HALF * _linear(spec, stage) + head if setting.casts and not setting.frozen else 0.0
    again = spec.checkpointing in {"full", "offload"}
    return Kept(
        all_layers=total,
        last=last,
        layers=tuple(layers),
        casts=head if again and casts else casts,
        casts_forward=casts,
    )


def _linear(spec: Spec, stage: Stage) -> float:
    """Count the parameters of matrices in the layers on one rank: what autocast casts."""
    total = 0.0
    for layer, many in stage.alike:
        for tensor in layer.tensors:
            if len(tensor.shape) > 1:
                count, shape = held(tensor, spec.parallel)
                total += many * count * prod(shape)
    return total


def _step(spec: Spec, states: States, gathered: Gathered) -> Moment:
    """The optimizer's step: all gradients, and what it needs for itself."""
    taken = 0.0 if spec.optimizer_in_backward else _stepping(spec, states)
    if spec.master_weights and spec.gradients != "fp32" and spec.framework != "megatron":
        taken += SINGLE * states.trained  # gradients are cast for the master copy
    return Moment(at=STEP, gradients=states.gradients, workspace=libraries(spec) + gathered.always + taken)


def _stepping(spec: Spec, states: States) -> float:
    """Give the temporaries of a step: copies of all parameters, or of the largest in fp32."""
    optimizer = optimizer_of(spec)
    how = optimizer.foreach if steps_foreach(spec) else optimizer.alone
    if how == "none":
        return 0.0
    if how == "largest":
        buffer = min(2 * SINGLE * states.largest, REDUCTION) if optimizer.factored else 0
        return float(SINGLE * states.largest + buffer)
    return step_copies(spec, states)


def step_copies(spec: Spec, states: States) -> float:
    """Give the copies of all moments that a step on lists of tensors makes, where PyTorch's optimizer makes any."""
    how = optimizer_of(spec).foreach
    if how not in {"copy", "copies"} or spec.framework not in {"hf", "pytorch"}:
        return 0.0
    element = HALF if spec.optimizer_state in {"bf16", "fp16"} and spec.lora is None else SINGLE
    return element * states.trained * (2 if how == "copies" else 1)
