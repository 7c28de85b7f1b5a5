"""Which cards would hold a configuration, and how far each would go."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from dstop.footprint.catalog.hardware import find_gpu
from dstop.footprint.catalog.prices import price_of
from dstop.footprint.estimate import estimate
from dstop.footprint.pool import judge_pool
from dstop.footprint.reach import MOST_BATCH, MOST_TOKENS, Estimates, largest, longest
from dstop.footprint.spec.settle import SERVING, settle
from dstop.model.footprint import Fit

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from dstop.footprint.catalog.values import Gpu
    from dstop.footprint.spec.values import Spec
    from dstop.model.footprint import Footprint, Verdict

USUAL = ("RTX 4090", "L4", "A10", "L40S", "A100-40", "A100-80", "H100-80", "H200", "B200", "MI300X")
"""What a plan is judged against unless told: cards of each size that are common at home, in clouds and in clusters."""


def usual_gpus() -> tuple[Gpu, ...]:
    """Give the cards of `USUAL`, the smallest first."""
    return tuple(sorted((find_gpu(name) for name in USUAL), key=lambda gpu: (gpu.usable_bytes, gpu.short)))


def judged(
    spec: Spec, gpus: Iterable[Gpu], own: Mapping[str, float] | None = None
) -> tuple[Footprint, tuple[Fit, ...]]:
    """Compute a configuration and hold it against cards: what a screen with sliders does after each turn.

    Args:
        spec: what is asked; its own `gpu` decides about the pool of an engine, but each card is judged with its own.
        gpus: cards of the catalog.
        own: the user's prices, as `own_prices` gives them.

    Raises:
        PlanError: the layout cannot be.
    """
    return estimate(spec), fits_of(spec, gpus, own)


def fits_of(spec: Spec, gpus: Iterable[Gpu], own: Mapping[str, float] | None = None) -> tuple[Fit, ...]:
    """Judge cards, in the order in which they are given.

    Usable is what the driver reports less what it keeps (`Gpu.usable_bytes`); every process on the card would take of
    it too. A configuration fits when the largest of its ranks does; its band decides between `fits` and `tight`.
    Largest batch and longest sequence are found on `estimate` itself, which grows with both; the sequence is bounded
    by the model's positions.

    Raises:
        PlanError: the layout cannot be.
    """
    settled = settle(spec)[0]
    estimates = Estimates(replace(settled, gpu=None, gpu_bytes=None))
    if settled.phase == "inference" and settled.framework in SERVING:
        fits = [(judge_pool(settled, estimates, gpu), gpu) for gpu in gpus]
    else:
        offsets: dict[str, int] = {}
        fits = [(_judge(settled, estimates, gpu, offsets), gpu) for gpu in gpus]
    return tuple(_priced(fit, gpu, own, settled.parallel.tp) for fit, gpu in fits)


def on_card(spec: Spec, gpu: Gpu) -> Spec:
    """Give the spec as it is on a card: library workspaces and the budgets of engines depend on it."""
    return replace(spec, gpu=gpu.short, gpu_bytes=gpu.memory_bytes)


def _judge(spec: Spec, estimates: Estimates, gpu: Gpu, offsets: dict[str, int]) -> Fit:
    base = estimates.at(spec.batch, spec.sequence)
    if gpu.architecture not in offsets:
        offsets[gpu.architecture] = _most(estimate(on_card(spec, gpu))) - _most(base)
    usable = gpu.usable_bytes - offsets[gpu.architecture]

    def batch_room(batch: int) -> int:
        return usable - _most(estimates.at(batch, spec.sequence))

    def token_room(tokens: int) -> int:
        return usable - _most(estimates.at(spec.batch, tokens))

    return Fit(
        gpu=gpu.short,
        count=base.gpus,
        usable_bytes=gpu.usable_bytes,
        verdict=verdict_of(base, usable),
        headroom_bytes=usable - _most(base),
        max_batch=largest(batch_room, spec.batch, MOST_BATCH, known=estimates.batches(spec.sequence)),
        max_tokens=longest(
            token_room,
            spec.sequence or 1,
            longest_sequence(spec),
            least=spec.parallel.cp,
            known=estimates.sequences(spec.batch),
        ),
    )


def verdict_of(footprint: Footprint, usable: int) -> Verdict:
    """Hold every rank against what a card has: `fits` where also the high end of each does."""
    if max(rank.high_bytes for rank in footprint.ranks) <= usable:
        return "fits"
    return "tight" if _most(footprint) <= usable else "does not fit"


def longest_sequence(spec: Spec) -> int:
    """Give the most tokens that are looked at: the model's positions, or what was asked where that is more."""
    return max(spec.architecture.positions or MOST_TOKENS, spec.sequence or 1)


def best_of(fits: Sequence[Fit]) -> Fit | None:
    """Give the smallest card that fits, else the one that is short of least."""
    return min(
        fits,
        key=lambda fit: (
            not fit.fits,
            fit.verdict != "fits",
            fit.usable_bytes if fit.fits else -fit.headroom_bytes,
        ),
        default=None,
    )


def _most(footprint: Footprint) -> int:
    """Give the expected total of the largest rank, whichever the user asked about."""
    return max(rank.parts.total_bytes for rank in footprint.ranks)


def _priced(fit: Fit, gpu: Gpu, own: Mapping[str, float] | None, tp: int) -> Fit:
    price = price_of(gpu, fit.count, own, together=tp)
    return fit if price is None else replace(fit, price_per_hour=price.per_hour)
