"""ptrace(2) and waitpid(2) through ctypes, for x86-64.

PyDLL keeps the GIL over a call: none of these blocks, and with the GIL given away another thread of dstop could hold it
for milliseconds while the target's thread stands still.
"""

from __future__ import annotations

import ctypes
import errno
import os

from dstop.pytorch.inject.registers import Registers

SIGTRAP = 5
STOPPED_BY_US = 128
"""PTRACE_EVENT_STOP, in the upper half of a wait status."""

_PEEKDATA, _POKEDATA, _CONT, _DETACH = 2, 5, 7, 17
_GETREGSET, _SETREGSET, _SEIZE, _INTERRUPT, _GETSIGMASK = 0x4204, 0x4205, 0x4206, 0x4207, 0x420A
_NT_PRSTATUS = 1
_WNOHANG, _WALL = 1, 0x40000000

_libc = ctypes.PyDLL(None, use_errno=True)
_libc.ptrace.restype = ctypes.c_long
_libc.ptrace.argtypes = [ctypes.c_long] * 4
_libc.waitpid.restype = ctypes.c_int
_libc.waitpid.argtypes = [ctypes.c_int, ctypes.POINTER(ctypes.c_int), ctypes.c_int]


class _Vector(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("size", ctypes.c_size_t)]


def seize(thread: int) -> None:
    """Become the tracer of a thread without stopping it."""
    _ptrace(_SEIZE, thread, 0, 0)


def interrupt(thread: int) -> None:
    """Ask a seized thread to stop."""
    _ptrace(_INTERRUPT, thread, 0, 0)


def go_on(thread: int, signal: int) -> None:
    """Let a stopped thread run on, with the signal it stopped for; it stays seized."""
    _ptrace(_CONT, thread, 0, signal)


def detach(thread: int, signal: int = 0) -> None:
    """Let a stopped thread go for good."""
    _ptrace(_DETACH, thread, 0, signal)


def registers_of(thread: int) -> Registers:
    """Read the general registers of a stopped thread."""
    registers = Registers()
    vector = _Vector(ctypes.addressof(registers), ctypes.sizeof(registers))
    _ptrace(_GETREGSET, thread, _NT_PRSTATUS, ctypes.addressof(vector))
    return registers


def set_registers(thread: int, registers: Registers) -> None:
    """Write the general registers of a stopped thread, all at once."""
    vector = _Vector(ctypes.addressof(registers), ctypes.sizeof(registers))
    _ptrace(_SETREGSET, thread, _NT_PRSTATUS, ctypes.addressof(vector))


def blocked_signals(thread: int) -> int:
    """Give the set of signals that a stopped thread has blocked, a bit for each."""
    mask = ctypes.c_uint64()
    _ptrace(_GETSIGMASK, thread, ctypes.sizeof(mask), ctypes.addressof(mask))
    return mask.value


def peek(thread: int, address: int) -> int:
    """Read eight bytes of a stopped thread's memory."""
    return _ptrace(_PEEKDATA, thread, address, 0) & (1 << 64) - 1


def poke(thread: int, address: int, value: int) -> None:
    """Write eight bytes into a stopped thread's memory, whatever its page protection."""
    _ptrace(_POKEDATA, thread, address, value)


def poke_text(thread: int, address: int, text: bytes) -> None:
    """Write whole text by eight bytes: for kernels that forbid it through /proc/PID/mem."""
    padded = text + bytes(-len(text) % 8)
    for offset in range(0, len(padded), 8):
        poke(thread, address + offset, int.from_bytes(padded[offset : offset + 8], "little"))


def wait_status(thread: int) -> int | None:
    """Give the next wait status of a seized thread; None when there is none yet, ProcessLookupError when it is gone."""
    status = ctypes.c_int()
    got = _libc.waitpid(thread, ctypes.byref(status), _WNOHANG | _WALL)
    if got < 0:
        raise ProcessLookupError(errno.ESRCH, os.strerror(errno.ESRCH))
    return status.value if got else None


def _ptrace(request: int, thread: int, address: int, data: int) -> int:
    ctypes.set_errno(0)
    # ctypes takes signed numbers here and cuts larger ones to their 64 bits.
    result: int = _libc.ptrace(request, thread, address, data)
    if result == -1 and (number := ctypes.get_errno()):
        raise OSError(number, f"ptrace({request:#x}): {os.strerror(number)}")
    return result
