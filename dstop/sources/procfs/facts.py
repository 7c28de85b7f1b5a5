"""What does not change while a process lives, read once: owner, command, container, place in its job."""

from __future__ import annotations

import functools
import os
from dataclasses import replace

from dstop.model.process import ProcessFacts
from dstop.sources.procfs.cgroup import container_of
from dstop.sources.procfs.command import command_name
from dstop.sources.procfs.environment import read_environment
from dstop.sources.procfs.identity import identify
from dstop.sources.procfs.launch import parse_launch
from dstop.sources.procfs.namespace import map_pid
from dstop.sources.procfs.reading import clean_bytes, read_bytes, read_text
from dstop.sources.procfs.redaction import redact_cmdline
from dstop.sources.procfs.stat import Stat, read_stat, started_at_s

LARGEST_CMDLINE_BYTES = 64 << 10

GONE = "gone"
_PLACE = ("rank", "local_rank", "world_size", "job")


def read_facts(pid: int, root: str = "/proc") -> ProcessFacts:
    """Read all that is known of a process; never raises, what is missing has its reason.

    It may wait for ever when the process hangs in a driver call: call it where waiting hurts nobody.
    """
    stat = read_stat(pid, root)
    if stat is None:
        return ProcessFacts(pid=pid, unavailable={"command": GONE})
    return complete_facts(read_basics(stat, root), stat, root)


def read_basics(stat: Stat, root: str = "/proc") -> ProcessFacts:
    """Read what the kernel tells without asking the process' memory: this never hangs on a hung process."""
    folder = f"{root}/{stat.pid}"
    uid = owner_of(stat.pid, root)
    inside = map_pid(stat.pid, root)
    return ProcessFacts(
        pid=stat.pid,
        started_at_s=started_at_s(stat.start_ticks, root),
        ppid=stat.ppid,
        uid=uid,
        user=None if uid is None else user_name(uid),
        command=stat.comm.strip() or "?",
        container=container_of(read_text(f"{folder}/cgroup") or ""),
        inner_pid=inside[-1] if len(inside) > 1 else None,
        unavailable={"uid": GONE, "user": GONE} if uid is None else {},
    )


def complete_facts(basics: ProcessFacts, stat: Stat, root: str = "/proc") -> ProcessFacts:
    """Add what stands in the process' own memory: its command line and environment."""
    unavailable = dict(basics.unavailable)
    try:
        raw = read_cmdline(stat.pid, root)
    except OSError:
        raw = ()
        unavailable["cmdline"] = GONE
    cmdline = redact_cmdline(raw)
    if not raw:
        unavailable.setdefault("cmdline", "it has none (a kernel thread, or a process that has ended)")
    environment = read_environment(stat.pid, root)
    identity = identify(cmdline, environment.values or {}, ppid=stat.ppid)
    if environment.reason is not None:
        unavailable.update({name: environment.reason for name in _PLACE if getattr(identity, name) is None})
    return replace(
        basics,
        command=command_name(parse_launch(cmdline), stat.comm),
        cmdline=cmdline,
        rank=identity.rank,
        local_rank=identity.local_rank,
        world_size=identity.world_size,
        job=identity.job,
        framework=identity.framework,
        model=identity.model,
        unavailable=unavailable,
    )


def read_cmdline(pid: int, root: str = "/proc") -> tuple[str, ...]:
    """Read the arguments, at most 64 KiB, safe to show but not redacted; none for zombies and kernel threads.

    Raises:
        OSError: when the process is gone or may not be seen.
    """
    data = read_bytes(f"{root}/{pid}/cmdline", LARGEST_CMDLINE_BYTES).rstrip(b"\0")
    return tuple(clean_bytes(word) for word in data.split(b"\0")) if data else ()


def owner_of(pid: int, root: str = "/proc") -> int | None:
    """Give the user id a process runs as; None when it is gone."""
    try:
        return os.stat(f"{root}/{pid}").st_uid  # noqa: PTH116 - Path costs more than the call
    except OSError:
        return None


@functools.lru_cache(maxsize=1024)
def user_name(uid: int) -> str:
    """Give the user's name, or the number where no name is known (a container's host, a removed account)."""
    import pwd  # noqa: PLC0415 - only with a process to name

    try:
        return clean_bytes(pwd.getpwuid(uid).pw_name.encode(errors="replace"))
    except (KeyError, OverflowError):
        return str(uid)
