"""The builders of attached processes and the fake guests: what a test may rely on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dstop.errors import AttachError
from dstop.model.segment import ACTIVE, PENDING
from dstop.testing import (
    FakeGuests,
    make_allocator,
    make_allocator_history,
    make_guest,
    make_process,
    make_segment_map,
    make_sites,
)

if TYPE_CHECKING:
    from dstop.sources.guests import Guests


def test_the_figures_of_an_allocator_are_in_order():
    """What tensors asked for is the least, what the driver gave the most; the flat names say the same."""
    device = make_allocator(1)
    assert device.requested_bytes <= device.allocated_bytes <= device.active_bytes <= device.reserved_bytes
    assert device.cached_bytes == device.reserved_bytes - device.active_bytes
    assert device.stats["allocated_bytes.all.current"] == device.allocated_bytes
    assert make_allocator(reserved_bytes=7).stats["reserved_bytes.all.current"] == 7


def test_an_absent_figure_gets_a_reason():
    """A figure that the test takes away says why it is not there."""
    device = make_allocator(requested_bytes=None)
    assert device.unavailable == {"requested_bytes": "not supported"}
    assert "requested_bytes.all.current" not in device.stats


def test_a_guest_is_the_process_of_its_pid():
    """A row and a guest of one PID are the same process, on the same card."""
    guest, row = make_guest(77, 2), make_process(1, 77)
    assert guest.id == row.id
    assert [device.index for device in guest.devices] == [0, 1]
    assert guest.devices[1].gpu_uuid == row.gpu_uuid


def test_the_segments_add_up():
    """The blocks of every segment come to its total, and its states to its figures."""
    for segment in make_segment_map(2).segments:
        assert sum(block.size_bytes for block in segment.blocks) == segment.total_bytes
        tensors = sum(block.size_bytes for block in segment.blocks if block.state == ACTIVE)
        pending = sum(block.size_bytes for block in segment.blocks if block.state == PENDING)
        assert (tensors, tensors + pending) == (segment.allocated_bytes, segment.active_bytes)


def test_sites_come_biggest_first_and_a_past_is_as_long_as_asked():
    """Builders of the rest give what a screen would get."""
    sizes = [site.size_bytes for site in make_sites()]
    assert sizes == sorted(sizes, reverse=True)
    past = make_allocator_history(30, make_allocator(requested_bytes=None))
    assert (len(past.reserved_bytes), set(past.requested_bytes)) == (30, {None})


def test_the_fake_plays_its_steps_and_stays_with_the_last():
    """Answers come in order; an exception among them is raised."""
    guests: Guests = FakeGuests([[make_guest(1)], OSError("gone"), []])
    guests.ask([make_guest(1).id])
    assert set(guests.answers()) == {make_guest(1).id}
    with pytest.raises(OSError, match="gone"):
        guests.answers()
    assert guests.answers() == guests.answers() == {}


def test_the_fake_notes_calls_and_refuses_whom_it_is_told():
    """A test can see what was asked, and play a process that says no."""
    one, two = make_guest(1).id, make_guest(2).id
    guests = FakeGuests(refusals={2: AttachError("not Python")})
    assert guests.attach(one) == "ptrace"
    guests.record(one, on=True)
    assert "device ID 3" in guests.summary(one, 3)
    assert guests.snapshot(one, "a.pickle") == 0
    assert guests.segments(one).segments
    assert len(guests.sites(one, most=1)) == 1
    assert guests.facts(one).models == ()
    guests.detach(one)
    with pytest.raises(AttachError, match="not Python"):
        guests.attach(two)
    names = [name for name, _, _ in guests.calls]
    assert names == [
        "attach",
        "record",
        "summary",
        "snapshot",
        "segments",
        "sites",
        "facts",
        "detach",
        "attach",
    ]
    guests.close()
    assert guests.closed
