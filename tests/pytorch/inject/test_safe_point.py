"""Rules 1, 2 and 3 on registers: where a thread may be borrowed, and how it comes back."""

from __future__ import annotations

import pytest

from dstop.pytorch.inject.registers import (
    ERESTART_RESTARTBLOCK,
    ERESTARTNOHAND,
    ERESTARTSYS,
    NO_SYSTEM_CALL,
    RESTART_SYSCALL,
    Registers,
    system_call,
    turned_to,
    was_waiting,
    way_back,
)
from dstop.pytorch.inject.safe_point import BLOCKING, FUTEX, Surroundings, safe_point
from dstop.pytorch.inject.threads import sleeps_safely, thread_numbers, waits_safely

BLOCK, STACK, TEXT = 0x7F0000000000, 0x7FFF00000000, 0x400000
AROUND = Surroundings(
    eval_loop=(TEXT + 0x1000, TEXT + 0x2000),
    python_text=((TEXT, TEXT + 0x100000),),
    python_has_malloc=False,
    stacks=((STACK, STACK + 0x100000, False), (STACK + 0x200000, STACK + 0x300000, True)),
)
MEMORY = {BLOCK: BLOCK, BLOCK + 16: BLOCK, 0x500000 - 2: 0x1122334455_66050F}
NANOSLEEP, READ, BRK = 35, 0, 12
WAIT, WAIT_BITSET, PRIVATE = 0, 9, 128


def _peek(address: int) -> int:
    try:
        return MEMORY[address]
    except KeyError:
        raise OSError(5, "nothing there") from None


def _registers(**changed: int) -> Registers:
    values = {
        "rip": TEXT + 0x1800,
        "rsp": STACK + 0x80000,
        "fs_base": BLOCK,
        "orig_rax": NO_SYSTEM_CALL,
        "rax": 7,
    } | changed
    return Registers(**{name: value % (1 << 64) for name, value in values.items()})


def _waiting(number: int, *, result: int = ERESTARTSYS, rsi: int = 0) -> Registers:
    return _registers(rip=0x500000, orig_rax=number, rax=result, rsi=rsi)


def _safe(
    registers: Registers, *, around: Surroundings = AROUND, samples: int = 1, blocked: int = 0
) -> str | None:
    return safe_point(registers, around, _peek, blocked_signals=lambda: blocked, samples=samples)


@pytest.mark.parametrize("number", BLOCKING)
def test_a_thread_that_waits_in_a_listed_call_is_safe(number: int) -> None:
    """The kernel interrupted the call while it waited, and libc holds no lock over it."""
    assert _safe(_waiting(number)) == BLOCKING[number]


def test_a_thread_that_passes_through_a_listed_call_is_not_safe() -> None:
    """A read that has a result may be libc's own, under a lock."""
    assert _safe(_waiting(READ, result=512)) is None
    assert _safe(_waiting(READ, result=-4)) is None


def test_a_call_that_is_not_listed_is_not_safe() -> None:
    """For one, brk is malloc's."""
    assert _safe(_waiting(BRK)) is None


def test_only_waits_for_semaphores_and_conditions_are_safe_futexes() -> None:
    """Plain FUTEX_WAIT may be the lock of malloc or of the loader."""
    assert _safe(_waiting(FUTEX, rsi=WAIT_BITSET | PRIVATE)) == "futex"
    assert _safe(_waiting(FUTEX, rsi=WAIT | PRIVATE)) is None


def test_a_call_without_its_instruction_is_not_safe() -> None:
    """What cannot be issued again by going back two bytes is not touched."""
    registers = _waiting(NANOSLEEP)
    registers.rip += 1
    assert _safe(registers) is None


def test_the_bytecode_loop_is_safe() -> None:
    """The first and the last byte of it are; the next one is only Python's text."""
    assert _safe(_registers(rip=TEXT + 0x1000)) == "eval loop"
    assert _safe(_registers(rip=TEXT + 0x1FFF)) == "eval loop"
    assert _safe(_registers(rip=TEXT + 0x2000)) is None


