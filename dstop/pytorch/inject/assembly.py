"""The few x86-64 instructions that the routine is made of, each a named emitter, with labels instead of counted jumps.

Encodings: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2.
"""

from __future__ import annotations

import struct

_PUSHABLE = ("rax", "rcx", "rdx", "rbx", "rbp", "rsi", "rdi", *(f"r{number}" for number in range(8, 16)))
_NUMBERS = {"rax": 0, "rcx": 1, "rdx": 2, "rbx": 3, "rsp": 4, "rbp": 5, "rsi": 6, "rdi": 7}
_NUMBERS |= {f"r{number}": number for number in range(8, 16)}


class Code:
    """Machine code that grows; position-independent but for the absolute addresses it is given."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._labels: dict[str, int] = {}
        self._jumps: list[tuple[int, str]] = []

    def finish(self) -> bytes:
        """Fill in the jumps and give the bytes."""
        for position, label in self._jumps:
            distance = self._labels[label] - (position + 4)
            struct.pack_into("<i", self._bytes, position, distance)
        return bytes(self._bytes)

    def label(self, name: str) -> None:
        """Name this place."""
        if name in self._labels:
            raise ValueError(f"two places are called {name}")
        self._labels[name] = len(self._bytes)

    def offset(self, name: str) -> int:
        """Tell how far behind the first byte a named place is."""
        return self._labels[name]

    def raw(self, *parts: str) -> None:
        """Append instructions written in hexadecimal."""
        for part in parts:
            self._bytes += bytes.fromhex(part)

    def push_all(self) -> None:
        """Push every general register but rsp."""
        for name in _PUSHABLE:
            number = _NUMBERS[name]
            self._bytes += (b"\x41" if number > 7 else b"") + bytes([0x50 + number % 8])  # noqa: PLR2004 - REX.B

    def pop_all(self) -> None:
        """Pop what push_all pushed."""
        for name in reversed(_PUSHABLE):
            number = _NUMBERS[name]
            self._bytes += (b"\x41" if number > 7 else b"") + bytes([0x58 + number % 8])  # noqa: PLR2004 - REX.B

    def load(self, register: str, value: int) -> None:
        """Mov register, imm64."""
        number = _NUMBERS[register]
        self._bytes += bytes([0x49 if number > 7 else 0x48, 0xB8 + number % 8])  # noqa: PLR2004 - REX.W, REX.B
        self._bytes += struct.pack("<Q", value)

    def load_small(self, register: str, value: int) -> None:
        """Mov register's lower half, imm32; the upper half becomes zero."""
        number = _NUMBERS[register]
        self._bytes += (b"\x41" if number > 7 else b"") + bytes([0xB8 + number % 8])  # noqa: PLR2004 - REX.B
        self._bytes += struct.pack("<I", value)

    def load_place(self, label: str) -> None:
        """Lea rdx, [rip + label]."""
        self.raw("48 8d 15")
        self._reach(label)

    def call(self, address: int) -> None:
        """Mov rax, address; call rax."""
        self.load("rax", address)
        self.raw("ff d0")

    def jump(self, label: str) -> None:
        """Jmp label."""
        self.raw("e9")
        self._reach(label)

    def jump_if_zero(self, label: str) -> None:
        """Je label."""
        self.raw("0f 84")
        self._reach(label)

    def jump_if_not_zero(self, label: str) -> None:
        """Jne label."""
        self.raw("0f 85")
        self._reach(label)

    def _reach(self, label: str) -> None:
        self._jumps.append((len(self._bytes), label))
        self._bytes += bytes(4)
