"""The machine code, byte for byte, and where its jumps go."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dstop.pytorch.inject.assembly import Code
from dstop.pytorch.inject.routine import (
    ENTRY_AT,
    LIBC_FUNCTIONS,
    MAGIC,
    MOST_ROUTINE_BYTES,
    PYTHON_FUNCTIONS,
    Addresses,
    routine,
)

LISTING = (Path(__file__).parent / "routine.asm").read_text()
LINES = [line for line in LISTING.splitlines() if not line.startswith(";")]
STARTS = {int(line.split()[0], 16) for line in LINES}
NAMES = PYTHON_FUNCTIONS + LIBC_FUNCTIONS


def _routine() -> bytes:
    functions = {name: 0x7F0000000000 + 0x1000 * index for index, name in enumerate(NAMES)}
    return routine(Addresses(mailbox=0x7F0011223340, functions=functions))


def test_the_text_is_the_listing_byte_for_byte() -> None:
    """What a disassembler made of the routine, read and found right, is what is written into targets."""
    listed = bytes.fromhex("".join(re.match(r"\s*\w+  ((?:[0-9a-f]{2} )+)", line)[1] for line in LINES))
    assert _routine() == MAGIC + listed
    assert len(MAGIC) == ENTRY_AT


def test_every_jump_lands_on_an_instruction() -> None:
    """No jump of the listing goes anywhere but to the first byte of one of its instructions."""
    targets = [int(found, 16) for found in re.findall(r"(?:j\w+\s+|# )0x([0-9a-f]+)", LISTING)]
    assert len(targets) == 7
    assert set(targets) <= STARTS


def test_it_fits_every_cave() -> None:
    """The room asked of a cave is enough, whatever the addresses are."""
    highest = (1 << 64) - 1
    text = routine(Addresses(mailbox=highest - 64, functions=dict.fromkeys(NAMES, highest)))
    assert len(text) == len(_routine()) <= MOST_ROUTINE_BYTES


def test_the_text_depends_on_the_targets_addresses_alone() -> None:
    """Two attaches to one target write the same bytes: a thread that is still inside sees nothing change."""
    assert _routine() == _routine()


def test_it_calls_everything_it_was_given() -> None:
    """Each function is called, pthread_create by the borrowed thread alone."""
    text = _routine()
    for index in range(len(NAMES)):
        assert b"\x48\xb8" + (0x7F0000000000 + 0x1000 * index).to_bytes(8, "little") + b"\xff\xd0" in text
    borrowed, _, _made = text.partition(bytes.fromhex("f30f1efa"))
    assert borrowed.count(b"\xff\xd0") == 1


def test_a_label_is_given_once() -> None:
    """Two places of one name would make a jump ambiguous."""
    code = Code()
    code.label("here")
    with pytest.raises(ValueError, match="two places"):
        code.label("here")


def test_a_jump_back_is_negative() -> None:
    """The distance of a jump counts from the instruction behind it."""
    code = Code()
    code.label("here")
    code.raw("90")
    code.jump("here")
    assert code.finish() == bytes.fromhex("90 e9 fa ff ff ff")
