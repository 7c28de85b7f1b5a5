"""What so many cards of a kind cost an hour: the user's own list first, then public lists with their day."""

from __future__ import annotations

from dataclasses import replace
from math import isfinite
from typing import TYPE_CHECKING

from dstop.errors import PlanError
from dstop.footprint.catalog.hardware import find_gpu, find_server, servers_with
from dstop.footprint.catalog.values import Price

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dstop.footprint.catalog.values import Gpu, Server

MOST_PER_HOUR = 100_000.0


def price_of(
    gpu: Gpu, count: int, own: Mapping[str, float] | None = None, *, together: int = 1
) -> Price | None:
    """Give what `count` cards cost an hour; None where nobody has said it.

    A price of the user's for the card counts per card. Otherwise whole instances are rented: the cheapest of one kind
    that together have enough cards; the user's own price of an instance replaces the public one. The source says which.
    Instances of a single card are not joined to a job of several: what is between them is no network for it.

    Args:
        gpu: of the catalog.
        count: cards in all, at least 1.
        own: names of cards or instances -> US dollars an hour, as `own_prices` gives them.
        together: cards that should be in one instance: the degree of tensor parallelism. Where no instance has as
            many, the largest are joined.
    """
    own = own or {}
    if gpu.short in own:
        return Price(per_hour=own[gpu.short] * count, source=f"your price of one {gpu.short}")
    known = servers_with(gpu.short)
    together = min(together, max((server.count for server in known), default=1))
    together = max(together, min(count, 2))
    rented = (_rented(server, count, own) for server in known if server.count >= together)
    offers = [offer for offer in rented if offer is not None]
    return min(offers, key=lambda offer: offer.per_hour, default=None)


def _rented(server: Server, count: int, own: Mapping[str, float]) -> Price | None:
    price = server.price
    if server.name in own:
        price = Price(per_hour=own[server.name], source="your price")
    if price is None:
        return None
    instances = -(-count // server.count)
    says = server.name if instances == 1 else f"{instances} x {server.name}"
    return replace(price, per_hour=price.per_hour * instances, source=f"{says}, {price.source}")


def own_prices(said: Mapping[str, object]) -> dict[str, float]:
    """Read prices that a user gave: `{"A100-80": 1.8, "p5.48xlarge": 30}`, by any name of the catalog.

    Raises:
        PlanError: a name is in no catalog, or a price is no number of dollars.
    """
    return dict(_own(name, value) for name, value in said.items())


def _own(name: str, value: object) -> tuple[str, float]:
    number = isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
    if not number or not 0 <= value <= MOST_PER_HOUR:  # type: ignore[operator]
        raise PlanError(
            f"prices: the price of {name[:80]!r} is no number of dollars an hour",
            fix='such as "A100-80" = 1.8',
        )
    try:
        return find_gpu(name).short, float(value)  # type: ignore[arg-type]
    except PlanError as unknown:
        try:
            return find_server(name).name, float(value)  # type: ignore[arg-type]
        except PlanError:
            raise unknown from None
