"""Small snapshots by hand: a story of allocations as a few lines of a test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dstop.model.segment import ACTIVE, INACTIVE, Place
from dstop.snapshot.values import Action, Block, Segment, Snapshot, Stacks, Trace

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    Step = tuple[Action, int, int, int]
    """Action, address, bytes, the number of a stack."""

MIB = 2**20
_TEETH = 5
USER = Place("/home/ann/train.py", 31, "forward")
LIBRARY = Place("/usr/lib/python3/dist-packages/torch/nn/functional.py", 2290, "linear")
PLACES: tuple[tuple[Place, ...], ...] = (
    (),
    (LIBRARY, USER, Place("/home/ann/train.py", 80, "main")),
    (Place("/home/ann/model.py", 7, "__init__"),),
    (Place("??", 0, "torch::unwind::unwind()"), Place("a.cpp", 1, "at::native::add(at::Tensor const&)")),
)
"""The stacks that steps name by their number; 0 is the empty one."""


def make_stacks(stacks: Sequence[Sequence[Place]] = PLACES) -> Stacks:
    """Put stacks into the form of a snapshot."""
    places = [place for stack in stacks for place in stack]
    offsets = np.cumsum([0, *(len(stack) for stack in stacks)])
    return Stacks(
        places=tuple(places),
        offsets=offsets.astype(np.int64),
        members=np.arange(len(places), dtype=np.int32),
    )


def make_trace(
    steps: Iterable[Step], *, device: int = 0, begin_us: int = 1_000_000, apart_us: int = 500
) -> Trace:
    """Give each step its moment."""
    rows = list(steps)
    count = len(rows)
    action, address, size, stack = (list(column) for column in zip(*rows, strict=True)) if rows else ([],) * 4
    zeros = np.zeros(count, np.int32)
    return Trace(
        device=device,
        action=np.array(action, np.int8),
        address=np.array(address, np.int64),
        size=np.array(size, np.int64),
        stream=np.zeros(count, np.int64),
        time_us=begin_us + apart_us * np.arange(count, dtype=np.int64)
        if begin_us
        else np.zeros(count, np.int64),
        stack=np.array(stack, np.int32),
        pool=zeros - 1,
        compiled=zeros,
        note=zeros,
    )


def make_segment(
    *blocks: tuple[int, bool, int], address: int = 0, device: int = 0, small: bool = False
) -> Segment:
    """Lay blocks side by side: (bytes, whether it is in use, the number of its stack)."""
    made: list[Block] = []
    at = address
    for size, used, stack in blocks:
        made.append(Block(at, size, size if used else None, ACTIVE if used else INACTIVE, stack))
        at += size
    held = sum(block.size_bytes for block in made if block.state == ACTIVE)
    return Segment(
        device=device,
        address=address,
        total_bytes=at - address,
        allocated_bytes=held,
        active_bytes=held,
        small=small,
        blocks=tuple(made),
    )


def make_snapshot(
    steps: Iterable[Step] = (),
    segments: Sequence[Segment] = (),
    *,
    begin_us: int = 1_000_000,
    stacks: Sequence[Sequence[Place]] = PLACES,
) -> Snapshot:
    """Give a snapshot of one device, or of those that the segments name."""
    rows = list(steps)
    traces = (make_trace(rows, begin_us=begin_us),) if rows else ()
    return Snapshot(segments=tuple(segments), traces=traces, stacks=make_stacks(stacks))


def short_story(count: int = 40, *, fails: bool = False) -> Snapshot:
    """Give weights that stay, and activations that come and go in a saw of five; at its end memory may run out."""
    weights = 1 << 30
    steps: list[Step] = [(Action.SEGMENT_ALLOC, 0, 64 * MIB, 2), (Action.SEGMENT_ALLOC, weights, 64 * MIB, 2)]
    steps.append((Action.ALLOC, weights, 24 * MIB, 2))
    live: list[int] = []
    for turn in range(count):
        if turn % (2 * _TEETH) < _TEETH:
            live.append(turn % (2 * _TEETH) * 4 * MIB)
            steps.append((Action.ALLOC, live[-1], 4 * MIB, 1 + 2 * (turn % 2)))
        else:
            address = live.pop()
            steps += [
                (Action.FREE_REQUESTED, address, 4 * MIB, 0),
                (Action.FREE_COMPLETED, address, 4 * MIB, 0),
            ]
    if fails:
        steps.append((Action.OOM, 7 * MIB, 512 * MIB, 1))
    held = [(4 * MIB, True, 1) for _ in live]
    activations = make_segment(*held, (64 * MIB - 4 * MIB * len(held), False, 0))
    return make_snapshot(
        steps, (activations, make_segment((24 * MIB, True, 2), (40 * MIB, False, 0), address=weights))
    )
