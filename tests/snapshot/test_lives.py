"""Lives agree with a dictionary that follows the events one by one, whatever the ring has lost."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dstop.snapshot.lives import BEFORE, lives_of
from dstop.snapshot.values import Action, Snapshot
from dstop.testing.build_snapshot import make_segment, make_snapshot, make_stacks, make_trace

ALLOC, ASKED, DONE, OOM = Action.ALLOC, Action.FREE_REQUESTED, Action.FREE_COMPLETED, Action.OOM
STEPS = st.lists(
    st.tuples(
        st.sampled_from([ALLOC, ASKED, DONE, Action.SEGMENT_ALLOC, OOM]),
        st.integers(0, 5).map(lambda number: number << 20),
        st.integers(1, 1 << 20),
        st.integers(0, 3),
    ),
    max_size=60,
)
USED = st.lists(
    st.tuples(st.integers(0, 7), st.integers(1, 2048), st.integers(0, 3)), unique_by=lambda each: each[0]
)


class Row(NamedTuple):
    """A life, as `Lives` has it in columns."""

    begin: int
    address: int
    size: int
    requested: int
    freed: int
    end: int
    stack: int


def _rows(snapshot: Snapshot, device: int = 0) -> list[Row]:
    lives = lives_of(snapshot, device)
    columns = (getattr(lives, name).tolist() for name in Row._fields)
    return [Row(*values) for values in zip(*columns, strict=True)]


def _rounded(size: int) -> int:
    return -(-size // 512) * 512


class Model:
    """Follows events with a dictionary: address -> the life that has it now."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.open: dict[int, dict[str, Any]] = {}
        self.over: list[dict[str, Any]] = []
        self.ended: dict[int, int] = {}

    def close(self, address: int, at: int) -> None:
        """End the life that has an address."""
        life = self.open.pop(address)
        life["end"] = self.ended[address] = at
        life["freed"] = at if life["freed"] is None else life["freed"]
        self.over.append(life)

    def start(self, address: int, begin: int, size: int, stack: int) -> None:
        """Begin one."""
        self.open[address] = {
            "begin": begin,
            "address": address,
            "size": _rounded(size),
            "requested": size,
            "freed": None,
            "end": None,
            "stack": stack,
        }

    def follow(self, at: int, action: Action, address: int, size: int, stack: int) -> None:
        """Take one event."""
        if action > DONE:
            return
        if action == ALLOC:
            if address in self.open:
                self.close(address, at)
            self.start(address, at, size, stack)
            return
        if address not in self.open:
            self.start(address, self.ended.get(address, BEFORE), size, 0)
        if action == ASKED:
            self.open[address]["freed"] = at
        else:
            self.close(address, at)

    def rows(self, events: int, used: dict[int, tuple[int, int]]) -> list[Row]:
        """Give all lives in order, after the blocks of the end were looked at: address -> (bytes, stack)."""
        for address, (size, stack) in used.items():
            if address not in self.open:
                self.start(address, self.ended.get(address, BEFORE), size, stack)
            life = self.open[address]
            life["size"], life["stack"] = size, life["stack"] or stack
        for life in self.open.values():
            life["freed"] = events if life["freed"] is None else life["freed"]
            life["end"] = events
        return sorted(Row(**life) for life in (*self.over, *self.open.values()))


@given(STEPS, USED)
def test_lives_are_what_a_dictionary_makes_of_the_events(steps: list[Any], used: list[Any]) -> None:
    """Any order of any events: frees whose alloc is lost, allocs whose free is lost, reused addresses, no trace."""
    segments = [make_segment((size, True, stack), address=place << 20) for place, size, stack in used]
    model = Model()
    for at, step in enumerate(steps):
        model.follow(at, *step)
    expected = model.rows(len(steps), {place << 20: (size, stack) for place, size, stack in used})
    assert _rows(make_snapshot(steps, segments)) == expected


@given(STEPS, USED)
def test_turns_of_an_address_never_overlap(steps: list[Any], used: list[Any]) -> None:
    """Each life of an address begins where the one before it has ended, or later; so no byte is counted twice."""
    segments = [make_segment((size, True, stack), address=place << 20) for place, size, stack in used]
    turns: dict[int, int] = {}
    for row in sorted(
        _rows(make_snapshot(steps, segments)), key=lambda each: (each.address, each.end, each.begin)
    ):
        assert row.begin <= row.freed <= row.end
        assert row.begin >= turns.get(row.address, BEFORE)
        turns[row.address] = row.end


