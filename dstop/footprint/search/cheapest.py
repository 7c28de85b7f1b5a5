"""The cheapest layouts that fit, over cards, counts, layouts and formats."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from dstop.footprint.catalog.hardware import servers
from dstop.footprint.catalog.prices import price_of
from dstop.footprint.cost import computed_in
from dstop.footprint.search.trial import MOST_GPUS, Trials
from dstop.model.value import Value

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from dstop.footprint.catalog.values import Gpu, Price
    from dstop.footprint.search.layouts import Layout
    from dstop.footprint.spec.values import Spec
    from dstop.model.footprint import Fit

KEPT = 6
"""Answers that are given at most."""
_SERVER = 8
"""Cards of a server of which nobody says how many it has."""
_LIGHTER = ("fp8", "int8", "int4")
_Rank = tuple[bool, float, int, int, str]
"""Whether nobody knows the price, the price, cards, how much the format loses; the name, to be the same each time."""
_LOSSY = {"native": 0, "fp8": 1, "int8": 2, "int4": 3}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Found(Value):
    """One layout that fits."""

    gpu: str
    count: int
    spec: Spec
    """As it was computed: with its layout, and on its card."""
    fit: Fit
    total_bytes: int
    """Expected, on the largest rank."""
    price: Price | None
    changes: tuple[str, ...]
    """What it changes in what was asked, in words; the layout apart."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Searched(Value):
    """The answer of a search, and what it is an answer to."""

    found: tuple[Found, ...]
    """The cheapest first; empty when nothing fits."""
    cards: int
    """Kinds of cards that compute in what was asked for."""
    count: int | None = None
    """Of each; None where the number was searched."""
    formats: tuple[str, ...]
    tried: int
    """Configurations that were computed; what cannot fit by its weights and states alone was not."""

    @property
    def says(self) -> str:
        """Say what was searched, in one sentence."""
        formats = f", weights as asked and in {', '.join(self.formats)}" if self.formats else ""
        kinds = f"{self.cards} kind{'s' if self.cards != 1 else ''} of cards"
        counts = (
            f"1 to {MOST_GPUS:,} of each in powers of two"
            if self.count is None
            else f"{self.count:,} of each"
        )
        return f"{kinds}, {counts}{formats}; {self.tried} configurations were computed"


def search(
    spec: Spec,
    gpus: Sequence[Gpu],
    own: Mapping[str, float] | None = None,
    said: Collection[str] = (),
    *,
    count: int | None = None,
) -> Searched:
    """Find the cheapest layout for each card and format, and give the cheapest of those.

    A layout fits when also the high end of its band does. For each card the fewest that can do are taken, and of their
    layouts the least intrusive; answers are ordered by price an hour (those without a price after those with one, by
    count), then by how much the format takes away from the weights; one answer leaves the weights as they are, where
    there is any. Batch and sequence stay: a replica's own.

    Args:
        spec: what was asked.
        gpus: cards of the catalog.
        own: the user's prices.
        said: fields that somebody has set, which stay.
        count: cards in all, where somebody has so many; else 1 to `MOST_GPUS`, in powers of two.
    """
    trials = Trials(spec, said, count)
    formats = _formats(spec, said)
    jobs = sorted(
        (
            _bound(gpu, weights, trials, own)
            for gpu in gpus
            for weights in formats
            if _can(spec, gpu, weights)
        ),
        key=lambda job: job[0],
    )
    found: list[tuple[_Rank, Found]] = []
    for rank, gpu, weights in jobs:
        if any(one.gpu == gpu.short and _as_good(key, rank) for key, one in found):
            continue  # even at best it would cost as much, with weights that lose more
        if len(found) >= KEPT and rank[:2] > max(sorted(key for key, _ in found)[:KEPT])[:2]:
            if any(key[3] == 0 for key, _ in found):
                break  # what comes cannot be cheaper
            if weights is not None:
                continue  # one answer leaves the weights as they are
        one = _smallest(trials, gpu, weights, own)
        if one is not None:
            found.append((_rank(one, gpu, weights), one))
    found.sort(key=lambda pair: pair[0])
    kept = [
        one
        for key, one in found
        if not any(other.gpu == one.gpu and other is not one and _as_good(than, key) for than, other in found)
    ]
    whole = [one for one in kept if one.spec.weights == spec.weights][:1]
    first = kept[:KEPT] if not whole or whole[0] in kept[:KEPT] else [*kept[: KEPT - 1], *whole]
    return Searched(
        found=tuple(first),
        cards=len({gpu.short for _, gpu, _ in jobs}),
        count=count,
        formats=tuple(name for name in formats if name is not None),
        tried=trials.count,
    )


