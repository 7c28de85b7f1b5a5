"""Rule 4: where the routine and the mailbox go, and when an old mailbox may be used again."""

from __future__ import annotations

import os

import pytest

from dstop.errors import AttachError
from dstop.pytorch.inject import mailbox
from dstop.pytorch.inject.caves import Cave, CodeCave, caves_of, code_cave, mailbox_cave
from dstop.pytorch.inject.mailbox import (
    LAUNCH_LASTS_S,
    MAGIC,
    MAILBOX_BYTES,
    Status,
    claim,
    parse_mailbox,
    still_used,
)
from dstop.pytorch.maps import images_of, mappings
from dstop.pytorch.memory import TargetMemory

TEXT = b"dstopcv2" + bytes(range(1, 200))
CODE, DATA = Cave(0x1000, 0x800, writable=False), Cave(0x5000, 0x400, writable=True)
MORE_CODE, MORE_DATA = Cave(0x9000, 0x900, writable=False), Cave(0xD000, 0x40, writable=True)


class Padding:
    """Memory of zeros, but for what was put there."""

    def __init__(self, **at: bytes) -> None:
        """Take contents by hexadecimal address: `x1000=b"..."`."""
        self.contents = {int(name[1:], 16): data for name, data in at.items()}

    def read(self, address: int, size: int) -> bytes:
        """Give what is there."""
        return self.contents.get(address, b"").ljust(size, b"\0")[:size]


def test_the_first_cave_of_zeros_is_taken() -> None:
    """The routine goes behind text, the mailbox behind data."""
    caves = (DATA, CODE, MORE_CODE, MORE_DATA)
    assert code_cave(Padding(), caves, TEXT) == CodeCave(CODE.address, written=False)
    assert mailbox_cave(Padding(), caves) == DATA.address


def test_padding_that_somebody_uses_is_left_alone() -> None:
    """One byte that is not zero, anywhere in the rest of the page, makes it somebody's."""
    used = Padding(x1000=bytes(0x700) + b"\x01", x5000=bytes(0x200) + b"\x01")
    assert code_cave(used, (CODE, MORE_CODE), TEXT).address == MORE_CODE.address
    assert mailbox_cave(used, (DATA, MORE_DATA)) == MORE_DATA.address


def test_the_routine_of_an_earlier_attach_is_found_and_not_written_again() -> None:
    """A thread may still be on its way out of it."""
    written = Padding(x9000=TEXT)
    assert code_cave(written, (CODE, MORE_CODE), TEXT) == CodeCave(MORE_CODE.address, written=True)


def test_another_text_of_ours_is_not_overwritten() -> None:
    """An older dstop's, or one that was written by half."""
    other = Padding(x1000=TEXT[:50])
    assert code_cave(other, (CODE, MORE_CODE), TEXT).address == MORE_CODE.address


def test_the_mailbox_of_an_earlier_attach_is_found_wherever_it_is() -> None:
    """Also where a library that was loaded since would come first."""
    earlier = Padding(xd000=claim(1, 2.0, 3))
    assert mailbox_cave(earlier, (DATA, MORE_DATA)) == MORE_DATA.address


def test_no_room_is_said() -> None:
    """With what to do instead."""
    small = (Cave(0x1000, 0x100, writable=False), Cave(0x5000, 0x10, writable=True))
    with pytest.raises(AttachError, match="dstop run"):
        code_cave(Padding(), small, TEXT)
    with pytest.raises(AttachError, match="no library with room"):
        mailbox_cave(Padding(), small)


def test_this_process_has_caves_and_none_is_the_loaders_or_the_executables() -> None:
    """The loader allocates in its tail, and the heap begins behind the executable."""
    mapped = mappings(os.getpid())
    with TargetMemory.open(os.getpid()) as memory:
        caves = caves_of(memory, images_of(mapped), mapped)
        assert any(cave.writable for cave in caves)
        assert code_cave(memory, caves, TEXT).address
    for cave in caves:
        inside = next(entry for entry in mapped if entry.start <= cave.address < entry.end)
        assert cave.address + cave.size <= inside.end
        assert inside.permissions in {"r-xp", "rw-p"}
        assert "/ld-" not in inside.path
        assert inside.path != os.path.realpath("/proc/self/exe")


def _box(status: int, *, process: int = 7, claimed_s: float = 100.0) -> mailbox.Mailbox:
    raw = bytearray(claim(55, claimed_s, process))
    raw[mailbox.STATUS_AT] = status
    box = parse_mailbox(bytes(raw))
    assert box is not None
    return box


def test_a_claimed_mailbox_reads_back() -> None:
    """64 bytes, with their mark where the routine leaves them alone."""
    raw = claim(55, 100.9, 7)
    assert len(raw) == MAILBOX_BYTES
    assert raw[40:48] == MAGIC
    box = _box(Status.CLAIMED)
    assert (box.owner, box.claimed_s, box.status, box.process) == (55, 100, 0, 7)
    assert parse_mailbox(bytes(64)) is None


@pytest.mark.parametrize("status", [Status.STARTED, Status.WAITING, Status.RUNNING, Status.LAUNCHED])
def test_a_mailbox_with_a_thread_behind_it_is_not_used_again(status: Status) -> None:
    """The thread would find another attach's text, or another's thread would find its."""
    assert still_used(_box(status), 7, 110.0)


@pytest.mark.parametrize("status", [Status.CLAIMED, Status.DONE, Status.NO_SOURCE, Status.NO_THREAD, 77])
def test_a_mailbox_whose_thread_has_ended_is_free(status: int) -> None:
    """So is one that was claimed by a dstop that launched nothing: the lock says that no other is at work."""
    assert not still_used(_box(status), 7, 110.0)


def test_a_launch_that_never_reported_is_free_after_a_while() -> None:
    """The dstop was killed in the microsecond between saying so and doing it."""
    assert not still_used(_box(Status.LAUNCHED), 7, 100.0 + LAUNCH_LASTS_S)


def test_a_forked_child_inherits_a_mailbox_that_nobody_answers() -> None:
    """The number of the process in it is the parent's."""
    assert not still_used(_box(Status.WAITING, process=6), 7, 110.0)
