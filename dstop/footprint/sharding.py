"""What one GPU has of a tensor under tensor and expert parallelism."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dstop.footprint.architecture.values import Tensor
    from dstop.footprint.spec.values import Parallel


def shard(tensor: Tensor, parallel: Parallel) -> Tensor:
    """Give the tensor as one rank holds it: the same object where it holds all of it."""
    count, shape = held(tensor, parallel)
    if count == tensor.count and shape == tensor.shape:
        return tensor
    return replace(tensor, shape=shape, count=count)


def held(tensor: Tensor, parallel: Parallel) -> tuple[int, tuple[int, ...]]:
    """Give how many of a tensor one rank holds, and the shape of each.

    Column and vocabulary splits divide dimension 0, row splits dimension 1 (a vector under a row split is whole),
    key/value splits leave each rank at least one head, and routed experts are divided by count over ep and by shape
    over etp (Shoeybi et al., arXiv 1909.08053; Megatron-LM's expert parallelism). Rounds up: the largest rank.
    """
    count, shape, split = tensor.count, tensor.shape, tensor.split
    if tensor.role == "expert":
        ways = parallel.expert_tp
        count = -(-count // parallel.ep)
    else:
        ways = parallel.tp
    if ways == 1 or split == "none":
        return count, shape
    if split in {"column", "vocab"}:
        return count, (-(-shape[0] // ways), *shape[1:])
    if split == "kv":
        heads = max(1, -(-tensor.heads // ways))
        return count, (shape[0] // tensor.heads * heads, *shape[1:])
    if len(shape) > 1:  # a row split
        return count, (shape[0], -(-shape[1] // ways), *shape[2:])
    return count, shape