def _as_good(one: _Rank, other: _Rank) -> bool:
    """Whether an answer on the same card costs no more, takes no more cards, and loses less of the weights."""
    return one[:3] <= other[:3] and one[2] <= other[2] and one[3] < other[3]


def _formats(spec: Spec, said: Collection[str]) -> tuple[str | None, ...]:
    """Give the formats of the weights that are tried: as asked, and lighter ones to serve a model in 16 bits."""
    if spec.phase == "training" or "weights" in said or spec.architecture.quantization is not None:
        return (None,)
    return (None, *_LIGHTER)


def _can(spec: Spec, gpu: Gpu, weights: str | None) -> bool:
    """Whether a card computes in the formats: fp8 where it has such units, bf16 from compute capability 8.0 on."""
    if weights == "fp8" and gpu.fp8_tflops is None:
        return False
    old = gpu.vendor == "NVIDIA" and gpu.compute_capability.partition(".")[0] in {"6", "7"}
    return not old or computed_in(spec) != "bf16"


def _bound(
    gpu: Gpu, weights: str | None, trials: Trials, own: Mapping[str, float] | None
) -> tuple[_Rank, Gpu, str | None]:
    """Give where a card and a format can stand at best: with the fewest cards that could hold the states alone."""
    count = trials.counts(gpu, weights)[0]
    price = price_of(gpu, count, own)
    hour = 0.0 if price is None else price.per_hour
    return (price is None, hour, count, _LOSSY[weights or "native"], gpu.short), gpu, weights


def _rank(found: Found, gpu: Gpu, weights: str | None) -> _Rank:
    hour = 0.0 if found.price is None else found.price.per_hour
    return found.price is None, hour, found.count, _LOSSY[weights or "native"], gpu.short


def _smallest(trials: Trials, gpu: Gpu, weights: str | None, own: Mapping[str, float] | None) -> Found | None:
    """Give the least intrusive layout on the fewest cards of a kind; None where no number of them does."""
    for count in trials.counts(gpu, weights):
        for layout in trials.layouts(count, _together(gpu)):
            fit = trials.fit(gpu, weights, layout)
            if fit is not None:
                price = price_of(gpu, count, own, together=layout.parallel.tp)
                priced = replace(fit, price_per_hour=None if price is None else price.per_hour)
                return Found(
                    gpu=gpu.short,
                    count=count,
                    spec=trials.laid_out(gpu, weights, layout),
                    fit=priced,
                    total_bytes=trials.total_bytes(weights, layout),
                    price=price,
                    changes=_changes(trials.spec, weights, layout),
                )
    return None


def _changes(spec: Spec, weights: str | None, layout: Layout) -> tuple[str, ...]:
    changes = [] if weights is None else [f"weights in {weights}"]
    if layout.checkpointing != spec.checkpointing:
        recomputed = "no" if layout.checkpointing == "none" else str(layout.checkpointing)
        changes.append(f"{recomputed} checkpointing")
    return tuple(changes)


def _together(gpu: Gpu) -> int:
    return max([_SERVER, *(server.count for server in servers() if server.gpu == gpu.short)])
