"""Snapshots as plain data, and writers that make pickles of them: Python's, and one like torch's C++ pickler."""

from __future__ import annotations

import struct
from typing import Any


def frames(count: int = 12) -> list[dict[str, Any]]:
    """Give distinct frames."""
    return [{"name": f"f{i}", "filename": f"/workspace/model_{i % 5}.py", "line": i} for i in range(count)]


def event(
    action: str, addr: int, size: int, at: int, stack: list[dict[str, Any]], **more: Any
) -> dict[str, Any]:
    """Give an event as torch 2.14 writes it: a fresh text and a fresh pair for each."""
    where = "device_free" if action == "oom" else "addr"
    return {
        "action": action,
        where: addr,
        "size": size,
        "stream": 0,
        "time_us": 1_795_871_685_408_587 + at,
        "compile_context": "".join(["N/", "A"[:1]]),
        "user_metadata": "",
        "pool_id": (0, 0),
        "frames": stack,
    } | more


def snapshot(events: list[dict[str, Any]], blocks: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    """Give a whole snapshot with one segment."""
    base = 0x7F0000000000
    return {
        "segments": [
            {
                "device": 0,
                "address": base,
                "total_size": 20 << 20,
                "allocated_size": 0,
                "active_size": 0,
                "requested_size": 0,
                "stream": 0,
                "segment_type": "large",
                "segment_pool_id": (0, 0),
                "is_expandable": False,
                "frames": [],
                "blocks": blocks
                or [
                    {
                        "address": base,
                        "size": 20 << 20,
                        "requested_size": 0,
                        "state": "inactive",
                        "frames": [],
                    }
                ],
            }
        ],
        "device_traces": [events],
        "allocator_settings": {
            "PYTORCH_CUDA_ALLOC_CONF": "",
            "max_split_size": -1,
            "expandable_segments": False,
        },
        "external_annotations": [],
    }


def training(steps: int = 40, blocks: int = 30) -> dict[str, Any]:
    """Give a ring in which stacks repeat, some as the very list, some as a list of their own, as torch does."""
    places = frames()
    events: list[dict[str, Any]] = []
    at = 0
    for _ in range(steps):
        held = []
        for i in range(blocks):
            stack = places[: 1 + (i * 7) % 11] + places[11:]
            address = 0x7F0000000000 + i * (1 << 20)
            if i % 3 == 0:
                stack = events[-1]["frames"] if events else stack
            events.append(event("alloc", address, 512 * (1 + i * 977), at := at + 1, stack))
            held.append((address, 512 * (1 + i * 977), stack))
        for address, size, stack in held:
            events.append(event("free_requested", address, size, at := at + 1, stack))
            events.append(event("free_completed", address, size, at := at + 1, list(stack)))
    events.append(event("oom", 1 << 20, 4 << 30, at + 1, places[:4]))
    return snapshot(events)


class CppPickler:
    """Writes protocol 2 as torch's C++ pickler does.

    Texts are numbered by value; frames, their lists and events when they are complete; whole numbers have eight bytes.
    """

    def __init__(self) -> None:
        self.out = bytearray(b"\x80\x02")
        self.texts: dict[str, int] = {}
        self.shared: dict[int, int] = {}
        self.next = 0

    def dumps(self, value: Any) -> bytes:
        """Write one value."""
        self.put(value)
        return bytes(self.out + b".")

    def put(self, value: Any) -> None:
        """Write a value of any kind, or refer to it."""
        if id(value) in self.shared:
            self.refer(self.shared[id(value)])
        elif isinstance(value, list):
            self.sequence(value)
        elif isinstance(value, dict):
            self.mapping(value)
        elif isinstance(value, str):
            self.text(value)
        elif isinstance(value, tuple):
            for each in value:
                self.put(each)
            self.out += {1: b"\x85", 2: b"\x86", 3: b"\x87"}[len(value)]
        elif isinstance(value, float):
            self.out += b"G" + struct.pack(">d", value)
        elif value is None or isinstance(value, bool):
            self.out += {None: b"N", True: b"\x88", False: b"\x89"}[value]
        else:
            self.whole(value)

    def sequence(self, value: list[Any]) -> None:
        """Write a list, and number it if it is a stack."""
        self.out += b"](" if value else b"]"
        for each in value:
            self.put(each)
        self.out += b"e" if value else b""
        if value and isinstance(value[0], dict) and "filename" in value[0]:
            self.number(value)

    def mapping(self, value: dict[str, Any]) -> None:
        """Write a dictionary, and number it if it is a frame."""
        self.out += b"}(" if value else b"}"
        for key, each in value.items():
            self.put(key)
            self.put(each)
        self.out += b"u" if value else b""
        if "filename" in value or "action" in value:
            self.number(value)

    def number(self, value: Any) -> None:
        """Number a container that others may refer to."""
        self.shared[id(value)] = self.write_number(b"q", b"r")

    def write_number(self, short: bytes, long: bytes) -> int:
        """Give the next number to what was just written."""
        number, self.next = self.next, self.next + 1
        self.out += short + bytes([number]) if number < 256 else long + struct.pack("<I", number)
        return number

    def refer(self, number: int) -> None:
        """Write a reference."""
        self.out += b"h" + bytes([number]) if number < 256 else b"j" + struct.pack("<I", number)

    def whole(self, value: int) -> None:
        """Write a number in the shortest form that this pickler has."""
        if 0 <= value < 256:
            self.out += b"K" + bytes([value])
        elif 0 <= value < 65536:
            self.out += b"M" + struct.pack("<H", value)
        elif -(2**31) <= value < 2**31:
            self.out += b"J" + struct.pack("<i", value)
        else:
            self.out += b"\x8a\x08" + struct.pack("<q", value)

    def text(self, value: str) -> None:
        """Write a text, or refer to it."""
        if value in self.texts:
            self.refer(self.texts[value])
            return
        raw = value.encode()
        self.out += b"X" + struct.pack("<I", len(raw)) + raw
        self.texts[value] = self.write_number(b"q", b"r")
