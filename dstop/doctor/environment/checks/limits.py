"""What does the kernel refuse a GPU job?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.environment.checks.words import places
from dstop.doctor.environment.values import Question
from dstop.units import GIB, bytes_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dstop.doctor.environment.facts import Facts, Limit
    from dstop.doctor.environment.values import Check

_SOURCE = "/proc/self/limits"
_FILES = Question("limits.open_files", "open files", _SOURCE)
_LOCKED = Question("limits.locked_memory", "locked memory", f"{_SOURCE}, /sys/class/infiniband")
_SPACE = Question("limits.address_space", "address space", _SOURCE)
_TASKS = Question("limits.tasks", "processes and threads", f"{_SOURCE}, pids.max")
_ATTACH = Question("limits.ptrace", "dstop attach", "/proc/sys/kernel/yama/ptrace_scope")

_FEW_FILES, _ENOUGH_FILES = 1024, 65536
_FEW_TASKS = 4096
_MUCH_LOCKED = 64 * GIB
_CAP_IPC_LOCK, _CAP_SYS_PTRACE = 1 << 14, 1 << 19
"""capabilities(7); the numbers are in include/uapi/linux/capability.h."""
_NOBODY = 3
_UNREAD = "/proc/self/limits cannot be read"


def open_files(facts: Facts) -> Iterator[Check]:
    """Count what a DataLoader with file descriptors for tensors soon needs."""
    limit = facts.limits.limits.get("Max open files")
    if limit is None:
        yield _FILES.unknown(_UNREAD, "ulimit -n")
        return
    few = [
        job
        for job in facts.jobs
        if job.open_files is not None
        and job.open_files.soft is not None
        and job.open_files.soft <= _FEW_FILES
    ]
    if limit.soft is not None and limit.soft <= _FEW_FILES:
        room = limit.hard is None or limit.hard >= _ENOUGH_FILES
        most = _ENOUGH_FILES if room else limit.hard
        fix = f"ulimit -n {most}" if room or (limit.hard or 0) > _FEW_FILES else None
        if facts.container.kind is not None and fix is None:
            fix = "docker run --ulimit nofile=65536 …"
        yield _FILES.warns(
            f"{limit.soft}: a DataLoader that shares tensors by descriptors ends in 'too many open files'",
            fix or "echo '* - nofile 65536' | sudo tee -a /etc/security/limits.conf",
            limit.soft,
        )
    elif few:
        yield _FILES.warns(
            f"{limit.soft} here, but {_FEW_FILES} or fewer in {places(few)}: its DataLoader may run out of them",
            f"prlimit --pid {few[0].pid} --nofile=65536",
            few[0].open_files.soft if few[0].open_files is not None else None,
        )
    else:
        yield _FILES.passes("unlimited" if limit.soft is None else str(limit.soft), limit.soft)


def locked_memory(facts: Facts) -> Iterator[Check]:
    """Hold the limit against what RDMA registers; without such a card nothing needs it."""
    limit = facts.limits.limits.get("Max locked memory")
    if limit is None:
        yield _LOCKED.unknown(_UNREAD, "ulimit -l")
        return
    amount = "unlimited" if limit.soft is None else bytes_text(limit.soft)
    cards = facts.limits.infiniband
    exempt = bool((facts.limits.capabilities or 0) & _CAP_IPC_LOCK)
    if limit.soft is None or limit.soft >= _MUCH_LOCKED or exempt:
        yield _LOCKED.passes(
            amount if not exempt else f"{amount}, which does not bind us (CAP_IPC_LOCK)", limit.soft
        )
    elif cards is None:
        yield _LOCKED.unknown(f"{amount}; whether there are RDMA cards cannot be seen", "ulimit -l unlimited")
    elif not cards:
        yield _LOCKED.passes(f"{amount}; no RDMA card is here that needs more", limit.soft)
    else:
        container = facts.container.kind is not None
        yield _LOCKED.fails(
            f"{amount}, and {', '.join(cards[:3])} registers memory: NCCL fails over InfiniBand or RoCE"
            " ('Cannot allocate memory')",
            "docker run --ulimit memlock=-1 …" if container else _raised(limit, "l", "memlock"),
            limit.soft,
        )


def address_space(facts: Facts) -> Iterator[Check]:
    """Hold the limit against what CUDA reserves: addresses of all cards and of the host, used or not."""
    limit = facts.limits.limits.get("Max address space")
    if limit is None:
        yield _SPACE.unknown(_UNREAD, "ulimit -v")
        return
    if limit.soft is None:
        yield _SPACE.passes("unlimited")
        return
    cards = () if facts.sample is None else facts.sample.gpus
    needed = sum(gpu.memory_total_bytes or 0 for gpu in cards) + facts.memory.meminfo.get("MemTotal", 0)
    says = f"{bytes_text(limit.soft)}: CUDA reserves addresses for all memory of cards and host"
    if limit.soft < needed:
        yield _SPACE.fails(
            f"{says} ({bytes_text(needed)}), and does not start within it",
            _raised(limit, "v", "as"),
            limit.soft,
        )
    else:
        yield _SPACE.warns(
            f"{says}, expandable segments 9/8 of a card per stream: out of memory with memory free",
            _raised(limit, "v", "as"),
            limit.soft,
        )


def tasks(facts: Facts) -> Iterator[Check]:
    """Count processes and threads together, as the kernel does: ranks, workers, and the OpenMP threads of each."""
    limits = facts.limits
    user = limits.limits.get("Max processes")
    if user is None and limits.pids_max is None:
        yield _TASKS.unknown(_UNREAD, "ulimit -u")
        return
    by_group = limits.pids_max is not None and (
        user is None or user.soft is None or limits.pids_max < user.soft
    )
    most = limits.pids_max if by_group else (None if user is None else user.soft)
    if most is None:
        yield _TASKS.passes("unlimited")
        return
    left = most - (limits.pids_current or 0) if by_group else most
    says = f"{most} in this control group, {limits.pids_current or 0} in use" if by_group else str(most)
    if left >= _FEW_TASKS:
        yield _TASKS.passes(says, most)
        return
    group_fix = (
        "docker run --pids-limit=-1 …" if facts.container.kind is not None else "cat /sys/fs/cgroup/pids.max"
    )
    yield _TASKS.warns(
        f"{says}: ranks, workers and their threads count together ('can't start new thread')",
        group_fix if by_group or user is None else _raised(user, "u", "nproc"),
        most,
    )


def ptrace(facts: Facts) -> Iterator[Check]:
    """Say whether `dstop attach` may look into a process of ours that was not prepared for it."""
    limits = facts.limits
    scope = limits.ptrace_scope
    able = limits.is_root if limits.capabilities is None else bool(limits.capabilities & _CAP_SYS_PTRACE)
    if scope == _NOBODY:
        yield _ATTACH.warns(
            "ptrace_scope is 3: nobody attaches until a reboot, so only jobs that were started with dstop run are seen",
            "dstop run -- python train.py",
            scope,
        )
    elif able or scope == 0:
        yield _ATTACH.passes(
            "may attach to processes of ours" if not able else "may attach to any process", scope
        )
    elif scope is not None:
        yield _ATTACH.warns(
            f"ptrace_scope is {scope}: {'root alone' if scope > 1 else 'root and parents alone'} may attach to a"
            " running job",
            "sudo sysctl kernel.yama.ptrace_scope=0",
            scope,
        )
    elif limits.is_root and limits.capabilities is not None:
        yield _ATTACH.warns(
            "root of this container lacks CAP_SYS_PTRACE: it attaches to no other user's process",
            "docker run --cap-add=SYS_PTRACE …",
        )
    elif limits.has_sysctl:
        yield _ATTACH.passes("the kernel has no Yama: may attach to processes of ours")
    else:
        yield _ATTACH.unknown("ptrace_scope cannot be read", "sysctl kernel.yama.ptrace_scope")


def _raised(limit: Limit, letter: str, name: str) -> str:
    """Give the command that lifts a limit for the shell it is pasted into, beyond the hard one only as root."""
    return (
        f"ulimit -{letter} unlimited"
        if limit.hard is None
        else f"sudo prlimit --pid $$ --{name}=unlimited:unlimited"
    )
