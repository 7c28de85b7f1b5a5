"""Pickles as torch's C++ pickler writes them (`torch/csrc/jit/serialization/pickler.cpp`): protocol 2, in its own way.

Python's numbers a list when it begins, torch's when it is complete, and only where somebody else holds it too; a text
is always numbered, and equal texts are one; every list has its elements in one piece, even none.
"""

from __future__ import annotations

import struct
from typing import Any, BinaryIO

_FLUSH_AT = 1 << 20
_BYTE, _SHORT, _INT = 0xFF, 0xFFFF, 0x7FFFFFFF


class _Writer:
    def __init__(self, file: BinaryIO) -> None:
        self.file, self.out = file, bytearray(b"\x80\x02")
        self.texts: dict[str, bytes] = {}
        self.things: dict[int, bytes] = {}
        self.next = 0

    def number(self) -> bytes:
        """Number what was written last; give how it is asked for later."""
        at, self.next = self.next, self.next + 1
        small = at <= _BYTE
        self.out += bytes((0x71, at)) if small else b"r" + struct.pack("<I", at)
        return bytes((0x68, at)) if small else b"j" + struct.pack("<I", at)

    def put(self, found: Any, *, held: bool = False) -> None:
        """Write one value; `held` where the pickler would see that somebody else has it too."""
        if isinstance(found, str):
            self.text(found)
        elif isinstance(found, bool):
            self.out += b"\x88" if found else b"\x89"
        elif isinstance(found, int):
            self.out += whole(found)
        elif isinstance(found, float):
            self.out += b"G" + struct.pack(">d", found)
        elif isinstance(found, tuple):
            self.put(found[0])
            self.put(found[1])
            self.out += b"\x86"
        elif (known := self.things.get(id(found))) is not None:
            self.out += known
        else:
            self.container(found, held=held)

    def text(self, found: str) -> None:
        """Write a text, or the number of the same one."""
        known = self.texts.get(found)
        if known is not None:
            self.out += known
            return
        raw = found.encode()
        self.out += b"X" + struct.pack("<I", len(raw)) + raw
        self.texts[found] = self.number()

    def container(self, found: Any, *, held: bool) -> None:
        """Write a list or a dict, and what is in it."""
        if isinstance(found, dict):
            self.out += b"}("
            for key, value in found.items():
                self.put(key)
                self.put(value, held=key in HELD)
            self.out += b"u"
        else:
            self.out += b"]("
            for each in found:
                self.put(each, held=isinstance(each, dict) and _waits(each))
            self.out += b"e"
        if held:
            self.things[id(found)] = self.number()
        if len(self.out) > _FLUSH_AT:
            self.file.write(self.out)
            self.out.clear()


HELD = {
    *("segments", "frames", "device_traces", "allocator_settings", "external_annotations"),
    *("roundup_power2_divisions", "host_segments", "host_traces"),
}
"""Whose values are still in a variable of the function that made them."""


def _waits(found: dict[str, Any]) -> bool:
    """Say whether torch keeps a dict aside: until its frames are known, or because it is a frame."""
    return bool(found.get("frames")) or "filename" in found


def whole(value: int) -> bytes:
    """Encode a whole number in the fewest bytes that torch takes for it."""
    if 0 <= value <= _BYTE:
        return bytes((0x4B, value))
    if 0 <= value <= _SHORT:
        return b"M" + struct.pack("<H", value)
    if -_INT - 1 <= value <= _INT:
        return b"J" + struct.pack("<i", value)
    return b"\x8a\x08" + struct.pack("<q", value)


def dump(found: object, file: BinaryIO) -> None:
    """Write a value to a file; it must outlive the call, for things are known by their identity."""
    writer = _Writer(file)
    writer.put(found, held=True)
    writer.out += b"."
    file.write(writer.out)
