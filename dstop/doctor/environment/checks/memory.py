"""Is there enough of the host's memory, and may we have it?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.environment.checks.words import counted
from dstop.doctor.environment.values import CheckStatus, Question
from dstop.units import GIB, MIB, bytes_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dstop.doctor.environment.facts import Facts
    from dstop.doctor.environment.values import Check

_SIZE = Question("memory.size", "host memory against GPU memory", "/proc/meminfo, memory.max, NVML")
_FREE = Question("memory.free", "host memory that is left", "/proc/meminfo, memory.current")
_KILLS = Question("memory.cgroup_kills", "killed in this control group", "memory.events")
_HOST_KILLS = Question("memory.host_kills", "killed for memory on this host", "/proc/vmstat, kernel log")
_SWAP = Question("memory.swap", "swap", "/proc/meminfo")
_SHM = Question("memory.shm", "shared memory (/dev/shm)", "statvfs(/dev/shm)")
_OVERCOMMIT = Question("memory.overcommit", "overcommit", "/proc/sys/vm/overcommit_memory")
_MAPS = Question("memory.max_map_count", "mappings a process may have", "/proc/sys/vm/max_map_count")

_DOCKER_SHM = 64 * MIB
_LITTLE_SHM, _LITTLE_FREE = GIB, 256 * MIB
_LOW_SHARE, _LOWEST_SHARE = 0.10, 0.02
_DEFAULT_MAPS = 65530
_STRICT = 2
_NEARLY = 0.9


def size(facts: Facts) -> Iterator[Check]:
    """Hold what we may have against what the cards hold: checkpoints go through the host."""
    memory = facts.memory
    total = memory.meminfo.get("MemTotal")
    if total is None:
        yield _SIZE.unknown("/proc/meminfo gives no total", "free -g")
        return
    limited = memory.limit_bytes is not None and memory.limit_bytes < total
    have = memory.limit_bytes if limited and memory.limit_bytes is not None else total
    what = f"{bytes_text(have)}{f' (limit; the host has {bytes_text(total)})' if limited else ''}"
    cards = () if facts.sample is None else facts.sample.gpus
    vram = sum(gpu.memory_total_bytes or 0 for gpu in cards if not gpu.unified_memory)
    if not vram:
        yield _SIZE.judged(
            CheckStatus.PASS if cards else CheckStatus.UNKNOWN,
            f"{what}; {'the GPUs share it' if cards else 'the memory of the GPUs is not known'}",
            value=have,
        )
    elif have < vram:
        fix = "docker run --memory=… (or none)" if limited else None
        yield _SIZE.warns(
            f"{what}, less than the {bytes_text(vram)} of the GPUs: loading a checkpoint that fills them, or pinning"
            " as much, is killed by the kernel (load with mmap or safetensors, shard by shard)",
            fix,
            have,
        )
    else:
        yield _SIZE.passes(f"{what}, and {bytes_text(vram)} on the GPUs", have)


def free(facts: Facts) -> Iterator[Check]:
    """Say how much is left before the kernel kills."""
    memory = facts.memory
    total, left = memory.meminfo.get("MemTotal"), memory.meminfo.get("MemAvailable")
    if memory.limit_bytes is not None and memory.limit_used_bytes is not None:
        room = max(0, memory.limit_bytes - memory.limit_used_bytes)
        if left is None or room < left:
            total, left = memory.limit_bytes, room
    if not total or left is None:
        yield _FREE.unknown("/proc/meminfo does not say what is available", "free -g")
        return
    says = f"{bytes_text(left)} of {bytes_text(total)}"
    if left < total * _LOWEST_SHARE:
        yield _FREE.fails(f"{says}: the next big allocation is killed", "ps aux --sort=-rss | head", left)
    elif left < total * _LOW_SHARE:
        yield _FREE.warns(f"{says}: loaders and checkpoints may be killed", "ps aux --sort=-rss | head", left)
    else:
        yield _FREE.passes(says, left)


def kills(facts: Facts) -> Iterator[Check]:
    """Tell what was killed here before: such a job ends with 137 and no message of PyTorch."""
    group = facts.memory.cgroup
    if group.folder is None:
        yield _KILLS.unknown(group.unavailable.get("memory_events", "no memory control group was read"))
    elif count := group.events.get("oom_kill", 0):
        limit = f" (limit {bytes_text(group.max_bytes)})" if group.max_bytes is not None else ""
        yield _KILLS.warns(
            f"{counted(count, 'process was', 'processes were')} killed here before{limit}: that ends a job with 137 and"
            " no word of PyTorch",
            "cat /sys/fs/cgroup/memory.events",
            count,
        )
    else:
        yield _KILLS.passes("nobody", 0)
    host, named = facts.memory.host_kills, facts.kernel_log.kills
    if host is None and not named:
        yield _HOST_KILLS.unknown("the kernel keeps no count", "sudo dmesg -T | grep -i 'killed process'")
    elif host or named:
        last = f", last {named[-1]}" if named else ""
        yield _HOST_KILLS.warns(
            f"{counted(host or len(named), 'process', 'processes')} since its start{last}",
            "sudo dmesg -T | grep -i 'killed process'",
            host or len(named),
        )
    else:
        yield _HOST_KILLS.passes("nobody since its start", 0)


def swap(facts: Facts) -> Iterator[Check]:
    """Say when the host lives on swap: pinned memory cannot move there, everything else crawls."""
    total, left = facts.memory.meminfo.get("SwapTotal"), facts.memory.meminfo.get("SwapFree")
    if total is None or left is None:
        yield _SWAP.unknown("/proc/meminfo does not say", "swapon --show")
    elif not total:
        yield _SWAP.passes("none: what does not fit is killed at once", 0)
    elif (used := max(0, total - left)) > total / 2:
        yield _SWAP.warns(
            f"{bytes_text(used)} of {bytes_text(total)} in use: data loading crawls while pages come back",
            "vmstat 1 5",
            used,
        )
    else:
        yield _SWAP.passes(f"{bytes_text(used)} of {bytes_text(total)} in use", used)


def shm(facts: Facts) -> Iterator[Check]:
    """Look at the memory that DataLoader workers and NCCL hand tensors over in."""
    memory = facts.memory
    if memory.shm_bytes is None or memory.shm_free_bytes is None:
        reason = memory.shm_reason or "shared memory was not looked at"
        missing = reason.startswith("there is no")
        status = CheckStatus.FAIL if missing else CheckStatus.UNKNOWN
        yield _SHM.judged(status, f"{reason}: DataLoader workers and NCCL need it", _shm_fix(facts))
        return
    says = f"{bytes_text(memory.shm_bytes)}, {bytes_text(memory.shm_free_bytes)} free"
    if memory.shm_bytes <= _DOCKER_SHM:
        status, cost = CheckStatus.FAIL, "DataLoader workers die with a bus error, and NCCL does not start"
    elif memory.shm_free_bytes < _DOCKER_SHM:
        status, cost = CheckStatus.FAIL, "full: DataLoader workers die with a bus error"
    elif memory.shm_bytes < _LITTLE_SHM or memory.shm_free_bytes < _LITTLE_FREE:
        status, cost = CheckStatus.WARN, "a few workers with big batches fill it and die with a bus error"
    else:
        yield _SHM.passes(says, memory.shm_bytes)
        return
    full = memory.shm_bytes > _LITTLE_SHM
    yield _SHM.judged(
        status, f"{says}: {cost}", "ls -lS /dev/shm | head" if full else _shm_fix(facts), memory.shm_bytes
    )


def address_space(facts: Facts) -> Iterator[Check]:
    """Look at two settings that refuse memory while there is some."""
    memory = facts.memory
    if memory.overcommit is None:
        yield _OVERCOMMIT.unknown("cannot be read", "sysctl vm.overcommit_memory")
    elif memory.overcommit == _STRICT:
        limit, promised = memory.meminfo.get("CommitLimit"), memory.meminfo.get("Committed_AS")
        tight = bool(limit and promised and promised > limit * _NEARLY)
        figures = f" ({bytes_text(promised)} of {bytes_text(limit)} promised)" if limit and promised else ""
        yield _OVERCOMMIT.judged(
            CheckStatus.FAIL if tight else CheckStatus.WARN,
            f"vm.overcommit_memory is 2{figures}: fork and big allocations are refused while memory is free",
            "sudo sysctl vm.overcommit_memory=0",
            memory.overcommit,
        )
    else:
        yield _OVERCOMMIT.passes(f"vm.overcommit_memory is {memory.overcommit}", memory.overcommit)
    if memory.max_map_count is None:
        yield _MAPS.unknown("cannot be read", "sysctl vm.max_map_count")
    elif memory.max_map_count < _DEFAULT_MAPS:
        yield _MAPS.warns(
            f"{memory.max_map_count}, below the kernel's own {_DEFAULT_MAPS}: mmap fails as if memory were short",
            "sudo sysctl vm.max_map_count=262144",
            memory.max_map_count,
        )
    else:
        yield _MAPS.passes(str(memory.max_map_count), memory.max_map_count)


def _shm_fix(facts: Facts) -> str:
    kind = facts.container.kind
    if kind is None:
        return "sudo mount -o remount,size=50% /dev/shm"
    if kind == "kubernetes":
        return "mount an emptyDir with medium: Memory at /dev/shm in the pod's spec"
    return "docker run --ipc=host … (or --shm-size=16g)"
