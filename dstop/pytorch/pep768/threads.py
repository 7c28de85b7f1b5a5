"""The Python threads of a target, and the request that each of them can be given (PEP 768)."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple, Protocol

from dstop.errors import AttachError
from dstop.pytorch.memory import Readable
from dstop.pytorch.pep768.offsets import read_offsets
from dstop.pytorch.refusals import ForbiddenByUserError

if TYPE_CHECKING:
    from dstop.pytorch.pep768.offsets import Offsets

PLEASE_STOP = 1 << 5
"""_PY_EVAL_PLEASE_STOP_BIT (Include/internal/pycore_ceval.h)."""

MOST_THREADS = 1024
MOST_INTERPRETERS = 256


class Memory(Readable, Protocol):
    """The memory of a target: read and written."""

    def write(self, address: int, data: bytes) -> None:
        """Put bytes at an address, or raise AttachError."""
        ...


class Thread(NamedTuple):
    """One thread state as it was at one moment."""

    address: int
    next: int
    interpreter: int
    native_id: int
    pending: bool
    """Whether a request waits."""
    path: bytes
    """Of the newest request."""


class Runtime:
    """The Python of one target."""

    def __init__(self, memory: Memory, address: int, offsets: Offsets, pid: int) -> None:
        """Find its main interpreter.

        Raises:
            AttachError: when that is not there.
            ForbiddenByUserError: when it does not let itself be debugged.
        """
        self._memory = memory
        self._offsets = offsets
        self._pid = pid
        self._interpreter = self._main_interpreter(address)
        enabled = memory.read(self._interpreter + offsets.remote_debugging_enabled, 4)
        if enabled != struct.pack("<i", 1):
            raise ForbiddenByUserError(
                f"process {pid} forbids it: its remote debugging is switched off",
                fix="start it without -X disable-remote-debug and PYTHON_DISABLE_REMOTE_DEBUG",
            )

    def threads(self, living: frozenset[int]) -> tuple[Thread, ...]:
        """Give its threads, the main thread first, then the newest to the oldest.

        The list is walked while threads come and go: it ends where something else stands in the place of a thread.

        Args:
            living: the numbers of the kernel's threads; a thread state that belongs to none of them is left out.
        """
        main = self._number(self._interpreter + self._offsets.threads_main)
        found: dict[int, Thread] = {}
        address = self._number(self._interpreter + self._offsets.threads_head)
        while address and address not in found and len(found) < MOST_THREADS:
            thread = self.thread(address)
            if thread is None:
                break
            found[address] = thread
            address = thread.next
        if main and main not in found and (thread := self.thread(main)) is not None:
            found[main] = thread
        ordered = sorted(found.values(), key=lambda thread: thread.address != main)
        return tuple(thread for thread in ordered if thread.native_id in living)

    def thread(self, address: int) -> Thread | None:
        """Read one thread state in one go; None when there is none any more."""
        offsets = self._offsets
        try:
            data = self._memory.read(address, offsets.thread_size)
        except AttachError:
            return None
        pointers = (offsets.thread_next, offsets.thread_interpreter, offsets.native_thread_id)
        following, interpreter, native_id = (struct.unpack_from("<Q", data, offset)[0] for offset in pointers)
        if interpreter != self._interpreter:
            return None
        path = data[offsets.script_path : offsets.script_path + offsets.script_path_size]
        pending = data[offsets.pending : offsets.pending + 4] != bytes(4)
        return Thread(address, following, interpreter, native_id, pending, path.partition(b"\0")[0])

    def arm(self, thread: Thread, path: bytes) -> bool:
        """Ask one thread to run a script at its next safe point; False when it is gone or somebody else asked first.

        A request for this very script is one that a dstop left behind when it was killed: it becomes ours.

        A thread that ends between the look and the write would have its freed memory written to. So the look is one
        read right before, the writes are three, and `living_threads` leaves out threads that come and go.
        """
        if not path or len(path) >= self._offsets.script_path_size:
            raise AttachError(
                f"the path of the script is too long for process {self._pid} ({len(path)} bytes)",
                fix="start it with DSTOP_DIR set to a directory with a shorter name",
            )
        now = self.thread(thread.address)
        if now is None or now.native_id != thread.native_id:
            return False
        if now.pending:
            return now.path == path
        at, offsets = thread.address, self._offsets
        self._memory.write(at + offsets.script_path, path + b"\0")
        self._memory.write(at + offsets.pending, struct.pack("<i", 1))
        # One byte: the seven above it change with sys.monitoring, and must not be put back to what they were.
        bits = self._memory.read(at + offsets.eval_breaker, 1)[0]
        if not bits & PLEASE_STOP:
            self._memory.write(at + offsets.eval_breaker, bytes([bits | PLEASE_STOP]))
        return True

    def disarm(self, thread: Thread, path: bytes) -> bool:
        """Take a request back; True when the thread cannot have taken it.

        First the path is made empty, then the flag is read: a thread takes down the flag before it copies the path
        (`_PyRunRemoteDebugger`, Python/ceval_gil.c) and runs nothing when that is empty. So a flag that is still up
        has not been and will not be followed. A thread state that does not hold our path is not ours any more.
        """
        try:
            now = self.thread(thread.address)
            if now is None or now.native_id != thread.native_id or now.path != path:
                return False
            self._memory.write(thread.address + self._offsets.script_path, b"\0")
            now = self.thread(thread.address)
            if now is None or not now.pending:
                return False
            self._memory.write(thread.address + self._offsets.pending, bytes(4))
        except AttachError:
            return False
        return True

    def _main_interpreter(self, runtime: int) -> int:
        """Give the interpreter with the number 0; newer ones stand before it in the list."""
        address = self._number(runtime + self._offsets.interpreters_head)
        for _ in range(MOST_INTERPRETERS):
            if not address:
                break
            if self._number(address + self._offsets.interpreter_id) == 0:
                return address
            address = self._number(address + self._offsets.interpreter_next)
        raise AttachError(
            f"process {self._pid} has no main interpreter: its Python is starting or ending", fix="try again"
        )

    def _number(self, address: int) -> int:
        return int.from_bytes(self._memory.read(address, 8), "little")


def find_runtime(memory: Memory, address: int, pid: int) -> Runtime | None:
    """Find the Python of a target by the address of `_PyRuntime`; None when it does not speak PEP 768.

    Raises:
        AttachError: when what stands there cannot be true.
        ForbiddenByUserError: when it does not let itself be debugged.
    """
    offsets = read_offsets(memory, address)
    return None if offsets is None else Runtime(memory, address, offsets, pid)
