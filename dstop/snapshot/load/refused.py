"""Opcodes of pickles that name, make or call something, or that no writer of snapshots uses."""

from __future__ import annotations

REFUSED: dict[int, str] = {
    code[0]: f"{name} ({what})"
    for code, name, what in (
        (b"c", "GLOBAL", "a name to import"),
        (b"\x93", "STACK_GLOBAL", "a name to import"),
        (b"i", "INST", "an object of a class"),
        (b"o", "OBJ", "an object of a class"),
        (b"R", "REDUCE", "a call"),
        (b"b", "BUILD", "a change to an object"),
        (b"\x81", "NEWOBJ", "an object of a class"),
        (b"\x92", "NEWOBJ_EX", "an object of a class"),
        (b"P", "PERSID", "an object from elsewhere"),
        (b"Q", "BINPERSID", "an object from elsewhere"),
        (b"\x82", "EXT1", "a registered name"),
        (b"\x83", "EXT2", "a registered name"),
        (b"\x84", "EXT4", "a registered name"),
        (b"\x97", "NEXT_BUFFER", "bytes from elsewhere"),
        (b"\x98", "READONLY_BUFFER", "bytes from elsewhere"),
        (b"\x96", "BYTEARRAY8", "raw bytes"),
        (b"B", "BINBYTES", "raw bytes"),
        (b"C", "SHORT_BINBYTES", "raw bytes"),
        (b"\x8e", "BINBYTES8", "raw bytes"),
        (b"T", "BINSTRING", "raw bytes"),
        (b"U", "SHORT_BINSTRING", "raw bytes"),
        (b"\x8f", "EMPTY_SET", "a set"),
        (b"\x90", "ADDITEMS", "a set"),
        (b"\x91", "FROZENSET", "a set"),
        (b"2", "DUP", "a second reference"),
        (b"I", "INT", "a number in protocol 0"),
        (b"L", "LONG", "a number in protocol 0"),
        (b"F", "FLOAT", "a number in protocol 0"),
        (b"S", "STRING", "a text in protocol 0"),
        (b"V", "UNICODE", "a text in protocol 0"),
        (b"p", "PUT", "a number in protocol 0"),
        (b"g", "GET", "a number in protocol 0"),
    )
}
