"""The user's own prices: `[prices]` of the configuration file, or DSTOP_PRICES."""

from __future__ import annotations

import math

MOST_PRICES = 256
_MOST_CHARS = 80
_MOST_PER_HOUR = 100_000.0
_EXAMPLE = '{"A100-80" = 1.8, "p5.48xlarge" = 30}'

Prices = tuple[tuple[str, float], ...]
"""Name of a card or an instance, and what an hour of one costs in US dollars; sorted by name."""


def parse_prices(value: object) -> Prices:
    """Check the table. Whether a name is in the catalog is asked where prices are used.

    Raises:
        ValueError: with words that say what it must be.
    """
    if isinstance(value, tuple):
        value = dict(value)
    if not isinstance(value, dict):
        raise ValueError(f"must be a table of dollars an hour, such as {_EXAMPLE}")  # noqa: TRY004 - one kind of mistake
    if len(value) > MOST_PRICES:
        raise ValueError(f"must have {MOST_PRICES} prices at most")
    return tuple(sorted((_name(name), _price(name, amount)) for name, amount in value.items()))


def parse_prices_text(text: str) -> Prices:
    """Read `A100-80=1.8,H100=2.5`.

    Raises:
        ValueError: with words that say what it must be.
    """
    pairs = [part.rpartition("=") for part in text.split(",") if part.strip()]
    try:
        return parse_prices({name.strip(): float(amount) for name, _equals, amount in pairs})
    except ValueError as error:
        says = str(error)
        raise ValueError(says if "must" in says else "must be such as A100-80=1.8,H100=2.5") from error


def _name(name: object) -> str:
    if not isinstance(name, str) or not name.strip() or len(name) > _MOST_CHARS or not name.isprintable():
        raise ValueError(f"must name cards in printable words of at most {_MOST_CHARS} characters")
    return name


def _price(name: object, amount: object) -> float:
    if isinstance(amount, bool) or not isinstance(amount, int | float) or not math.isfinite(amount):
        raise ValueError(f"must be a table of dollars an hour, such as {_EXAMPLE}")
    if not 0 <= amount <= _MOST_PER_HOUR:
        raise ValueError(f"must not have a price of {amount:g} an hour for {str(name)[:_MOST_CHARS]}")
    return float(amount)
