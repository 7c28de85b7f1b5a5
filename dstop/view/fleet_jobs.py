"""Jobs over all hosts: the ranks of one training side by side, and those that are not like their peers."""

from __future__ import annotations

from dataclasses import replace
from statistics import median
from typing import TYPE_CHECKING

from dstop.model.fleet import FleetJob, FleetRank, natural
from dstop.model.peers import LEAST_RANKS, is_odd
from dstop.units import bytes_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dstop.model.fleet import Fleet, FleetProcess

_NO_RANK = 1 << 30


def jobs_of(fleet: Fleet) -> tuple[FleetJob, ...]:
    """Give the jobs, the biggest first.

    A job is what its ranks have in common (`job_id`); one that has a name on one host alone, such as a launcher's PID,
    is that host's: two hosts count PIDs from the same numbers.
    """
    rows: dict[tuple[str, str], list[FleetProcess]] = {}
    for host in fleet.hosts:
        for process in host.processes:
            if process.job is not None:
                own = host.name if _is_local(process.job) else ""
                rows.setdefault((process.job, own), []).append(process)
    jobs = [_job(name, group) for (name, _), group in rows.items()]
    return tuple(sorted(jobs, key=lambda job: (-(job.gpu_memory_bytes or 0), natural(job.name))))


def _is_local(name: str) -> bool:
    """Whether a name is one of many: a launcher's PID, or a master that each host has for itself."""
    return name.startswith(("pid:", "127.", "localhost:", "::1", "[::1]", "0.0.0.0:"))


def _job(name: str, rows: Sequence[FleetProcess]) -> FleetJob:
    by_rank: dict[tuple[int, str], list[FleetProcess]] = {}
    for row in rows:
        # Without a rank each process is one of its own.
        key = (row.rank, "") if row.rank is not None else (_NO_RANK, f"{row.host} {row.pid}")
        by_rank.setdefault(key, []).append(row)
    groups = [group for _, group in sorted(by_rank.items(), key=lambda item: item[0])]
    ranks = [_rank(group) for group in groups]
    expected = [_sum(row.expected_bytes for row in group) for group in groups]
    return FleetJob(name=name, command=rows[0].command, user=rows[0].user, ranks=_marked(ranks, expected))


def _rank(rows: Sequence[FleetProcess]) -> FleetRank:
    busy = [row.sm_pct for row in rows if row.sm_pct is not None]
    return FleetRank(
        rank=rows[0].rank,
        hosts=tuple(dict.fromkeys(row.host for row in rows)),
        gpus=tuple(dict.fromkeys(row.gpu for row in rows)),
        pids=tuple(dict.fromkeys(row.pid for row in rows)),
        gpu_memory_bytes=_sum(row.gpu_memory_bytes for row in rows),
        allocated_bytes=_sum(row.allocated_bytes for row in rows),
        reserved_bytes=_sum(row.reserved_bytes for row in rows),
        sm_pct=sum(busy) / len(busy) if busy else None,
    )


def _sum(values: Iterable[int | None]) -> int | None:
    """Add up; None where one of them is not known: half of a sum is none."""
    known = list(values)
    return None if None in known else sum(value for value in known if value is not None)


def _marked(ranks: Sequence[FleetRank], expected: Sequence[int | None]) -> tuple[FleetRank, ...]:
    """Mark the ranks whose memory is far from the median of all, each judged by what its stage should hold.

    What a rank should hold more than its peers (the ends of a pipeline do) is taken off first, where it is known of
    all of them (`dstop.model.peers`, which does so on one machine).
    """
    plain = all(each is not None for each in expected)
    known = [each for each in expected if each is not None]
    middle = median(known) if plain and known else 0
    due = [(each or 0) - middle if plain else 0 for each in expected]
    amounts = [
        (at, rank.gpu_memory_bytes - due[at])
        for at, rank in enumerate(ranks)
        if rank.gpu_memory_bytes is not None and rank.rank is not None
    ]
    if len(amounts) < LEAST_RANKS:
        return tuple(ranks)
    usual = median(amount for _, amount in amounts)
    odd: dict[int, str] = {}
    for at, amount in amounts:
        off = amount - usual
        if is_odd(off, usual):
            odd[at] = f"{bytes_text(abs(off))} {'above' if off > 0 else 'below'} the median of its peers"
    if 2 * len(odd) > len(amounts):  # two kinds of ranks, and no odd one
        return tuple(ranks)
    return tuple(replace(rank, odd=odd.get(at)) for at, rank in enumerate(ranks))
