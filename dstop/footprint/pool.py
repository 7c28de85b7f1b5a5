"""Whether a serving engine would do on a card: it fills the card by itself, so its cache pool decides."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from dstop.footprint.estimate import estimate
from dstop.footprint.reach import MOST_BATCH, MOST_TOKENS, largest, longest
from dstop.model.footprint import Fit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dstop.footprint.catalog.values import Gpu
    from dstop.footprint.reach import Estimates
    from dstop.footprint.spec.values import Spec
    from dstop.model.footprint import Footprint, Verdict


def judge_pool(spec: Spec, estimates: Estimates, gpu: Gpu) -> Fit:
    """Judge vLLM or SGLang on a card.

    The pool is what the engine leaves for the cache on this card; it must hold one sequence of the longest length, or
    the engine does not start (vLLM's `check_enough_kv_cache_memory`). `fits`: all sequences of the batch at once, even
    when a pass takes as much as the high end of its band; `tight`: at least one sequence. The headroom is the pool
    less what the batch takes; the largest batch is the most sequences that the pool holds at once.

    Args:
        spec: settled.
        estimates: of the same spec without a card, whose cache is what the sequences take.
        gpu: the card.
    """
    length = max(spec.sequence or 1, spec.max_model_len or 1)
    asked = estimates.at(spec.batch, spec.sequence)
    pools = pools_of(spec, gpu)
    uncertain = max(rank.high_bytes - rank.parts.total_bytes for rank in asked.ranks)

    def room(batch: int, tokens: int) -> int:
        return _left(pools, estimates.at(batch, tokens))

    headroom = room(spec.batch, spec.sequence or 1)
    if min(pools) <= 0:  # the weights alone are beyond the engine's share: there is no pool to speak of
        headroom = min(gpu.usable_bytes - _most(asked), -1)
    return Fit(
        gpu=gpu.short,
        count=asked.gpus,
        usable_bytes=gpu.usable_bytes,
        verdict=_verdict(headroom, uncertain, room(1, length)),
        headroom_bytes=headroom,
        max_batch=largest(
            lambda batch: room(batch, spec.sequence or 1),
            spec.batch,
            MOST_BATCH,
            known=estimates.batches(spec.sequence),
        ),
        max_tokens=longest(
            lambda tokens: room(spec.batch, tokens),
            spec.sequence or 1,
            max(spec.architecture.positions or MOST_TOKENS, spec.sequence or 1),
            least=spec.parallel.cp,
            known=estimates.sequences(spec.batch),
        ),
    )


def pool_headroom(spec: Spec, asked: Footprint, gpu: Gpu) -> tuple[int, Verdict]:
    """Give what the batch leaves of the pool on a card, and whether it fits: without a search for how far it goes.

    Args:
        spec: settled.
        asked: its footprint without a card.
        gpu: the card.
    """
    pools = pools_of(spec, gpu)
    length = max(spec.sequence or 1, spec.max_model_len or 1)
    one = estimate(replace(spec, gpu=None, gpu_bytes=None, batch=1, sequence=length))
    uncertain = max(rank.high_bytes - rank.parts.total_bytes for rank in asked.ranks)
    headroom = _left(pools, asked)
    return headroom, _verdict(headroom, uncertain, _left(pools, one))


def _left(pools: Sequence[int], footprint: Footprint) -> int:
    """Give what the cache of a footprint leaves of the pools, on the rank where that is least."""
    return min(pool - rank.parts.kv_cache_bytes for pool, rank in zip(pools, footprint.ranks, strict=True))


def pools_of(spec: Spec, gpu: Gpu) -> Sequence[int]:
    """Give the bytes of the pool of each stage on a card; 0 where the engine would have none.

    With a card the cache of an estimate is the pool, or what one sequence takes where that is more: so it is asked for
    a sequence as short as can be.
    """
    shortest = spec.parallel.cp
    card = replace(spec, gpu=gpu.short, gpu_bytes=gpu.memory_bytes, batch=1, sequence=shortest)
    if spec.max_model_len is None:
        card = replace(card, max_model_len=spec.sequence)
    with_card = estimate(card)
    alone = estimate(replace(card, gpu=None, gpu_bytes=None))
    pairs = zip(with_card.ranks, alone.ranks, strict=True)
    return [pool if (pool := on.parts.kv_cache_bytes) > one.parts.kv_cache_bytes else 0 for on, one in pairs]


def _verdict(headroom: int, uncertain: int, one_sequence: int) -> Verdict:
    if one_sequence < 0:
        return "does not fit"
    return "fits" if headroom >= uncertain else "tight"


def _most(footprint: Footprint) -> int:
    return max(rank.parts.total_bytes for rank in footprint.ranks)
