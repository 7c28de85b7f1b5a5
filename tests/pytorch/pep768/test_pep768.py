"""The PEP 768 protocol, on a made-up memory: whatever stands there, only a thread that is one is written to."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dstop.errors import AttachError
from dstop.pytorch.pep768.offsets import COOKIE, LAYOUTS, read_offsets
from dstop.pytorch.pep768.threads import PLEASE_STOP, Runtime, find_runtime
from dstop.pytorch.refusals import ForbiddenByUserError

if TYPE_CHECKING:
    from collections.abc import Callable

RUNTIME, MAIN_INTERPRETER, OTHER_INTERPRETER = 0x10000, 0x40000, 0x50000
THREADS = {11: 0x60000, 12: 0x70000, 13: 0x80000}
"""Native id -> address; 11 is the main thread, 13 the newest."""

RUNTIME_BYTES, INTERPRETER_BYTES, THREAD_BYTES = 2000, 3000, 1200
HEAD, ID, NEXT, FIRST, MAIN, ENABLED = 900, 8, 16, 24, 32, 400
THREAD_NEXT, THREAD_INTERPRETER, NATIVE_ID, BREAKER, SUPPORT = 8, 16, 136, 24, 600
PENDING, PATH, PATH_BYTES = 0, 4, 512
SCRIPT = b"/tmp/dstop-0/17-815.py"


class Memory:
    """The memory of a process that is not there."""

    def __init__(self) -> None:
        """Nothing is mapped."""
        self.regions: dict[int, bytearray] = {}
        self.writes: list[tuple[int, bytes]] = []
        self.after_write: Callable[[int, bytes], None] = lambda *_: None

    def _find(self, address: int, size: int) -> tuple[bytearray, int]:
        for start, data in self.regions.items():
            if start <= address and address + size <= start + len(data):
                return data, address - start
        raise AttachError("not mapped", fix="none")

    def read(self, address: int, size: int) -> bytes:
        """Give bytes, all of them or none."""
        data, offset = self._find(address, size)
        return bytes(data[offset : offset + size])

    def write(self, address: int, data: bytes) -> None:
        """Change bytes, and note it."""
        region, offset = self._find(address, len(data))
        region[offset : offset + len(data)] = data
        self.writes.append((address, data))
        self.after_write(address, data)

    def put(self, address: int, number: int) -> None:
        """Change a number without a note."""
        data, offset = self._find(address, 8)
        struct.pack_into("<Q", data, offset, number)


def _table(minor: int, *, version: int | None = None, free_threaded: int = 0) -> bytearray:
    layout = LAYOUTS[3, minor]
    table = bytearray(RUNTIME_BYTES)
    table[:8] = COOKIE
    for position, number in {
        8: version if version is not None else 0x03000AF0 | minor << 16,
        16: free_threaded,
        24: RUNTIME_BYTES,
        40: HEAD,
        48: INTERPRETER_BYTES,
        56: ID,
        64: NEXT,
        72: FIRST,
        80: MAIN,
        176: THREAD_BYTES,
        192: THREAD_NEXT,
        200: THREAD_INTERPRETER,
        layout.native_thread_id: NATIVE_ID,
        layout.debugger_support: BREAKER,
        layout.debugger_support + 8: SUPPORT,
        layout.debugger_support + 16: ENABLED,
        layout.debugger_support + 24: PENDING,
        layout.debugger_support + 32: PATH,
        layout.debugger_support + 40: PATH_BYTES,
    }.items():
        struct.pack_into("<Q", table, position, number)
    struct.pack_into("<Q", table, HEAD, OTHER_INTERPRETER)
    return table


@pytest.fixture(params=[minor for _, minor in LAYOUTS], ids=lambda minor: f"3.{minor}")
def memory(request: pytest.FixtureRequest) -> Memory:
    """Give a process with two interpreters and three threads."""
    made = Memory()
    made.regions[RUNTIME] = _table(request.param)
    for address, number, following in (
        (OTHER_INTERPRETER, 1, MAIN_INTERPRETER),
        (MAIN_INTERPRETER, 0, 0),
    ):
        made.regions[address] = bytearray(INTERPRETER_BYTES)
        made.put(address + ID, number)
        made.put(address + NEXT, following)
    made.put(MAIN_INTERPRETER + FIRST, THREADS[13])
    made.put(MAIN_INTERPRETER + MAIN, THREADS[11])
    struct.pack_into("<i", made.regions[MAIN_INTERPRETER], ENABLED, 1)
    following = 0
    for native_id, address in THREADS.items():
        made.regions[address] = bytearray(THREAD_BYTES)
        made.put(address + NATIVE_ID, native_id)
        made.put(address + THREAD_INTERPRETER, MAIN_INTERPRETER)
        made.put(address + THREAD_NEXT, following)
        made.put(address + BREAKER, 0x1234_5678_9ABC_DE02)
        following = address
    return made


def _runtime(memory: Memory) -> Runtime:
    runtime = find_runtime(memory, RUNTIME, 4711)
    assert runtime is not None
    return runtime


LIVING = frozenset(THREADS)


def test_the_main_thread_comes_first(memory: Memory) -> None:
    """Its state is never freed; then the others, newest first."""
    assert [thread.native_id for thread in _runtime(memory).threads(LIVING)] == [11, 13, 12]


def test_a_thread_state_without_a_thread_is_left_alone(memory: Memory) -> None:
    """Ended threads may leave theirs behind, and those that came a moment ago are not asked."""
    assert [thread.native_id for thread in _runtime(memory).threads(frozenset({11, 12}))] == [11, 12]
    assert _runtime(memory).threads(frozenset()) == ()


def test_the_list_ends_where_it_makes_no_sense(memory: Memory) -> None:
    """A circle, freed memory, or memory that became something else: nobody is followed there."""
    memory.put(THREADS[12] + THREAD_NEXT, THREADS[13])
    assert len(_runtime(memory).threads(LIVING)) == 3
    memory.put(THREADS[12] + THREAD_NEXT, 0x999999)
    assert len(_runtime(memory).threads(LIVING)) == 3
    memory.put(THREADS[12] + THREAD_INTERPRETER, 0)
    assert [thread.native_id for thread in _runtime(memory).threads(LIVING)] == [11, 13]


def test_a_request_is_a_path_a_flag_and_one_bit(memory: Memory) -> None:
    """In this order, as the flag is followed at once; seven bytes of the evaluation breaker are not touched."""
    runtime = _runtime(memory)
    thread = runtime.threads(LIVING)[0]
    assert runtime.arm(thread, SCRIPT)
    base = thread.address
    assert memory.writes == [
        (base + SUPPORT + PATH, SCRIPT + b"\0"),
        (base + SUPPORT + PENDING, b"\1\0\0\0"),
        (base + BREAKER, bytes([0x02 | PLEASE_STOP])),
    ]
    now = runtime.thread(base)
    assert now is not None
    assert (now.pending, now.path) == (True, SCRIPT)


def test_a_request_of_somebody_else_stays(memory: Memory) -> None:
    """A debugger of the user's was first."""
    runtime = _runtime(memory)
    theirs, ours, _ = runtime.threads(LIVING)
    runtime.arm(theirs, b"/tmp/pdb.py")
    assert not runtime.arm(theirs, SCRIPT)
    assert runtime.arm(ours, SCRIPT)
    assert not runtime.disarm(theirs, SCRIPT)
    now = runtime.thread(theirs.address)
    assert now is not None
    assert (now.pending, now.path) == (True, b"/tmp/pdb.py")


