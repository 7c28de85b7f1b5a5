"""The registers of a stopped thread, and what they say about the system call it is in."""

from __future__ import annotations

import ctypes

# struct user_regs_struct, Linux arch/x86/include/asm/user_64.h
_SAVED = (
    "r15",
    "r14",
    "r13",
    "r12",
    "rbp",
    "rbx",
    "r11",
    "r10",
    "r9",
    "r8",
    "rax",
    "rcx",
    "rdx",
    "rsi",
    "rdi",
)
_NAMES = (
    *_SAVED,
    "orig_rax",
    "rip",
    "cs",
    "eflags",
    "rsp",
    "ss",
    "fs_base",
    "gs_base",
    "ds",
    "es",
    "fs",
    "gs",
)

NO_SYSTEM_CALL = (1 << 64) - 1

# Linux include/linux/errno.h; seen only by a tracer, and only where a system call was interrupted while it waited
ERESTARTSYS, ERESTARTNOINTR, ERESTARTNOHAND, ERESTART_RESTARTBLOCK = -512, -513, -514, -516
_RESTARTED = frozenset({ERESTARTSYS, ERESTARTNOINTR, ERESTARTNOHAND, ERESTART_RESTARTBLOCK})
RESTART_SYSCALL = 219


class Registers(ctypes.Structure):
    """The general registers, as PTRACE_GETREGSET gives them."""

    _fields_ = [(name, ctypes.c_uint64) for name in _NAMES]

    rax: int
    rsi: int
    orig_rax: int
    rip: int
    rsp: int
    fs_base: int


def system_call(registers: Registers) -> int | None:
    """Give the number of the system call that the thread is in; None where it runs its own instructions."""
    number = registers.orig_rax
    return number if number < 1 << 63 else None


def was_waiting(registers: Registers) -> bool:
    """Tell whether the system call was interrupted while it waited, and not merely passed through."""
    return registers.rax - (1 << 64) in _RESTARTED


def turned_to(registers: Registers, entry: int, stack: int) -> Registers:
    """Give the registers that make the thread run `entry` on `stack` and then go on as if nothing had been.

    An interrupted system call is issued once more, exactly as the kernel would do it: a call that keeps the rest of its
    time in the restart block goes on with that rest (Linux arch/x86/kernel/signal.c, arch_do_signal_or_restart).
    """
    changed = Registers.from_buffer_copy(registers)
    if system_call(registers) is not None:
        in_block = registers.rax - (1 << 64) == ERESTART_RESTARTBLOCK
        changed.rax = RESTART_SYSCALL if in_block else registers.orig_rax
    changed.orig_rax = NO_SYSTEM_CALL
    changed.rip = entry
    changed.rsp = stack
    return changed


def way_back(registers: Registers) -> int:
    """Give the address at which the thread goes on: the SYSCALL instruction again, or where it was."""
    return registers.rip - 2 if system_call(registers) is not None else registers.rip
