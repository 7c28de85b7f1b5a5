"""What a GPU holds while a model is served."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.footprint.formats import element_bytes
from dstop.footprint.sharding import shard
from dstop.footprint.weights import weights_bytes
from dstop.model.footprint import Parts, RankFootprint
from dstop.units import MIB

if TYPE_CHECKING:
    from dstop.footprint.spec.values import Spec
    from dstop.footprint.stages import Stage


def kv_bytes_per_token(spec: Spec, stage: Stage) -> float:
    """Give the bytes of one more token in the caches of all layers of a stage, on one GPU; the spec is settled."""
    size = element_bytes(str(spec.kv_cache), "kv_cache")
    total = 0.0
    for layer in stage.layers:
        heads = max(1, -(-layer.attention.kv_heads // spec.parallel.tp))
        total += heads * (layer.attention.head_dim + layer.attention.value_dim) * size
    return total


def inference_rank(spec: Spec, stage: Stage) -> RankFootprint:
    """Give the parts of each GPU of one pipeline stage; the spec is settled."""
    parts = Parts(
        weights_bytes=weights_bytes(spec, stage),
        kv_cache_bytes=int(kv_bytes_per_token(spec, stage) * spec.batch * (spec.sequence or 0)),
        context_bytes=500 * MIB,
    )
    total = parts.total_bytes
    return RankFootprint(
        stage=stage.index,
        gpus=spec.parallel.gpus // spec.parallel.pp,
        layers=len(stage.layers),
        parameters=sum(
            shard(tensor, spec.parallel).parameters for tensor in stage.tensors(spec.architecture)
        ),
        parts=parts,
        low_bytes=int(total * 0.95),
        high_bytes=int(total * 1.1),
        peak_at="serving",
    )