def test_pythons_text_is_safe_after_many_looks_in_vain() -> None:
    """Provided that malloc lives elsewhere and no signal handler can be running."""
    registers = _registers(rip=TEXT + 0x5000)
    assert _safe(registers, samples=8) is None
    assert _safe(registers, samples=9) == "python text"
    assert _safe(registers, samples=9, blocked=2) is None
    assert _safe(registers, samples=9, around=AROUND._replace(python_has_malloc=True)) is None


def test_foreign_text_is_never_safe() -> None:
    """Neither libc nor a library of kernels is borrowed from."""
    assert _safe(_registers(rip=0x500000), samples=1000) is None


def test_an_image_without_the_loops_symbol_has_no_loop() -> None:
    """Then only Python's text remains."""
    assert _safe(_registers(), around=AROUND._replace(eval_loop=None)) is None


def test_a_thread_that_libc_did_not_make_is_not_safe() -> None:
    """pthread_create would read a control block that is not there."""
    assert _safe(_registers(fs_base=0)) is None
    assert _safe(_registers(fs_base=BLOCK + 8)) is None
    assert _safe(_registers(fs_base=0x1234)) is None


@pytest.mark.parametrize(
    ("stack", "safe"),
    [
        (STACK + (48 << 10) + 1, True),
        (STACK + (48 << 10), False),
        (STACK - 8, False),
        (STACK + 0x100000, False),
        (STACK + 0x200000, True),
    ],
)
def test_the_stack_must_have_room(stack: int, safe: bool) -> None:
    """48 KiB, or the main thread's stack, which grows."""
    assert (_safe(_registers(rsp=stack)) is not None) == safe


def test_an_interrupted_call_is_issued_again() -> None:
    """The thread goes back to its SYSCALL instruction with the number that it had."""
    changed = turned_to(_waiting(READ, result=ERESTARTNOHAND), entry=0x1000, stack=0x2000)
    assert (changed.rip, changed.rsp, changed.rax) == (0x1000, 0x2000, READ)
    assert system_call(changed) is None
    assert way_back(_waiting(READ)) == 0x500000 - 2


def test_a_call_that_keeps_the_rest_of_its_time_goes_on_with_it() -> None:
    """As the kernel does it itself: by restart_syscall."""
    changed = turned_to(_waiting(NANOSLEEP, result=ERESTART_RESTARTBLOCK), entry=0x1000, stack=0x2000)
    assert changed.rax == RESTART_SYSCALL


def test_a_computing_thread_keeps_all_its_registers() -> None:
    """But for where it is and its stack."""
    before = _registers(rbx=5, r15=6)
    changed = turned_to(before, entry=0x1000, stack=0x2000)
    assert (changed.rax, changed.rbx, changed.r15, changed.fs_base) == (7, 5, 6, BLOCK)
    assert way_back(before) == before.rip
    assert not was_waiting(before)


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("230 0x0 0x1 0x7ffe 0x0 0x0 0x0 0x7ffe 0x7f00\n", True),
        ("202 0x7f00 0x189 0x0 0x0 0x0 0xffffffff 0x7f 0x7f\n", True),
        ("202 0x7f00 0x80 0x2 0x0 0x0 0xffffffff 0x7f 0x7f\n", False),
        ("12 0x0 0x0 0x0 0x0 0x0 0x0 0x7f 0x7f\n", False),
        ("running\n", False),
        ("-1 0x7ffe 0x7f00\n", False),
        ("", False),
        ("7 seven\n", False),
    ],
)
def test_sleepers_are_told_from_outside(text: str, safe: bool) -> None:
    """/proc/PID/task/TID/syscall says who sleeps where; what it does not say is no."""
    assert waits_safely(text) == safe


def test_a_process_that_is_not_there_has_no_threads() -> None:
    """Nor does any of them sleep."""
    assert thread_numbers(1 << 22) == []
    assert not sleeps_safely(1 << 22, 1 << 22)
