"""Where CPython keeps what a debugger needs: `_Py_DebugOffsets`, the first thing in `_PyRuntime`.

It describes itself, but for its own layout, which is fixed for each minor version
(Include/internal/pycore_debug_offsets.h). Everything in it comes out of the target: bounds before use.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from dstop.errors import AttachError
from dstop.model.value import Value

if TYPE_CHECKING:
    from dstop.pytorch.memory import Readable

COOKIE = b"xdebugpy"


class Layout(NamedTuple):
    """Where `_Py_DebugOffsets` itself differs between minor versions, in bytes."""

    native_thread_id: int
    debugger_support: int


LAYOUTS = {(3, 14): Layout(224, 712), (3, 15): Layout(248, 840)}
"""By offsetof on the headers of 3.14.10 and 3.15.2, x86-64. A minor version that is not here is not spoken to."""

_RUNTIME_SIZE, _INTERPRETERS_HEAD = 24, 40
_INTERPRETER_SIZE, _INTERPRETER_ID, _INTERPRETER_NEXT, _THREADS_HEAD, _THREADS_MAIN = 48, 56, 64, 72, 80
_THREAD_SIZE, _THREAD_NEXT, _THREAD_INTERPRETER = 176, 192, 200
"""The same in all of them."""

_RELEASE = 0xF0
"""PY_VERSION_HEX of alphas, betas and candidates has another digit here: their layouts still change."""

_MOST_BYTES = 16 << 20
_LONGEST_PATH = 4096


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Offsets(Value):
    """Offsets within the runtime, an interpreter and a thread state, in bytes, all checked."""

    version: int
    """PY_VERSION_HEX."""
    interpreters_head: int
    interpreter_id: int
    interpreter_next: int
    threads_head: int
    threads_main: int
    remote_debugging_enabled: int
    thread_size: int
    thread_next: int
    thread_interpreter: int
    native_thread_id: int
    eval_breaker: int
    pending: int
    script_path: int
    script_path_size: int


def read_offsets(memory: Readable, runtime: int) -> Offsets | None:
    """Read the offsets of a target; None when its Python does not speak PEP 768, or in a way we do not know.

    Args:
        memory: of the target.
        runtime: the address of `_PyRuntime`.

    Raises:
        AttachError: when what stands there cannot be true.
    """
    head = memory.read(runtime, len(COOKIE) + 16)
    if not head.startswith(COOKIE):
        return None
    version, free_threaded = struct.unpack_from("<QQ", head, len(COOKIE))
    layout = LAYOUTS.get((version >> 24, version >> 16 & 0xFF))
    if layout is None or version & _RELEASE != _RELEASE or free_threaded:
        return None
    return _Table(memory.read(runtime, layout.debugger_support + 48), version).offsets(layout)


class _Table:
    """The table of a target: every offset that is taken out of it lies within the structure it points into."""

    def __init__(self, data: bytes, version: int) -> None:
        self._data = data
        self._version = version

    def offsets(self, layout: Layout) -> Offsets:
        runtime, interpreter = self._size(_RUNTIME_SIZE), self._size(_INTERPRETER_SIZE)
        thread, support = self._size(_THREAD_SIZE), layout.debugger_support
        inner = self._at(support + 8, thread, 1)
        path_size = self._size(support + 40, _LONGEST_PATH)
        return Offsets(
            version=self._version,
            interpreters_head=self._at(_INTERPRETERS_HEAD, runtime),
            interpreter_id=self._at(_INTERPRETER_ID, interpreter),
            interpreter_next=self._at(_INTERPRETER_NEXT, interpreter),
            threads_head=self._at(_THREADS_HEAD, interpreter),
            threads_main=self._at(_THREADS_MAIN, interpreter),
            remote_debugging_enabled=self._at(support + 16, interpreter, 4),
            thread_size=thread,
            thread_next=self._at(_THREAD_NEXT, thread),
            thread_interpreter=self._at(_THREAD_INTERPRETER, thread),
            native_thread_id=self._at(layout.native_thread_id, thread),
            eval_breaker=self._at(support, thread),
            pending=inner + self._at(support + 24, thread - inner, 4),
            script_path=inner + self._at(support + 32, thread - inner, path_size),
            script_path_size=path_size,
        )

    def _number(self, position: int) -> int:
        return int.from_bytes(self._data[position : position + 8], "little")

    def _size(self, position: int, most: int = _MOST_BYTES) -> int:
        size = self._number(position)
        if not 0 < size <= most:
            raise self._wrong()
        return size

    def _at(self, position: int, size: int, width: int = 8) -> int:
        """Give an offset at which `width` bytes lie within a structure of `size` bytes."""
        offset = self._number(position)
        if offset + width > size:
            raise self._wrong()
        return offset

    def _wrong(self) -> AttachError:
        return AttachError(
            f"the debug offsets of its Python ({self._version >> 24}.{self._version >> 16 & 0xFF}) cannot be true",
            fix="it is an unusual build of Python: use `dstop run`",
        )
