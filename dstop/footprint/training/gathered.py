"""What data parallelism holds beside its shards: gathered units, buckets and buffers of reductions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dstop.footprint.formats import element_bytes
from dstop.footprint.sharding import held
from dstop.model.value import Value

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dstop.footprint.architecture.values import Tensor
    from dstop.footprint.spec.values import Spec
    from dstop.footprint.stages import Stage
    from dstop.footprint.training.setting import Setting
    from dstop.footprint.training.states import States

SHARDED = 3
"""ZeRO's third stage."""
BUCKET, LIVE = 500_000_000, 1_000_000_000
"""Elements of DeepSpeed's `reduce_bucket_size`, which `allgather_bucket_size` equals, and `stage3_max_live_parameters`,
by default (deepspeed/runtime/zero/config.py)."""


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
    In a pipeline weights stay whole between micro-batches, and gradients are added up whole, in the type of reductions
    (`set_requires_gradient_sync` and `set_reshard_after_backward` in torch.distributed.pipelining's schedules).
    DistributedDataParallel: its buckets are a copy of all gradients.
    DeepSpeed: a bucket to reduce gradients from, one more to gather into in its first two stages, and in the third as
    many whole weights as may live at once.
    """
    if spec.parallel.replicas == 1 or setting.megatron:
        return Gathered()
    deepspeed = spec.framework == "deepspeed"
    bucket = setting.element * min(BUCKET, states.parameters)
    if spec.parallel.zero == SHARDED:
        if not deepspeed:
            return _sharded(spec, stage, setting, states)
        live = setting.element * min(LIVE, states.parameters)
        return Gathered(always=bucket, turning=live, layers=live, late=live)
    if deepspeed and spec.parallel.zero:
        return Gathered(always=bucket, layers=bucket)
    return Gathered(always=states.whole_gradients)


def _sharded(spec: Spec, stage: Stage, setting: Setting, states: States) -> Gathered:
    """FSDP2's units."""
    parallel, element, around = spec.parallel, setting.element, stage.around(spec.architecture)
    reduced = element_bytes(spec.gradients or "fp32", "gradients")
    if parallel.pp > 1:
        trained = 0.0 if spec.lora is not None else reduced
        return Gathered(always=(element + trained) * states.parameters)
    root = _elements(around, spec)
    layer = max(states.layers, default=0.0)
    if spec.lora is not None:
        return Gathered(turning=element * (root + layer), layers=element * (root + layer))
    largest = max((_elements((tensor,), spec) for tensor in around), default=0.0)
    # shards of the root's gradients come last; the embedding's is left out already
    ahead = reduced * root / parallel.replicas - (0 if spec.architecture.tied else states.embedding_gradient)
    return Gathered(
        turning=element * (root + layer),
        layers=element * (root + largest + 2 * layer) + reduced * layer - max(0.0, ahead),
        late=reduced * root + element * largest,
    )


def _elements(tensors: Iterable[Tensor], spec: Spec) -> float:
    total = 0.0
    for tensor in tensors:
        count, shape = held(tensor, spec.parallel)
        elements = count
        for size in shape:
            elements *= size
        total += elements
    return total
