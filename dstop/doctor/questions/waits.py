"""Who waited for whom: the ranks that report a timeout, those that do not, and those that are behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dstop.doctor.case import Case
    from dstop.doctor.evidence.facts import Sign

_WAITS = ("nccl.watchdog", "nccl.gloo_timeout", "nccl.store_wait")
_MOST_MISSING = 8
"""More silent ranks than this are those of other nodes, whose logs are not here."""


def rank_of(sign: Sign) -> int | None:
    """Give the rank that a message names, or the one of its line."""
    named = sign.number("rank_count")
    return named if named is not None else sign.rank


def waiting_ranks(case: Case) -> tuple[int, ...]:
    """Give the ranks that say they waited in vain."""
    return tuple(sorted({rank for sign in case.all(*_WAITS) if (rank := rank_of(sign)) is not None}))


def late_ranks(case: Case) -> Iterator[tuple[int, str, str]]:
    """Give (rank, where, why) of those that are likely the late ones, the best hint first."""
    for sign in case.all("nccl.monitored_barrier"):
        for text in str(sign.values.get("late", "")).split(","):
            if text.strip().isdigit():
                yield int(text), str(sign.place), "did not reach the barrier"
    waiting = waiting_ranks(case)
    if len(waiting) >= 2:  # noqa: PLR2004 - one alone tells nothing of the others
        yield from _silent(case, waiting)
    yield from _behind(case)


def _silent(case: Case, waiting: tuple[int, ...]) -> Iterator[tuple[int, str, str]]:
    world = max(case.number("world_size") or 0, max(waiting) + 1)
    silent = [rank for rank in range(world) if rank not in waiting]
    source = str(case.all(*_WAITS)[0].place)
    if len(silent) <= min(_MOST_MISSING, len(waiting)):
        for rank in silent:
            yield rank, source, "reports no timeout while the others do"


def _behind(case: Case) -> Iterator[tuple[int, str, str]]:
    completed: dict[int, tuple[int, Sign]] = {}
    for sign in case.all("nccl.last_work"):
        rank, count = rank_of(sign), sign.number("completed_count")
        if rank is not None and count is not None:
            completed.setdefault(rank, (count, sign))
    if len(completed) < 2:  # noqa: PLR2004 - nothing to compare
        return
    furthest = max(count for count, _ in completed.values())
    for rank, (count, sign) in sorted(completed.items(), key=lambda item: item[1][0]):
        if count < furthest:
            yield rank, str(sign.place), f"has completed {count} collectives, others {furthest}"


def divergence(case: Case) -> tuple[str, str] | None:
    """Give (where, what) if ranks wait at one number in different operations; None where they agree."""
    seen: dict[int, tuple[str, int | None]] = {}
    for sign in case.all("nccl.watchdog"):
        number, operation = sign.number("sequence_count"), sign.values.get("operation")
        if number is None or operation is None:
            continue
        other = seen.setdefault(number, (str(operation), rank_of(sign)))
        if other[0] != operation:
            return str(
                sign.place
            ), f"at number {number} rank {rank_of(sign)} is in {operation}, rank {other[1]} in {other[0]}"
    return None
