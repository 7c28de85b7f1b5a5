"""Bytes of the weights: on one rank, and in the files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.footprint.formats import element_bytes
from dstop.footprint.sharding import shard

if TYPE_CHECKING:
    from dstop.footprint.spec.values import Spec
    from dstop.footprint.stages import Stage


def weights_bytes(spec: Spec, stage: Stage) -> int:
    """Give the bytes of all weights on one GPU of a stage, before ZeRO divides them."""
    size = element_bytes(_plain(spec), "weights")
    return int(
        sum(shard(tensor, spec.parallel).parameters for tensor in stage.tensors(spec.architecture)) * size
    )


def checkpoint_bytes(spec: Spec) -> int | None:
    """Give the bytes of the weight files."""
    return int(spec.architecture.total_parameters * element_bytes(_plain(spec), "weights"))


def _plain(spec: Spec) -> str:
    return spec.architecture.dtype if spec.weights in {None, "native"} else str(spec.weights)
