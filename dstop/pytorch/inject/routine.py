"""The machine code that a borrowed thread runs once, and the thread that it makes.

The text depends on nothing but the target's addresses, so it is the same for every attach to one process: it is
written once, before any thread is stopped, and never changed while a thread may still be inside.

Rule 3: no state that must be undone from outside. The borrowed thread finds its way back by itself: the address is on
its own stack, under the 128 bytes of red zone (System V ABI, AMD64, 3.2.2), and `ret 128` takes both off in one step.
Rule 5: the new thread blocks all signals, waits a bounded time for its text, and takes the GIL as any thread would.
"""

from __future__ import annotations

from dataclasses import dataclass

from dstop.model.value import Value
from dstop.pytorch.inject.assembly import Code
from dstop.pytorch.inject.mailbox import GO_AT, REGION_AT, RESULT_AT, STATUS_AT, THREAD_AT, Status

MAGIC = b"dstopcv2"
MOST_ROUTINE_BYTES = 768
ENTRY_AT = len(MAGIC)

RED_ZONE_BYTES = 128
STATE_BYTES = 16 << 10
"""Room for XSAVE; 11 KiB on a CPU with AVX-512 and AMX."""

REGION_BYTES = 1 << 20
"""What the new thread maps for its text: always the same, so that two injectors can never disagree on it."""

SOURCE_WAIT_S = 5
_NAP_US = 1000

