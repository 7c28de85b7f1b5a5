"""The tiers of the sizing guide, by name and by size."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from dstop.footprint.catalog.entries import blocks, find, key, names_in, parsed
from dstop.footprint.catalog.values import Tier

if TYPE_CHECKING:
    from collections.abc import Mapping

GB = 10**9


def find_tier(name: str) -> Tier:
    """Give a tier by its name: `DeepSeek-Lite`, `lite`, `deepseek-lite-base`.

    Raises:
        PlanError: there is no such tier; the nearest name is given.
    """
    return _tier(find(name, _by_key(), "tier", lambda block: names_in(block)[0]))


def is_tier(name: str) -> bool:
    """Whether a tier is called so: for those who take a model or a tier."""
    return key(name) in _by_key()


def tier_of(parameters: float) -> Tier | None:
    """Give the tier whose sizes a model is in; None between them (0.5 to 1 B, 10 to 100 B) and below."""
    for tier in tiers():
        high = tier.high_parameters
        if tier.low_parameters <= parameters and (high is None or parameters <= high):
            return tier
    return None


@cache
def tiers() -> tuple[Tier, ...]:
    """Give the tiers, the smallest first."""
    return tuple(_tier(block) for block in blocks("tiers")[1:])


@cache
def _by_key() -> Mapping[str, str]:
    return {key(name): block for block in blocks("tiers")[1:] for name in names_in(block)}


@cache
def _tier(block: str) -> Tier:
    fields = dict(parsed(block))
    low, *high = fields.pop("parameters")
    training = fields.pop("training_gb")
    inference = fields.pop("inference_gb", (None, None))
    return Tier(
        low_parameters=low,
        high_parameters=high[0] if high else None,
        aliases=tuple(fields.pop("aliases", ())),
        training_low_bytes=training[0] * GB,
        training_high_bytes=training[1] * GB,
        training_batch=fields.pop("training_batch", None),
        inference_low_bytes=_bytes(inference[0]),
        inference_high_bytes=_bytes(inference[1]),
        sample_bytes=fields.pop("sample_gb") * GB,
        claims=tuple(fields.pop("claims")),
        notes=tuple(fields.pop("notes")),
        **fields,
    )


def _bytes(gigabytes: int | None) -> int | None:
    return None if gigabytes is None else gigabytes * GB
