"""Who holds the cards' memory that should not?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.environment.checks.words import counted
from dstop.doctor.environment.values import CheckStatus, Question
from dstop.units import bytes_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dstop.doctor.environment.facts import Facts
    from dstop.doctor.environment.values import Check

_NOBODY = Question("processes.unattributed", "GPU memory that nobody holds", "NVML, /proc/*/fd")
_GHOSTS = Question("processes.ghosts", "processes that cannot end", "/proc/*/stat, /proc/*/fd")
_STOPPED = Question("processes.stopped", "stopped processes with a GPU", "/proc/*/stat")
_READABLE = Question("processes.environments", "environments of GPU processes", "/proc/*/environ")
_MOST_NAMED = 3


def unattributed(facts: Facts) -> Iterator[Check]:
    """Tell memory that is used and belongs to no process in the list."""
    if facts.sample is None:
        return
    rows = facts.sample.unattributed
    if not rows:
        yield _NOBODY.passes("none worth a word", 0)
        return
    told = [f"{bytes_text(row.bytes)} on GPU {row.gpu_index}: {row.cause}" for row in rows[:_MOST_NAMED]]
    more = f"; and on {len(rows) - _MOST_NAMED} more" if len(rows) > _MOST_NAMED else ""
    yield _NOBODY.warns(
        f"{'; '.join(told)}{more}", "sudo fuser -v /dev/nvidia*", sum(row.bytes for row in rows)
    )


def ghosts(facts: Facts) -> Iterator[Check]:
    """Find processes in states that no signal ends, with a card in their hands."""
    states = {holder.pid: (holder.state, holder.command) for holder in facts.holders}
    for row in () if facts.sample is None else facts.sample.processes:
        if row.state is not None:
            states.setdefault(row.pid, (row.state, row.facts.command or "?"))
    dead = {pid: command for pid, (state, command) in states.items() if state == "Z"}
    stuck = {pid: command for pid, (state, command) in states.items() if state == "D"}
    if dead or stuck:
        chosen = dead or stuck
        kind = (
            "ended, and its parent has not noticed" if dead else "waits in the kernel (a moment, or for good)"
        )
        pid = min(chosen)
        yield _GHOSTS.judged(
            CheckStatus.FAIL if dead else CheckStatus.WARN,
            f"{_named(chosen)}: {kind}; kill does not help, and its GPU memory stays taken",
            f"ps -o ppid,stat,wchan:32,cmd -p {pid}" if dead else f"sudo cat /proc/{pid}/stack",
            pid,
        )
    elif facts.sees_all_holders:
        yield _GHOSTS.passes("none has a GPU open", 0)
    else:
        yield _GHOSTS.unknown(
            "none among ours; the open files of others are not shown to us", "sudo fuser -v /dev/nvidia*"
        )


def stopped(facts: Facts) -> Iterator[Check]:
    """Find jobs that somebody stopped (Ctrl-Z) and forgot: they keep all their memory."""
    held = {job.pid: job.name for job in facts.jobs if job.state == "T" and job.pid is not None}
    if held:
        pid = min(held)
        names = ", ".join(held[number] for number in sorted(held)[:_MOST_NAMED])
        yield _STOPPED.warns(
            f"{names}: stopped by a signal (Ctrl-Z?), with all GPU memory it had",
            f"kill -CONT {pid}",
            len(held),
        )
    elif facts.jobs:
        yield _STOPPED.passes("none", 0)


def environments(facts: Facts) -> Iterator[Check]:
    """Say of how many processes the checks below know the settings."""
    if not facts.jobs:
        if facts.sample is not None and facts.sample.processes:
            yield _READABLE.unknown(
                "none of the GPU processes is seen from here", "dstop doctor --environment  # on the host"
            )
        return
    silent = [job for job in facts.jobs if job.reason is not None]
    if silent:
        yield _READABLE.unknown(
            f"{len(facts.jobs) - len(silent)} of {counted(len(facts.jobs), 'process', 'processes')} read;"
            f" {silent[0].name}: {silent[0].reason}",
            "sudo dstop doctor --environment",
        )
    else:
        yield _READABLE.passes(f"{counted(len(facts.jobs), 'process', 'processes')} read", len(facts.jobs))


def _named(processes: dict[int, str]) -> str:
    names = [f"{processes[pid]} ({pid})" for pid in sorted(processes)]
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return f"{', '.join(names[:_MOST_NAMED])}{more}"
