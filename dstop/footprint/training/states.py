"""Weights, gradients, master copy and moments on one rank: what does not come and go with a step."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

from dstop.footprint.formats import element_bytes
from dstop.footprint.scheme import scheme_of
from dstop.footprint.sharding import held
from dstop.footprint.training.lora import adapter_element, adapter_parameters, head_adapter
from dstop.footprint.training.optimizers import optimizer_of
from dstop.footprint.training.setting import SINGLE, weights_type
from dstop.model.value import Value

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dstop.footprint.architecture.values import Tensor
    from dstop.footprint.spec.values import Spec
    from dstop.footprint.stages import Stage
    from dstop.footprint.training.optimizers import Optimizer


@dataclass(slots=True)
class Group:
    """Parameters that are sharded over the same ranks: those of experts, or all others."""

    parameters: float = 0.0
    weights: float = 0.0
    moments: float = 0.0
    """Bytes of the moments of all of them."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class States(Value):
    """Bytes on one rank between steps, once every state has been made (after the first step)."""

    parameters: int
    weights: float
    gradients: float
    optimizer: float
    trained: float
    """Parameters whose optimizer states this rank has."""
    whole_gradients: float
    """Bytes of its gradients before ZeRO divides them."""
    largest: int
    """Elements of the largest trained tensor."""
    embedding_gradient: float
    """Bytes of the gradient of the embedding; 0 on stages without it, and where it is frozen."""
    layers: tuple[float, ...]
    """Parameters on this rank of a layer of each kind, in the order of `Stage.alike`."""


def states_of(spec: Spec, stage: Stage) -> States:
    """Count the states of one GPU of a stage; the spec is settled.

    ZeRO's stages divide moments and master copy, then gradients, then weights over dp x cp (Rajbhandari et al.,
    arXiv 1910.02054); experts over the ranks that hold the same ones, dp·tp·cp / (ep·etp) (arXiv 2502.07846, 3.2). A
    master copy is a state of the optimizer: 4 bytes for each trained parameter.
    """
    optimizer = optimizer_of(spec)
    state = element_bytes(spec.optimizer_state or "fp32", "optimizer_state")
    dense, experts, largest, layers = _count(spec, stage, optimizer, state)
    adapters = 0.0
    if spec.lora is not None:
        adapters = float(sum(many * adapter_parameters(layer, spec) for layer, many in stage.alike))
        adapters += head_adapter(stage.around(spec.architecture), spec)
    parallel = spec.parallel
    gradient, master, moment = _elements(spec, state)
    sums = {"weights": 0.0, "gradients": 0.0, "optimizer": 0.0, "trained": 0.0, "whole": 0.0}
    for group, ranks in ((dense, parallel.replicas), (experts, parallel.expert_replicas)):
        trained, moments = group.parameters * spec.trainable_fraction, group.moments * spec.trainable_fraction
        weights = group.weights
        if spec.lora is not None:
            trained = adapters if group is dense else 0.0
            moments = optimizer.moments * trained * (moment if optimizer.bits is None else optimizer.bits / 8)
            weights += trained * adapter_element(spec)
        ways = [ranks if parallel.zero >= level else 1 for level in (1, 2, 3)]
        sums["optimizer"] += (moments + master * trained) / ways[0]
        sums["trained"] += trained / ways[0]
        sums["gradients"] += gradient * trained / ways[1]
        sums["whole"] += gradient * trained
        sums["weights"] += weights / ways[2]
    if spec.lora is not None:
        largest = max(spec.lora.rank * spec.architecture.hidden, 1)
    return States(
        parameters=int(dense.parameters + experts.parameters + adapters),
        weights=sums["weights"],
        gradients=gradient * largest if spec.optimizer_in_backward else sums["gradients"],
        optimizer=sums["optimizer"],
        trained=sums["trained"],
        whole_gradients=sums["whole"],
        largest=largest,
        embedding_gradient=_embedding(spec, stage)
        * gradient
        / (parallel.replicas if parallel.zero > 1 else 1),
        layers=layers,
    )