def test_a_request_that_a_killed_dstop_left_becomes_ours(memory: Memory) -> None:
    """It is not written again, and it is taken back with the others."""
    runtime = _runtime(memory)
    thread = runtime.threads(LIVING)[1]
    runtime.arm(thread, SCRIPT)
    memory.writes.clear()
    assert runtime.arm(thread, SCRIPT)
    assert memory.writes == []
    assert runtime.disarm(thread, SCRIPT)


def test_a_thread_that_became_another_is_not_asked(memory: Memory) -> None:
    """Its memory was given to the next one, or to something that is no thread."""
    runtime = _runtime(memory)
    thread = runtime.threads(LIVING)[1]
    memory.put(thread.address + NATIVE_ID, 99)
    assert not runtime.arm(thread, SCRIPT)
    del memory.regions[thread.address]
    assert not runtime.arm(thread, SCRIPT)
    assert not runtime.disarm(thread, SCRIPT)
    assert memory.writes == []


def test_a_request_is_taken_back(memory: Memory) -> None:
    """No flag, and an empty path for a thread that comes in between."""
    runtime = _runtime(memory)
    thread = runtime.threads(LIVING)[0]
    runtime.arm(thread, SCRIPT)
    assert runtime.disarm(thread, SCRIPT)
    now = runtime.thread(thread.address)
    assert now is not None
    assert (now.pending, now.path) == (False, b"")


