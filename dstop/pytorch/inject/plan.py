"""Everything that is found out about a target before one of its threads is stopped."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dstop.errors import AttachError
from dstop.model.value import Value
from dstop.pytorch.elf import X86_64, Image
from dstop.pytorch.inject.caves import caves_of, code_cave, mailbox_cave
from dstop.pytorch.inject.routine import ENTRY_AT, LIBC_FUNCTIONS, PYTHON_FUNCTIONS, Addresses, routine
from dstop.pytorch.inject.safe_point import Surroundings
from dstop.pytorch.maps import images_of, mappings
from dstop.pytorch.memory import MemoryRefusedError
from dstop.pytorch.python_image import find_python

if TYPE_CHECKING:
    from dstop.pytorch.maps import Mapping
    from dstop.pytorch.memory import Readable, TargetMemory
    from dstop.pytorch.python_image import PythonImage

_LIBC = re.compile(r"(libc|libpthread)(-2\.\d+)?\.so")
_NEXT_TIME = "start it with `dstop run` next time"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Plan(Value):
    """What is written where, and what makes a point safe."""

    pid: int
    mailbox: int
    code: int
    text: bytes
    written: bool
    """Whether the routine is in place; where not, the kernel lets only a tracer write it."""
    around: Surroundings

    @property
    def entry(self) -> int:
        """Give the address of the routine's first instruction."""
        return self.code + ENTRY_AT


def make_plan(pid: int, memory: TargetMemory) -> Plan:
    """Find symbols and caves, and put the routine in place: all that can be done while every thread runs."""
    mapped = mappings(pid)
    images = images_of(mapped)
    python = find_python(pid, memory)
    check_build(pid, python, images)
    functions = {name: python.symbol(name).address for name in PYTHON_FUNCTIONS} | libc_functions(
        memory, images
    )
    caves = caves_of(memory, images, mapped)
    mailbox = mailbox_cave(memory, caves)
    text = routine(Addresses(mailbox=mailbox, functions=functions))
    cave = code_cave(memory, caves, text)
    return Plan(
        pid=pid,
        mailbox=mailbox,
        code=cave.address,
        text=text,
        written=cave.written or _put(memory, cave.address, text),
        around=surroundings(python, mapped),
    )


def check_build(pid: int, python: PythonImage, images: dict[str, int]) -> None:
    """Refuse builds on which the safe points were never measured."""
    if python.image.machine != X86_64:
        raise AttachError(f"process {pid} is not an x86-64 process", fix=_NEXT_TIME)
    if python.free_threaded:
        raise AttachError(
            f"process {pid} runs a free-threaded Python, which cannot be borrowed from", fix=_NEXT_TIME
        )
    if any(os.path.basename(path).startswith("ld-musl") for path in images):  # noqa: PTH119 - no pathlib here
        raise AttachError(f"process {pid} uses musl instead of glibc", fix=_NEXT_TIME)


def libc_functions(memory: Readable, images: dict[str, int]) -> dict[str, int]:
    """Find what the routine calls in libc; before glibc 2.34 threads are in a library of their own."""
    paths = [path for path in images if _LIBC.match(os.path.basename(path))]  # noqa: PTH119 - no pathlib here
    libraries = [Image(memory, images[path], path) for path in paths]
    found: dict[str, int] = {}
    for name in LIBC_FUNCTIONS:
        symbol = next(filter(None, (library.symbol(name) for library in libraries)), None)
        if symbol is None:
            raise AttachError(f"the process maps no glibc with {name}", fix=_NEXT_TIME)
        found[name] = symbol.address
    return found


def surroundings(python: PythonImage, mapped: tuple[Mapping, ...]) -> Surroundings:
    """Gather what decides whether a point is safe."""
    loop = python.image.symbol("_PyEval_EvalFrameDefault")
    return Surroundings(
        eval_loop=(loop.address, loop.address + loop.size) if loop else None,
        python_text=python.image.text,
        python_has_malloc=python.image.symbol("malloc") is not None,
        stacks=stacks_of(mapped),
    )


def stacks_of(mapped: tuple[Mapping, ...]) -> tuple[tuple[int, int, bool], ...]:
    """Give every mapping that can be a stack: start, end, whether it grows by itself."""
    return tuple(
        (mapping.start, mapping.end, mapping.path == "[stack]")
        for mapping in mapped
        if mapping.permissions.startswith("rw")
    )


def _put(memory: TargetMemory, address: int, text: bytes) -> bool:
    """Write the routine while nobody is inside; False where only a tracer may (proc_mem.force_override=)."""
    try:
        memory.write(address, text)
    except MemoryRefusedError:
        return False
    return True
