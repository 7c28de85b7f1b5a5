"""Rule 7: what is looked at before anything of the target is touched, and how a refusal reads."""

from __future__ import annotations

import os
import struct
from typing import NamedTuple

from dstop.errors import AttachError
from dstop.pytorch.inject.routine import STATE_BYTES

_AT_MINSIGSTKSZ = 51
_FXSAVE_AREA_BYTES = 512
_NO_SUCH = "take a pid from `dstop` or `nvidia-smi`"
_NEXT_TIME = "start it with `dstop run` next time"


class TargetStatus(NamedTuple):
    """What /proc/PID/status says that matters here."""

    state: str
    tracer: int
    effective_uid: int
    inner_pid: int
    """The number of the process in its own PID namespace."""
    shadow_stack: bool


def target_status(pid: int) -> TargetStatus:
    """Read the status of a process, or say that there is none."""
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as file:  # noqa: PTH123 - no pathlib here
            return parse_status(pid, file.read())
    except (FileNotFoundError, ProcessLookupError):
        raise AttachError(f"no such process: {pid}", fix=_NO_SUCH) from None


def parse_status(pid: int, text: str) -> TargetStatus:
    """Parse the text of /proc/PID/status (proc(5))."""
    fields = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    try:
        return TargetStatus(
            state=fields["State"].split()[0],
            tracer=int(fields["TracerPid"]),
            effective_uid=int(fields["Uid"].split()[1]),
            inner_pid=int(fields.get("NSpid", str(pid)).split()[-1]),
            shadow_stack="shstk" in fields.get("x86_Thread_features", ""),
        )
    except (KeyError, IndexError, ValueError):
        raise AttachError(f"the status of process {pid} cannot be read", fix="is /proc mounted?") from None


def check_machine() -> None:
    """Refuse machines whose routine has not been written and measured."""
    machine = os.uname().machine
    if machine != "x86_64":
        raise AttachError(f"attaching to a running process is not written for {machine}", fix=_NEXT_TIME)
    if not _has_xsave():
        raise AttachError("this CPU has no XSAVE, which attaching to a running process needs", fix=_NEXT_TIME)
    if signal_frame_bytes() > STATE_BYTES - _FXSAVE_AREA_BYTES:
        raise AttachError(
            "the register state of this CPU is larger than attaching has room for", fix=_NEXT_TIME
        )


def check_owner(pid: int, status: TargetStatus) -> None:
    """Refuse processes that have ended, are not ours, or could not find back from the routine."""
    if status.state in "ZXx":
        raise AttachError(f"process {pid} has ended (state {status.state})", fix=_NO_SUCH)
    if os.geteuid() not in (0, status.effective_uid):
        raise AttachError(
            f"process {pid} is owned by uid {status.effective_uid}", fix="use sudo or become that user"
        )
    if status.shadow_stack:
        raise AttachError(f"process {pid} runs with a hardware shadow stack", fix=_NEXT_TIME)


def check_free(pid: int, status: TargetStatus) -> None:
    """Refuse processes that somebody else has stopped or traces; asked when no other dstop is at it."""
    if status.tracer:
        raise AttachError(
            f"process {pid} is traced by process {status.tracer}", fix="end that debugger or strace first"
        )
    if status.state in "Tt":
        raise AttachError(f"process {pid} is stopped", fix=f"continue it: kill -CONT {pid}")


def _has_xsave() -> bool:
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:  # noqa: PTH123 - no pathlib here
            flags = next((line for line in file if line.startswith("flags")), "")
    except OSError:
        return False
    return " xsave " in flags


def signal_frame_bytes() -> int:
    """Give the size of a signal frame with all register state (AT_MINSIGSTKSZ, getauxval(3)); 0 before Linux 5.14.

    The same XSAVE area as ours is in it. Kernels before 5.14 enable no state that would not fit.
    """
    try:
        with open("/proc/self/auxv", "rb") as file:  # noqa: PTH123 - no pathlib here
            raw = file.read()
    except OSError:
        return 0
    entries: dict[int, int] = dict(struct.iter_unpack("<QQ", raw[: len(raw) // 16 * 16]))
    return entries.get(_AT_MINSIGSTKSZ, 0)
