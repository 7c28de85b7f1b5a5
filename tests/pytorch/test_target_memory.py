"""Reading and writing another process' memory, finding CPython in it, and the statement that is run there."""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import subprocess
import sys

import pytest

from dstop.errors import AttachError
from dstop.pytorch.elf import Symbol
from dstop.pytorch.memory import MOST_BYTES, MemoryRefusedError, TargetMemory, no_permission
from dstop.pytorch.python_image import _described, _not_python, find_python

READY = "import time; print('ready', flush=True); time.sleep(1000)"


def test_memory_is_read_and_written() -> None:
    """A process may do so with its own; short of that nothing differs from another's."""
    buffer = ctypes.create_string_buffer(b"abcdefgh", 16)
    address = ctypes.addressof(buffer)
    with TargetMemory.open(os.getpid()) as memory:
        assert memory.read(address, 4) == b"abcd"
        assert memory.u64(address) == int.from_bytes(b"abcdefgh", "little")
        memory.write(address + 2, b"XY")
        assert buffer.value == b"abXYefgh"
        assert memory.read(address, 0) == b""


def test_memory_that_is_not_mapped_is_refused() -> None:
    """As an error for the user, with its address."""
    with TargetMemory.open(os.getpid()) as memory:
        with pytest.raises(MemoryRefusedError, match="0x10 cannot be read"):
            memory.read(16, 8)
        with pytest.raises(MemoryRefusedError, match="0x10 cannot be written"):
            memory.write(16, b"x")


@pytest.mark.parametrize(
    ("address", "size"), [(-1, 8), (1 << 63, 8), ((1 << 63) - 4, 8), (4096, MOST_BYTES + 1)]
)
def test_addresses_and_sizes_that_cannot_be_are_refused(address: int, size: int) -> None:
    """They come from images that lie: nothing is asked of the kernel."""
    with TargetMemory.open(os.getpid()) as memory, pytest.raises(AttachError, match="memory that cannot be"):
        memory.read(address, size)


def test_a_process_that_ended_says_so() -> None:
    """The file stays open, but there is nothing behind it."""
    process = subprocess.Popen([sys.executable, "-c", READY], stdout=subprocess.PIPE)
    assert process.stdout.readline()
    with TargetMemory.open(process.pid) as memory:
        python = find_python(process.pid, memory)
        process.kill()
        process.communicate()
        with pytest.raises(AttachError, match="ended meanwhile"):
            memory.read(python.image.base, 64)


def test_closing_twice_is_closing_once() -> None:
    """And a pid that nobody has is refused at once."""
    memory = TargetMemory.open(os.getpid())
    memory.close()
    memory.close()
    with pytest.raises(AttachError, match="no such process"):
        TargetMemory.open(1 << 22)
    assert "no such process" in str(no_permission(1 << 22))


def test_the_lock_is_one_openers() -> None:
    """The second one gets it when the first has closed."""
    with TargetMemory.open(os.getpid()) as first, TargetMemory.open(os.getpid()) as second:
        assert first.lock()
        assert not second.lock()
        first.close()
        assert second.lock()


def test_every_interpreter_is_found(pythons: dict[str, str]) -> None:
    """With its version, whether its code is in the executable or in a library."""
    for version, path in pythons.items():
        with subprocess.Popen([path, "-c", READY], stdout=subprocess.PIPE) as process:
            try:
                assert process.stdout.readline()
                with TargetMemory.open(process.pid) as memory:
                    python = find_python(process.pid, memory)
                    assert python.minor == int(version.split(".")[1])
                    assert not python.free_threaded
                    assert python.symbol("PyGILState_Ensure").address > python.image.base
                    with pytest.raises(AttachError, match="has no symbol PyNothing"):
                        python.symbol("PyNothing")
            finally:
                process.kill()


def test_a_program_that_is_not_python_is_refused() -> None:
    """It is named, because it may be the launcher of the right one."""
    process = subprocess.Popen([shutil.which("cat") or "cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        process.stdin.write(b"x")
        process.stdin.flush()
        assert process.stdout.read(1) == b"x"
        with (
            TargetMemory.open(process.pid) as memory,
            pytest.raises(AttachError, match="is not a Python process"),
        ):
            find_python(process.pid, memory)
    finally:
        process.kill()
        process.communicate()


class _Named:
    """An image that defines a few symbols."""

    def __init__(self, path: str, *names: str) -> None:
        self.path = path
        self._names = names

    def symbol(self, name: str) -> Symbol | None:
        return Symbol(0, 8) if name in self._names else None


class _Version:
    """Memory that holds Py_Version and nothing else."""

    def read(self, address: int, size: int) -> bytes:  # noqa: ARG002 - as Readable has it
        return 0x030D00F0.to_bytes(size, "little")


@pytest.mark.parametrize(
    ("path", "names", "free_threaded"),
    [
        ("/usr/lib/libpython3.13.so.1.0", (), False),
        ("/usr/lib/libpython3.13t.so.1.0", (), True),
        ("/usr/bin/python3.14t", (), True),
        ("/opt/app/server", ("_Py_DecRefShared",), True),
        ("/opt/app/server", (), False),
    ],
)
def test_a_free_threaded_build_is_told(path: str, names: tuple[str, ...], free_threaded: bool) -> None:
    """By its name, or by a symbol that only such builds define."""
    assert _described(_Named(path, *names), _Version()).free_threaded == free_threaded


def test_the_version_is_read_or_named() -> None:
    """Python 3.10 has no Py_Version: there the name of the library must do."""
    assert _described(_Named("/opt/app/server", "Py_Version"), _Version()).minor == 13
    assert _described(_Named("/usr/lib/libpython3.10.so.1.0"), _Version()).minor == 10
    assert _described(_Named("/opt/app/server"), _Version()).minor is None


@pytest.mark.parametrize(
    ("images", "without_symbols", "says"),
    [
        ({"/usr/bin/python3.12": 0}, "/usr/bin/python3.12", "without the symbols"),
        ({"/opt/pypy/bin/pypy3": 0, "/opt/pypy/lib/libpypy3.10-c.so": 0}, None, "is PyPy"),
        ({"/usr/bin/bash": 0}, None, r"\(bash\) is not a Python process"),
        ({}, None, "kernel thread"),
    ],
)
def test_what_is_not_cpython_is_told_apart(
    images: dict[str, int], without_symbols: str | None, says: str
) -> None:
    """Each has its own next step."""
    error = _not_python(900, images, without_symbols)
    assert re.search(says, error.message)
    assert error.fix
