"""What data parallelism holds beside its shards: gathered units, buckets and buffers of reductions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dstop.footprint.formats import element_bytes
from dstop.footprint.sharding import held
from dstop.footprint.training.lora import adapter_parameters
from dstop.model.value import Value

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dstop.footprint.architecture.values import Layer, Tensor
    from dstop.footprint.spec.values import Spec
    from dstop.footprint.stages import Stage
    from dstop.footprint.training.setting import Setting
    from dstop.footprint.training.states import States

SHARDED = 3
"""ZeRO's third stage."""
BUCKET = 500_000_000
"""Elements of DeepSpeed's `reduce_bucket_size` and `allgather_bucket_size` by default."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Gathered(Value):
    """Bytes at the moments of a step, beside the shards."""

    always: float = 0.0
    """From the first backward pass on: the buckets of DistributedDataParallel."""
    turning: float = 0.0
    """Between forward and backward: units whose weights are whole then."""
    layers: float = 0.0
    """In the backward pass of the first layers: their weights and gradients are whole, and reduced."""
    late: float = 0.0
    """At the end of the backward pass: the root unit's gradients are reduced."""


def gathered_of(spec: Spec, stage: Stage, setting: Setting, states: States) -> Gathered:
    """Give what is held beside the shards.

    FSDP2: the root unit (embedding, last norm, head) stays whole from forward to the end of the backward pass, where
    all its gradients are reduced at once, from a copy in the type of reductions; a layer is whole while it is in use,
    and its gradients until they are reduced (PyTorch `fully_shard`; recordings with two ranks).
    DistributedDataParallel: its buckets are a copy of all gradients.
    DeepSpeed's first two stages: a bucket to reduce and a bucket to gather.
    """
    parallel = spec.parallel
    if parallel.replicas == 1 or setting.megatron:
        return Gathered()
    if parallel.zero < SHARDED:
        if spec.framework == "deepspeed" and parallel.zero:
            most = min(BUCKET, states.whole_gradients / setting.element)
            return Gathered(always=setting.element * most, layers=setting.element * most)
        return Gathered(always=states.whole_gradients)
    element, around = setting.element, stage.around(spec.architecture)
    reduced = element_bytes(spec.gradients or "fp32", "gradients")
    root = _elements(around, spec)
    layer = max((_unit(layer, spec) for layer, _ in stage.alike), default=0.0)
    if spec.lora is not None:
        return Gathered(turning=element * (root + layer), layers=element * (root + layer))
    largest = max((_elements((tensor,), spec) for tensor in around), default=0.0)
    return Gathered(
        turning=element * (root + layer),
        layers=element * (root + largest + 2 * layer) + reduced * layer - reduced * root / parallel.replicas,
        late=reduced * root + element * largest,
    )


def _unit(layer: Layer, spec: Spec) -> float:
    return _elements(layer.tensors, spec) + adapter_parameters(layer, spec)


def _elements(tensors: Iterable[Tensor], spec: Spec) -> float:
    total = 0.0
    for tensor in tensors:
        count, shape = held(tensor, spec.parallel)
        elements = count
        for size in shape:
            elements *= size
        total += elements
    return total
