"""From a fix's id to a Fix: its line to paste, and what it recovers against what was short."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.fixes.catalog import CATALOG
from dstop.doctor.fixes.commands import command_for
from dstop.doctor.questions.replayed import asked, recovers_bytes, refuted
from dstop.model.diagnosis import Fix

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dstop.doctor.case import Case


def prescribe(
    case: Case,
    *ids: str,
    recovers: Mapping[str, int | None] | None = None,
    commands: Mapping[str, str] | None = None,
    titles: Mapping[str, str] | None = None,
    short_bytes: int | None = None,
) -> tuple[Fix, ...]:
    """Give the fixes in this order, but those that are known not to be enough behind the others.

    Where a snapshot's requests were replayed under a fix, that figure goes before every computed one, and an allocator
    setting under which they do not fit is not given at all.

    Args:
        case: what happened; its framework decides how a fix is written.
        ids: of the catalog, the best first.
        recovers: id -> bytes, where they can be computed.
        commands: id -> line to paste, where a rule knows better than the table.
        titles: id -> words with figures in them.
        short_bytes: what was missing; by default what the case's balance says.
    """
    short = case.balance.short_bytes if short_bytes is None else short_bytes
    ids = tuple(name for name in dict.fromkeys(ids) if not refuted(case, name))
    replayed = {name: recovers_bytes(case, verdict) for name in ids if (verdict := asked(case, name))}
    recovers = {**(recovers or {}), **replayed}
    fixes = [
        Fix(
            id=name,
            title=(titles or {}).get(name) or CATALOG[name].title,
            command=(commands or {}).get(name) or command_for(case, name),
            recovers_bytes=recovers.get(name),
            short_bytes=short,
            cost=CATALOG[name].cost,
        )
        for name in ids
    ]
    return tuple(sorted(fixes, key=lambda fix: fix.is_enough is False))
