"""What one GPU has of a tensor under tensor and expert parallelism."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dstop.footprint.architecture.values import Tensor
    from dstop.footprint.spec.values import Parallel


def shard(tensor: Tensor, parallel: Parallel) -> Tensor:
    """Give the tensor as one rank holds it.

    Column and vocabulary splits divide dimension 0, row splits dimension 1 (a vector under a row split is
    whole), key/value splits leave each rank at least one head, and routed experts are divided by count over ep and by shape over etp
    (Shoeybi et al., arXiv 1909.08053; Megatron-LM's expert parallelism). Rounds up: the largest rank.
    """
    ways = parallel.tp
    count = tensor.count
    if tensor.role == "expert":
        ways = parallel.expert_tp
        count = -(-tensor.count // parallel.ep)
    shape = tensor.shape
    if ways > 1 and tensor.split in {"column", "vocab"}:
        shape = (-(-shape[0] // ways), *shape[1:])
    elif ways > 1 and tensor.split == "row" and len(shape) > 1:
        shape = (shape[0], -(-shape[1] // ways), *shape[2:])
    elif ways > 1 and tensor.split == "kv":
        heads = max(1, -(-tensor.heads // ways))
        shape = (shape[0] // tensor.heads * heads, *shape[1:])
    return replace(tensor, shape=shape, count=count)