PYTHON_FUNCTIONS = ("Py_IsInitialized", "PyGILState_Ensure", "PyGILState_Release", "PyRun_SimpleStringFlags")
LIBC_FUNCTIONS = (
    "pthread_create",
    "pthread_self",
    "pthread_detach",
    "pthread_sigmask",
    "usleep",
    "mmap",
    "munmap",
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Addresses(Value):
    """Where in the target the routine finds what it needs."""

    mailbox: int
    functions: dict[str, int]


def routine(addresses: Addresses) -> bytes:
    """Give the whole text: the mark, the borrowed thread's part, the new thread's part."""
    code = Code()
    _save_state(code)
    _create_thread(code, addresses)
    _restore_state(code)
    _new_thread_begins(code, addresses)
    _new_thread_waits(code, addresses)
    _new_thread_runs(code, addresses)
    _new_thread_ends(code, addresses)
    text = MAGIC + code.finish()
    if len(text) > MOST_ROUTINE_BYTES:
        raise ValueError(f"the routine has {len(text)} bytes")
    return text


def _save_state(code: Code) -> None:
    """Save flags, general registers and the whole XSAVE state on the thread's own stack."""
    code.raw("9c")  # pushfq
    code.push_all()
    code.raw(
        "fc",  # cld
        "48 89 e5",  # mov rbp, rsp
        "48 81 ec" + STATE_BYTES.to_bytes(4, "little").hex(),  # sub rsp, STATE_BYTES
        "48 83 e4 c0",  # and rsp, -64
        "48 8d bc 24 00 02 00 00",  # lea rdi, [rsp + 512]: XSAVE wants its header zeroed
        "31 c0",  # xor eax, eax
        "b9 08 00 00 00",  # mov ecx, 8
        "f3 48 ab",  # rep stosq
    )
    _every_component(code)
    code.raw(
        "48 0f ae 24 24",  # xsave64 [rsp]
        "48 89 e3",  # mov rbx, rsp
    )


def _create_thread(code: Code, addresses: Addresses) -> None:
    """The one thing that a borrowed thread may do: pthread_create(&thread, NULL, new_thread, NULL)."""
    code.load("rdi", addresses.mailbox + THREAD_AT)
    code.raw("31 f6")  # xor esi, esi
    code.load_place("new thread")
    code.raw("31 c9")  # xor ecx, ecx
    code.call(addresses.functions["pthread_create"])
    code.raw("85 c0")  # test eax, eax
    code.jump_if_zero("created")
    code.load("rcx", addresses.mailbox + STATUS_AT)
    code.raw("48 c7 01" + int(Status.NO_THREAD).to_bytes(4, "little").hex())  # mov qword [rcx], NO_THREAD
    code.label("created")


def _restore_state(code: Code) -> None:
    """Put everything back and return to where the thread was borrowed."""
    code.raw("48 89 dc")  # mov rsp, rbx
    _every_component(code)
    code.raw(
        "48 0f ae 2c 24",  # xrstor64 [rsp]
        "48 89 ec",  # mov rsp, rbp
    )
    code.pop_all()
    code.raw(
        "9d",  # popfq
        "c2" + RED_ZONE_BYTES.to_bytes(2, "little").hex(),  # ret RED_ZONE_BYTES
    )


def _every_component(code: Code) -> None:
    code.raw(
        "b8 ff ff ff ff",  # mov eax, -1
        "ba ff ff ff ff",  # mov edx, -1
    )


def _new_thread_begins(code: Code, addresses: Addresses) -> None:
    """Block all signals, detach, map the region: the handlers of the target never run here."""
    function = addresses.functions
    code.label("new thread")
    code.raw(
        "f3 0f 1e fa",  # endbr64
        "55",  # push rbp
        "48 89 e5",  # mov rbp, rsp
        "53",  # push rbx
        "41 54",  # push r12
        "41 55",  # push r13
        "48 81 ec 88 00 00 00",  # sub rsp, 136: aligned, and room for a signal set
    )
    code.load("rbx", addresses.mailbox)
    _tell(code, Status.STARTED)
    code.raw(
        "48 89 e7",  # mov rdi, rsp
        "b9 10 00 00 00",  # mov ecx, 16
        "48 c7 c0 ff ff ff ff",  # mov rax, -1
        "f3 48 ab",  # rep stosq: every signal
        "31 ff",  # xor edi, edi: SIG_BLOCK
        "48 89 e6",  # mov rsi, rsp
        "31 d2",  # xor edx, edx
    )
    code.call(function["pthread_sigmask"])
    code.call(function["pthread_self"])
    code.raw("48 89 c7")  # mov rdi, rax
    code.call(function["pthread_detach"])
    code.raw("31 ff")  # xor edi, edi
    code.load_small("rsi", REGION_BYTES)
    code.load_small("rdx", 3)  # PROT_READ | PROT_WRITE
    code.load_small("rcx", 0x22)  # MAP_PRIVATE | MAP_ANONYMOUS
    code.load_small("r8", 0xFFFFFFFF)
    code.raw("45 31 c9")  # xor r9d, r9d
    code.call(function["mmap"])


def _new_thread_waits(code: Code, addresses: Addresses) -> None:
    """Say where the text shall be written, and wait for it a bounded time."""
    code.load_small("r12", Status.NO_MEMORY)
    code.raw("48 83 f8 ff")  # cmp rax, -1: MAP_FAILED
    code.jump_if_zero("tell")
    code.raw(
        "49 89 c5",  # mov r13, rax: kept here, so that nobody can change it meanwhile
        "48 89 43" + f"{REGION_AT:02x}",  # mov [rbx + REGION_AT], rax
    )
    code.load_small("r12", SOURCE_WAIT_S * 1_000_000 // _NAP_US)
    code.label("wait")
    code.raw("48 83 7b" + f"{GO_AT:02x}" + "00")  # cmp qword [rbx + GO_AT], 0
    code.jump_if_not_zero("run")
    code.load_small("rdi", _NAP_US)
    code.call(addresses.functions["usleep"])
    code.raw("41 ff cc")  # dec r12d
    code.jump_if_not_zero("wait")
    code.load_small("r12", Status.NO_SOURCE)
    code.jump("end")


def _new_thread_runs(code: Code, addresses: Addresses) -> None:
    """Take the GIL as any foreign thread does, run the text, give the GIL back."""
    function = addresses.functions
    code.label("run")
    code.load_small("r12", Status.NOT_INITIALIZED)
    code.call(function["Py_IsInitialized"])
    code.raw("85 c0")  # test eax, eax
    code.jump_if_zero("end")
    _tell(code, Status.WAITING)
    code.call(function["PyGILState_Ensure"])
    code.raw("41 89 c4")  # mov r12d, eax
    _tell(code, Status.RUNNING)
    code.raw(
        "4c 89 ef",  # mov rdi, r13
        "31 f6",  # xor esi, esi
    )
    code.call(function["PyRun_SimpleStringFlags"])
    code.raw(
        "48 98",  # cdqe
        "48 89 43" + f"{RESULT_AT:02x}",  # mov [rbx + RESULT_AT], rax
        "44 89 e7",  # mov edi, r12d
    )
    code.call(function["PyGILState_Release"])
    code.load_small("r12", Status.DONE)


def _new_thread_ends(code: Code, addresses: Addresses) -> None:
    """Unmap the region, tell the outcome, return into libc's end of threads."""
    code.label("end")
    code.raw("4c 89 ef")  # mov rdi, r13
    code.load_small("rsi", REGION_BYTES)
    code.call(addresses.functions["munmap"])
    code.label("tell")
    code.raw(
        "4c 89 63" + f"{STATUS_AT:02x}",  # mov [rbx + STATUS_AT], r12
        "48 81 c4 88 00 00 00",  # add rsp, 136
        "41 5d",  # pop r13
        "41 5c",  # pop r12
        "5b",  # pop rbx
        "5d",  # pop rbp
        "31 c0",  # xor eax, eax
        "c3",  # ret
    )


def _tell(code: Code, status: Status) -> None:
    """Mov qword [rbx + STATUS_AT], status."""
    code.raw("48 c7 43" + f"{STATUS_AT:02x}" + int(status).to_bytes(4, "little").hex())
