"""The process that is to be looked into: who it is, whose, and in what state, by `/proc` alone (proc(5))."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dstop.errors import AttachError
from dstop.model.guest import ProcessId
from dstop.model.value import Value
from dstop.sources.procfs.environment import read_environment
from dstop.sources.procfs.reading import as_count, read_text
from dstop.sources.procfs.stat import read_stat, started_at_s

if TYPE_CHECKING:
    from collections.abc import Mapping

_MOST_MAPS_BYTES = 32 << 20
_MOST_UID = 2**32


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Target(Value):
    """A process as it was a moment ago."""

    pid: int
    """As dstop's own PID namespace numbers it."""
    start: str
    """Field 22 of `/proc/PID/stat`: ticks since boot. With the PID it is the name of the process."""
    started_at_s: float | None = None
    uid: int
    """Effective, as dstop sees it."""
    gid: int
    inner_pid: int
    """As its own PID namespace numbers it: the number in the name of its socket."""
    inner_uid: int
    """As its own user namespace numbers it: the number in the name of its directory."""
    state: str
    """The kernel's letter: R, S, D, T, t, Z."""
    command: str = "?"
    tracer_pid: int = 0
    """Who debugs it; 0 is nobody."""
    is_kernel_thread: bool = False
    is_protected: bool = False
    """Whether its files in `/proc` are not its user's: it may not be dumped (PR_SET_DUMPABLE, prctl(2))."""
    has_torch: bool | None = None
    """Whether PyTorch's libraries are mapped; None when that was not looked at or may not be seen."""
    dstop_dir: str | None = None
    """`DSTOP_DIR` of the environment it was started with."""
    runtime_dir: str | None = None
    """`XDG_RUNTIME_DIR` of the environment it was started with."""
    hook_switch: str | None = None
    """`DSTOP_HOOK` of the environment it was started with: `0` is its user's no."""

    @property
    def id(self) -> ProcessId:
        """The process, as the rows of the overview know it."""
        return ProcessId(self.pid, self.started_at_s)

    @property
    def socket_name(self) -> str:
        """The name of its hook's socket, in whatever directory."""
        return f"{self.inner_pid}-{self.start}.sock"


def find_target(pid: int, root: str = "/proc", *, look_inside: bool = True) -> Target:
    """Read what is known of a process.

    Args:
        pid: as dstop's own PID namespace numbers it.
        root: where the process file system is.
        look_inside: whether to read what stands in its memory or waits for its locks, even while it hangs in the
            kernel: its mapped libraries, and its environment in state D. It may take as long as that does.

    Raises:
        AttachError: when there is no such process.
    """
    stat = read_stat(pid, root)
    status = _status(read_text(f"{root}/{pid}/status", 1 << 16) or "")
    if stat is None or not status:
        raise gone(pid)
    leader = as_count(status.get("Tgid"))
    if leader is not None and leader != pid:
        raise AttachError(
            f"{pid} is a thread of process {leader} ({stat.comm.strip() or '?'})",
            fix=f"give the PID {leader}",
        )
    uid, gid = _effective(status, "Uid"), _effective(status, "Gid")
    if uid is None or gid is None:
        raise gone(pid)
    waits = stat.state == "D" and not look_inside
    environment: Mapping[str, str] = {} if waits else read_environment(pid, root).values or {}
    return Target(
        pid=pid,
        start=str(stat.start_ticks),
        started_at_s=started_at_s(stat.start_ticks, root),
        uid=uid,
        gid=gid,
        inner_pid=as_count(status.get("NSpid", "").rpartition("\t")[2]) or pid,
        inner_uid=map_uid(uid, read_text(f"{root}/{pid}/uid_map") or ""),
        state=stat.state,
        command=stat.comm.strip() or "?",
        tracer_pid=as_count(status.get("TracerPid")) or 0,
        is_kernel_thread=status.get("Kthread") == "1" or (stat.state not in "ZX" and "VmSize" not in status),
        is_protected=_is_protected(pid, uid, root),
        has_torch=maps_torch(pid, root) if look_inside else None,
        dstop_dir=environment.get("DSTOP_DIR") or None,
        runtime_dir=environment.get("XDG_RUNTIME_DIR") or None,
        hook_switch=environment.get("DSTOP_HOOK"),
    )


def gone(pid: int) -> AttachError:
    """Say that there is no such process."""
    return AttachError(f"there is no process {pid}", fix="see dstop --once for those on the GPUs")


def is_alive(target: Target, root: str = "/proc") -> bool:
    """Whether it still runs: the same process, and not a zombie."""
    stat = read_stat(target.pid, root)
    return stat is not None and str(stat.start_ticks) == target.start and stat.state not in "ZX"


def ended(target: Target) -> AttachError:
    """Say that the process ended while it was being looked into."""
    return AttachError(
        f"process {target.pid} ({target.command}) has ended", fix="nothing is left to look into"
    )


def stopped(target: Target) -> AttachError:
    """Say that the process stands still, and how it goes on."""
    return AttachError(
        f"process {target.pid} ({target.command}) is stopped (SIGSTOP, or Ctrl-Z in its terminal)",
        fix=f"let it go on: kill -CONT {target.pid}",
    )


def is_stopped(target: Target, root: str = "/proc") -> bool:
    """Whether it stands still: stopped, or by a debugger."""
    stat = read_stat(target.pid, root)
    return stat is not None and stat.state in "Tt"


def read_start(pid: int, root: str = "/proc") -> str | None:
    """Give field 22 of `/proc/PID/stat` as it stands in the names of sockets; None when there is no such process."""
    stat = read_stat(pid, root)
    return None if stat is None else str(stat.start_ticks)


def maps_torch(pid: int, root: str = "/proc") -> bool | None:
    """Whether PyTorch's libraries are mapped (`libtorch…so`); None when `/proc/PID/maps` may not be read."""
    try:
        with open(f"{root}/{pid}/maps", "rb", buffering=0) as maps:  # noqa: PTH123 - Path is an import too many
            tail, total = b"", 0
            while total < _MOST_MAPS_BYTES and (data := maps.read(1 << 16)):
                if b"/libtorch" in tail + data:
                    return True
                tail, total = data[-16:], total + len(data)
    except OSError:
        return None
    return False


def map_uid(uid: int, uid_map: str) -> int:
    """Give a user's number in the user namespace that a `uid_map` describes (user_namespaces(7)).

    A user that is not in it keeps his number: nothing of his can be reached anyway.
    """
    for line in uid_map.splitlines():
        numbers = [as_count(word, _MOST_UID + 1) for word in line.split()]
        if len(numbers) == 3 and None not in numbers:  # noqa: PLR2004 - inside, outside, how many
            inside, outside, count = (number or 0 for number in numbers)
            if outside <= uid < outside + count:
                return inside + uid - outside
    return uid


def _is_protected(pid: int, uid: int, root: str) -> bool:
    """Whether the files in its folder are not its user's; the folder itself always is (proc(5), `/proc/PID`)."""
    try:
        return os.stat(f"{root}/{pid}/stat").st_uid != uid  # noqa: PTH116 - Path costs more than the call
    except OSError:
        return False


def _status(text: str) -> dict[str, str]:
    pairs = (line.partition(":") for line in text.splitlines())
    return {name: value.strip() for name, colon, value in pairs if colon}


def _effective(status: Mapping[str, str], name: str) -> int | None:
    """Give the second of the four numbers of `Uid:` or `Gid:`: real, effective, saved, file system."""
    numbers = status.get(name, "").split()
    return as_count(numbers[1], _MOST_UID) if len(numbers) == 4 else None  # noqa: PLR2004