def _embedding(spec: Spec, stage: Stage) -> float:
    if not stage.first or spec.lora is not None or spec.trainable_fraction < 1:
        return 0.0
    return spec.architecture.vocab * spec.architecture.hidden / spec.parallel.tp


def _elements(spec: Spec, state: float) -> tuple[float, float, float]:
    """Give the bytes of a gradient, a master copy and a moment of one trained parameter."""
    if spec.lora is not None and spec.framework == "hf":
        return SINGLE, 0.0, SINGLE  # peft keeps adapters in fp32, so that everything of them is
    gradient = element_bytes(spec.gradients or weights_type(spec), "gradients")
    return gradient, SINGLE if spec.master_weights else 0.0, state


def _count(
    spec: Spec, stage: Stage, optimizer: Optimizer, state: float
) -> tuple[Group, Group, int, tuple[float, ...]]:
    """Add up the tensors of a stage on one rank: experts apart; the largest of them; and each kind of layer."""
    dense, experts = Group(), Group()
    sizes = []
    of_around = _kind(spec, stage.around(spec.architecture), optimizer, state)
    kinds = [(of_around, 1)]
    kinds += [(_remembered(spec, layer.tensors, optimizer, state), many) for layer, many in stage.alike]
    for kind, many in kinds:
        for group, found in ((dense, kind.dense), (experts, kind.experts)):
            group.parameters += many * found.parameters
            group.weights += many * found.weights
            group.moments += many * found.moments
        sizes.append(kind.dense.parameters + kind.experts.parameters)
    return dense, experts, max(kind.largest for kind, _ in kinds), tuple(sizes[1:])


@dataclass(slots=True)
class Kind:
    """What one layer of a kind comes to on one rank."""

    dense: Group
    experts: Group
    largest: int


def _kind(spec: Spec, tensors: Iterable[Tensor], optimizer: Optimizer, state: float) -> Kind:
    scheme = scheme_of(spec.architecture, _stored(spec))
    found = Kind(Group(), Group(), 0)
    for tensor in tensors:
        count, shape = held(tensor, spec.parallel)
        group = found.experts if tensor.role == "expert" else found.dense
        elements = prod(shape)
        group.parameters += count * elements
        group.weights += count * scheme.of(tensor).of(shape)
        group.moments += count * _moments(tensor, shape, optimizer, state)
        found.largest = max(found.largest, elements)
    return found


_kinds: dict[tuple[object, ...], tuple[tuple[Tensor, ...], Kind]] = {}
"""Kinds that have been counted, with their tensors, which keeps their identity from being given to others: the stages
of a pipeline have the same ones, and a search asks for them hundreds of times."""
MOST_KINDS = 256


def _remembered(spec: Spec, tensors: tuple[Tensor, ...], optimizer: Optimizer, state: float) -> Kind:
    parallel, architecture = spec.parallel, spec.architecture
    key = (
        id(tensors),
        (parallel.tp, parallel.ep, parallel.expert_tp),
        (_stored(spec), architecture.dtype, id(architecture.quantization)),
        (id(optimizer), state),
    )
    known = _kinds.get(key)
    if known is None:
        if len(_kinds) >= MOST_KINDS:
            _kinds.clear()
        known = _kinds[key] = (tensors, _kind(spec, tensors, optimizer, state))
    return known[1]


def _stored(spec: Spec) -> str:
    """Give the format of the weights: what is trained is never quantized, what lies below adapters may be."""
    return spec.lora.base if spec.lora is not None else weights_type(spec)


def _moments(tensor: Tensor, shape: tuple[int, ...], optimizer: Optimizer, state: float) -> float:
    """Give the bytes of what an optimizer keeps for one tensor: 8 and 4 bits are for matrices only."""
    elements, matrix = prod(shape), len(shape) > 1
    if optimizer.factored:
        return SINGLE * (sum(shape) if matrix else elements)
    if optimizer.orthogonal and (not matrix or tensor.role in {"embedding", "position", "head"}):
        return elements * 2 * state
    each = state if optimizer.bits is None or not matrix else optimizer.bits / 8
    return elements * optimizer.moments * each