def test_a_request_that_was_taken_is_known(memory: Memory) -> None:
    """The thread has put the flag down: it may still open the script, which therefore stays."""
    runtime = _runtime(memory)
    thread = runtime.threads(LIVING)[0]
    runtime.arm(thread, SCRIPT)
    memory.write(thread.address + SUPPORT + PENDING, bytes(4))
    assert not runtime.disarm(thread, SCRIPT)


def test_a_thread_that_takes_it_meanwhile_finds_an_empty_path(memory: Memory) -> None:
    """It puts the flag down after our look at the path: it counts as taken, and it runs nothing."""
    runtime = _runtime(memory)
    thread = runtime.threads(LIVING)[0]
    runtime.arm(thread, SCRIPT)
    copied: list[bytes] = []

    def take(address: int, _: bytes) -> None:
        if address == thread.address + SUPPORT + PATH:
            memory.after_write = lambda *_: None
            memory.write(thread.address + SUPPORT + PENDING, bytes(4))
            copied.append(memory.read(thread.address + SUPPORT + PATH, PATH_BYTES).partition(b"\0")[0])

    memory.after_write = take
    assert not runtime.disarm(thread, SCRIPT)
    assert copied == [b""]


@pytest.mark.parametrize("path", [b"", b"/" + b"x" * (PATH_BYTES - 1)], ids=["empty", "long"])
def test_a_path_that_does_not_fit_is_not_written(memory: Memory, path: bytes) -> None:
    """The field has 512 bytes, and an empty path means no script."""
    runtime = _runtime(memory)
    with pytest.raises(AttachError, match="too long"):
        runtime.arm(runtime.threads(LIVING)[0], path)
    assert memory.writes == []


def test_the_users_switch_is_a_no(memory: Memory) -> None:
    """-X disable-remote-debug and PYTHON_DISABLE_REMOTE_DEBUG."""
    struct.pack_into("<i", memory.regions[MAIN_INTERPRETER], ENABLED, 0)
    with pytest.raises(ForbiddenByUserError, match="switched off") as caught:
        find_runtime(memory, RUNTIME, 4711)
    assert "disable-remote-debug" in (caught.value.fix or "")


def test_without_a_main_interpreter_nothing_is_done(memory: Memory) -> None:
    """The list may be empty, or lead in a circle."""
    memory.put(MAIN_INTERPRETER + ID, 7)
    memory.put(MAIN_INTERPRETER + NEXT, OTHER_INTERPRETER)
    with pytest.raises(AttachError, match="no main interpreter"):
        find_runtime(memory, RUNTIME, 4711)
    memory.put(RUNTIME + HEAD, 0)
    with pytest.raises(AttachError, match="no main interpreter"):
        find_runtime(memory, RUNTIME, 4711)


@pytest.mark.parametrize(
    "head",
    [
        b"\0" * 24,
        bytes(_table(14, version=0x030D00F0)[:24]),
        bytes(_table(14, version=0x031000F0)[:24]),
        bytes(_table(14, version=0x030E00A7)[:24]),
        bytes(_table(14, free_threaded=1)[:24]),
    ],
    ids=["no cookie", "3.13", "3.16", "alpha", "free-threaded"],
)
def test_what_is_not_known_is_not_spoken_to(head: bytes) -> None:
    """Another layout would put the flag somewhere else."""
    memory = Memory()
    memory.regions[RUNTIME] = bytearray(head).ljust(RUNTIME_BYTES, b"\0")
    assert read_offsets(memory, RUNTIME) is None


@settings(max_examples=300)
@given(st.sampled_from(sorted(LAYOUTS)), st.data())
def test_no_offset_leads_out_of_its_structure(release: tuple[int, int], data: st.DataObject) -> None:
    """A hostile table is an error, or all that it says lies within the sizes that it says, and those are bounded."""
    table = _table(release[1])
    for _ in range(data.draw(st.integers(1, 4))):
        position = data.draw(st.integers(3, (LAYOUTS[release].debugger_support + 40) // 8)) * 8
        number = data.draw(st.integers(0, 2**64 - 1) | st.integers(0, 5000))
        struct.pack_into("<Q", table, position, number)
    memory = Memory()
    memory.regions[RUNTIME] = table
    try:
        offsets = read_offsets(memory, RUNTIME)
    except AttachError:
        return
    assert offsets is not None
    assert offsets.thread_size <= 16 << 20
    assert offsets.pending + 4 <= offsets.thread_size
    assert offsets.script_path + offsets.script_path_size <= offsets.thread_size
    assert max(offsets.eval_breaker, offsets.native_thread_id, offsets.thread_next) + 8 <= offsets.thread_size
