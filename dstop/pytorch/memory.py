"""The memory of another process, through /proc/PID/mem: nothing of the target is opened, so containers are all alike.

The file belongs to one address space: when the process ends, or becomes another program by exec, every access fails
instead of reaching the successor.
"""

from __future__ import annotations

import errno
import fcntl
import os
from typing import TYPE_CHECKING, Protocol

from dstop.errors import AttachError

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

MOST_BYTES = 64 << 20
"""The most that one access may move; the largest thing we move is the text of the hook."""

_END_OF_USER_SPACE = 1 << 63


class Readable(Protocol):
    """Bytes at addresses: what the reader of ELF images needs, so that tests can hand it garbage."""

    def read(self, address: int, size: int) -> bytes:
        """Give exactly `size` bytes, or raise AttachError."""
        ...


class TargetMemory:
    """Reads and writes the memory of one live process."""

    __slots__ = ("_descriptor", "pid")

    def __init__(self, pid: int, descriptor: int) -> None:
        self.pid = pid
        self._descriptor = descriptor

    @classmethod
    def open(cls, pid: int) -> TargetMemory:
        """Open the memory of `pid`; the kernel asks the same permission as for ptrace."""
        try:
            return cls(pid, os.open(f"/proc/{pid}/mem", os.O_RDWR | os.O_CLOEXEC))
        except (FileNotFoundError, ProcessLookupError):
            raise AttachError(
                f"no such process: {pid}", fix="take a pid from `dstop` or `nvidia-smi`"
            ) from None
        except PermissionError:
            raise no_permission(pid) from None
        except OSError as reason:
            raise AttachError(
                f"the memory of process {pid} cannot be opened: {reason.strerror}", fix="try again"
            ) from None

    def read(self, address: int, size: int) -> bytes:
        """Give exactly `size` bytes from `address`, or raise AttachError."""
        self._check(address, size)
        try:
            data = os.pread(self._descriptor, size, address)
        except OSError as reason:
            raise self._failed("read", address, reason) from None
        if len(data) != size:
            raise self._short(address)
        return data

    def write(self, address: int, data: bytes) -> None:
        """Put `data` at `address`; page protections do not matter, as for a debugger."""
        self._check(address, len(data))
        try:
            written = os.pwrite(self._descriptor, data, address)
        except OSError as reason:
            raise self._failed("written", address, reason) from None
        if written != len(data):
            raise self._short(address)

    def u64(self, address: int) -> int:
        """Give the little-endian 64-bit number at `address`."""
        return int.from_bytes(self.read(address, 8), "little")

    def lock(self) -> bool:
        """Lock the memory against other dstops until it is closed; False while another one has it."""
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def close(self) -> None:
        """Close the file; a second time does nothing."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _check(self, address: int, size: int) -> None:
        if not (0 <= address <= _END_OF_USER_SPACE - size and 0 <= size <= MOST_BYTES):
            raise AttachError(
                f"process {self.pid} points to memory that cannot be ({address:#x}, {size} bytes)",
                fix="its images are damaged or not what they seem: it cannot be attached to",
            )

    def _failed(self, what: str, address: int, reason: OSError) -> AttachError:
        if reason.errno == errno.ESRCH:
            return self._short(address)
        return MemoryRefusedError(
            f"memory of process {self.pid} at {address:#x} cannot be {what}: {reason.strerror}",
            fix="it has ended, or the kernel forbids it (proc_mem.force_override=)",
        )

    def _short(self, address: int) -> AttachError:
        if not os.path.exists(f"/proc/{self.pid}"):  # noqa: PTH110 - pathlib is not needed for one question
            return AttachError(f"process {self.pid} ended meanwhile", fix="nothing is left to attach to")
        return AttachError(
            f"memory of process {self.pid} at {address:#x} is not there",
            fix="it ends or starts another program: try again",
        )


class MemoryRefusedError(AttachError):
    """The kernel refused one access: the page is not mapped, or /proc/PID/mem may not override protections."""


def no_permission(pid: int) -> AttachError:
    """Say why the kernel refuses to let us into `pid`, as far as it can be known from outside."""
    try:
        owner = os.stat(f"/proc/{pid}").st_uid  # noqa: PTH116 - pathlib is not needed for one question
    except OSError:
        return AttachError(f"no such process: {pid}", fix="take a pid from `dstop` or `nvidia-smi`")
    scope = _ptrace_scope()
    if scope == 3:  # noqa: PLR2004 - the kernel's own number, see Documentation/admin-guide/LSM/Yama.rst
        return AttachError(
            f"process {pid} cannot be attached to: kernel.yama.ptrace_scope is 3, which not even root overrides",
            fix="start it with `dstop run` next time",
        )
    if os.geteuid() == 0:
        return AttachError(
            f"no permission to attach to process {pid}, even as root",
            fix="this container lacks CAP_SYS_PTRACE, or a security module forbids it",
        )
    if scope:
        return AttachError(
            f"no permission to attach to process {pid}: kernel.yama.ptrace_scope is {scope}",
            fix="use sudo, or start it with `dstop run` next time",
        )
    if owner not in (os.geteuid(), 0):
        return AttachError(f"process {pid} is owned by uid {owner}", fix="use sudo or become that user")
    return AttachError(
        f"no permission to attach to process {pid}: it is not dumpable or has other privileges",
        fix="use sudo",
    )


def _ptrace_scope() -> int:
    try:
        with open("/proc/sys/kernel/yama/ptrace_scope", encoding="utf-8") as file:  # noqa: PTH123 - as above
            return int(file.read(16))
    except (OSError, ValueError):
        return 0
