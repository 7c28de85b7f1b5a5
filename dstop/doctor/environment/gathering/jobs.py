"""The processes that use a GPU: their state, their place in a job, and the variables they were started with."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from dstop.doctor.environment.facts import Scope
from dstop.doctor.environment.gathering.files import link, read_regular
from dstop.doctor.environment.gathering.limits import parse_limits
from dstop.doctor.environment.gathering.variables import relevant
from dstop.sources.procfs.environment import read_environment
from dstop.sources.procfs.holders import device_holders
from dstop.sources.procfs.identity import identify
from dstop.sources.procfs.namespace import OTHER_NAMESPACE, in_initial_pid_namespace
from dstop.sources.procfs.reading import clean
from dstop.sources.procfs.stat import read_stat

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dstop.model.sample import Sample
    from dstop.model.unattributed import Holder

_MOST_JOBS = 256
_LONGEST_S = 0.15


class Jobs(NamedTuple):
    """Who uses the GPUs."""

    scopes: tuple[Scope, ...] = ()
    holders: tuple[Holder, ...] = ()
    sees_all: bool = True


def read_jobs(root: str, sample: Sample | None, minor_to_index: Mapping[int, int]) -> Jobs:
    """Find them by the driver's list, where its PIDs are ours, and by who has a device open."""
    proc = f"{root.rstrip('/')}/proc"
    holders, sees_all = device_holders(minor_to_index, proc, longest_s=_LONGEST_S)
    names = {holder.pid: holder.command for holder in holders}
    if sample is not None and in_initial_pid_namespace(proc):
        for row in sample.processes:
            if row.facts.unavailable.get("command") != OTHER_NAMESPACE:
                names[row.pid] = row.facts.command or names.get(row.pid, "?")
    scopes = (_job(pid, names[pid], proc) for pid in sorted(names)[:_MOST_JOBS])
    return Jobs(tuple(scope for scope in scopes if scope is not None), holders, sees_all)


def _job(pid: int, name: str, proc: str) -> Scope | None:
    stat = read_stat(pid, proc)
    if stat is None:
        return None
    title = f"{clean(name)[:40]} ({pid})"
    if stat.state in "DZ":
        reason = "its environment is not read: it hangs in the kernel, or has ended"
        return Scope(name=title, pid=pid, state=stat.state, reason=reason)
    environment = read_environment(pid, proc)
    values = environment.values or {}
    identity = identify((), values, ppid=stat.ppid)
    return Scope(
        name=title,
        variables=relevant(values),
        pid=pid,
        state=stat.state,
        rank=identity.rank,
        world_size=identity.world_size,
        job=None if identity.job is None else clean(identity.job),
        same_files=_same(pid, proc, "mnt"),
        same_network=_same(pid, proc, "net"),
        open_files=parse_limits(read_regular(f"{proc}/{pid}/limits") or "").get("Max open files"),
        reason=environment.reason,
    )


def _same(pid: int, proc: str, kind: str) -> bool:
    return link(f"{proc}/{pid}/ns/{kind}") == link(f"{proc}/self/ns/{kind}")
