"""The figures of a report as rows, for every face that has tables: the balance sheet, and the facts."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dstop.draw.balance_bar import amount_text
from dstop.model.value import Value

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from dstop.model.diagnosis import Balance, Diagnosis, Fix


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Part(Value):
    """One row of the balance sheet."""

    id: str
    name: str
    bytes: int | None
    """None where the failure does not tell."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Sheet(Value):
    """The card as it was when it refused."""

    parts: tuple[Part, ...]
    """The last one is what was free."""
    total_bytes: int
    excess_bytes: int = 0
    """By how much the parts exceed the card: where memory spills to the host, they may."""


def sheet_of(balance: Balance | None) -> Sheet | None:
    """Give the balance sheet; None where the card's size is unknown.

    What the known parts leave open is a row of its own, as long as a part is unknown that it may belong to.
    """
    if balance is None or not balance.total_bytes:
        return None
    told = tuple(_told(balance))
    known = sum(part.bytes or 0 for part in told)
    left = balance.total_bytes - known
    if left > balance.rounding_bytes and any(part.bytes is None for part in told):
        told = (*told[:-1], Part(id="untold", name="not told apart", bytes=left), told[-1])
    excess = -left if -left > balance.rounding_bytes else 0
    return Sheet(parts=told, total_bytes=balance.total_bytes, excess_bytes=excess)


def _told(balance: Balance) -> Iterator[Part]:
    yield Part(id="live", name="live tensors", bytes=balance.allocated_bytes)
    if balance.private_pool_bytes:
        yield Part(id="pools", name="in private pools (CUDA graphs)", bytes=balance.private_pool_bytes)
    yield Part(id="cached", name="cached by PyTorch, idle", bytes=balance.cached_bytes)
    yield Part(id="outside", name="not PyTorch's (context, NCCL, libraries)", bytes=balance.not_pytorch_bytes)
    if balance.others_bytes:
        yield Part(id="others", name="other processes", bytes=balance.others_bytes)
    if balance.unattributed_bytes:
        yield Part(id="nobody", name="nobody's by name", bytes=balance.unattributed_bytes)
    yield Part(id="free", name="free", bytes=balance.free_bytes)


def share_text(count: int | None, total: int) -> str:
    """Give a share of the card: `71 %`, `0.4 %`."""
    if count is None or total <= 0:
        return "–"
    share = 100 * count / total
    return f"{share:.0f} %" if share >= 10 or not count else f"{share:.1f} %"  # noqa: PLR2004 - two digits


def known_facts(facts: Mapping[str, int | float | str | None]) -> Iterator[tuple[str, str]]:
    """Give the name and the value of each known fact.

    No bytes beside `39.39 GiB`: most come from messages that round, and more digits would only look exact.
    """
    for key, value in facts.items():
        if value is None:
            continue
        if key.endswith("_bytes") and isinstance(value, int):
            yield key.removesuffix("_bytes"), amount_text(value)
        elif isinstance(value, float):
            yield key, f"{value:g}" if math.isfinite(value) else "–"
        else:
            yield key, str(value)


def unknown_facts(facts: Mapping[str, int | float | str | None]) -> list[str]:
    """Name what the failure does not tell."""
    return [key.removesuffix("_bytes") for key, value in facts.items() if value is None]


def worth_text(fix: Fix) -> str:
    """Say what a fix is held against what was short: `recovers 8.70 GiB of 1.21 GiB short`; empty when unknown."""
    if fix.recovers_bytes is None:
        return ""
    short = f" of {amount_text(fix.short_bytes)} short" if fix.short_bytes else ""
    return f"recovers {amount_text(fix.recovers_bytes)}{short}"


def where_text(diagnosis: Diagnosis) -> str:
    """Say of which process and when: `training, rank 3 failed first, cuda:3`."""
    told = (
        diagnosis.phase,
        None if diagnosis.rank is None else f"rank {diagnosis.rank} failed first",
        None if diagnosis.device is None else f"cuda:{diagnosis.device}",
    )
    return ", ".join(part for part in told if part)


def request_text(balance: Balance) -> str:
    """Say what was asked for and what was there; empty where the request is unknown."""
    if balance.tried_bytes is None:
        return ""
    asked = f"{amount_text(balance.tried_bytes)} was asked for"
    if balance.free_bytes is None:
        return f"{asked}."
    short = f": {amount_text(balance.short_bytes)} short" if balance.short_bytes else ""
    return f"{asked}, {amount_text(balance.free_bytes)} was free{short}."