@given(STEPS, st.integers(0, 60), st.integers(0, 60))
def test_a_cut_ring_shows_the_same_lives_where_it_looks(steps: list[Any], first: int, length: int) -> None:
    """A complete story, cut at both ends: what is live at a position inside is what was live there in the whole.

    Of what lies before the cut, only lives that the ring's events or the blocks of the end mention can be known.
    """
    whole = Model()
    story = [step for step in steps if _is_sound(whole, step)]
    part = story[first : first + length]
    at_cut = Model()
    for at, step in enumerate(story[: first + length]):
        at_cut.follow(at, *step)
    used = [
        make_segment((life["size"], True, life["stack"]), address=address)
        for address, life in at_cut.open.items()
    ]
    lives = lives_of(make_snapshot(part, used), 0)
    follower = Model()
    for at, step in enumerate(story[: first + len(part)]):
        follower.follow(at, *step)
        position = at + 1 - first
        if position >= 0:
            alive = (lives.begin < position) & (lives.end >= position)
            assert sorted(lives.address[alive].tolist()) == sorted(follower.open)


def _is_sound(model: Model, step: tuple[Action, int, int, int]) -> bool:
    """Say whether an allocator could have done this next, and do it."""
    action, address, *_ = step
    life = model.open.get(address)
    sound = action > DONE or (
        life is None if action == ALLOC else life is not None and (life["freed"] is None) == (action == ASKED)
    )
    if sound:
        model.follow(0, *step)
    return sound


def test_devices_do_not_mix() -> None:
    """The same address on two devices is two lives; a device with segments alone has only what is older."""
    traces = tuple(make_trace([(ALLOC, 512, 100 + device, 1)], device=device) for device in (0, 2))
    snapshot = Snapshot(
        segments=(make_segment((512, True, 2), device=1),), traces=traces, stacks=make_stacks()
    )
    assert snapshot.devices == (0, 1, 2)
    assert [[row.requested for row in _rows(snapshot, device)] for device in (0, 1, 2)] == [
        [100],
        [512],
        [102],
    ]
    assert _rows(snapshot, 1)[0].begin == BEFORE
    assert _rows(snapshot, 7) == []


def test_a_block_says_how_large_a_life_is() -> None:
    """A request of 100 bytes in a block of 1024: the block is what is taken; the request stays what it was."""
    snapshot = make_snapshot([(ALLOC, 0, 100, 0)], [make_segment((1024, True, 3))])
    assert _rows(snapshot) == [Row(begin=0, address=0, size=1024, requested=100, freed=1, end=1, stack=3)]


@pytest.mark.parametrize("count", [1, 300])
def test_blocks_at_one_address_all_stay(count: int) -> None:
    """A file that claims many blocks at one address gets as many rows: no look-up by address loses any."""
    snapshot = make_snapshot([], [make_segment((512, True, 1)) for _ in range(count)])
    assert len(_rows(snapshot)) == count


def test_what_waits_for_another_stream_is_alive() -> None:
    """From `free_requested` until `free_completed` nobody else may have the block."""
    steps = [(ALLOC, 0, 512, 1), (ASKED, 0, 512, 0), (ALLOC, 512, 512, 1), (DONE, 0, 512, 0)]
    first = _rows(make_snapshot(steps))[0]
    assert (first.begin, first.freed, first.end) == (0, 1, 3)


def test_lives_are_in_order() -> None:
    """Those older than the ring come first, by address; the others by when they began."""
    steps = [(DONE, 5 << 20, 512, 0), (ALLOC, 4 << 20, 512, 1), (DONE, 1 << 20, 512, 0), (ALLOC, 0, 512, 1)]
    lives = lives_of(make_snapshot(steps, [make_segment((512, True, 0), address=3 << 20)]), 0)
    assert (lives.address >> 20).tolist() == [1, 3, 5, 4, 0]
    assert np.all(np.diff(lives.begin) >= 0)
