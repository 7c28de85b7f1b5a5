"""From what a pickle holds to a `Snapshot`: every form since torch 1.13; what is odd is left out and said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dstop.errors import SnapshotError
from dstop.model.segment import ACTIVE, INACTIVE, PENDING
from dstop.snapshot.load.columns import MOST_ADDRESS, MOST_SIZE, Events, whole, within
from dstop.snapshot.values import (
    NO_STACK,
    SHARED_POOL,
    Annotation,
    Block,
    Segment,
    Settings,
    Snapshot,
    StorageName,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from dstop.snapshot.values import Trace

_STATES = {
    ACTIVE: ACTIVE,
    PENDING: PENDING,
    INACTIVE: INACTIVE,
    "active_awaiting_free": PENDING,  # the docstring's word for it, which no torch has written yet
}
_KINDS = frozenset({"parameter", "gradient", "optimizer_state", "buffer"})
MOST_DEVICES = 1024


class Run(tuple[int, int]):
    """Rows of `Events` (from, to) in the place of the events themselves."""

    __slots__ = ()


def parse(found: object, events: Events) -> Snapshot:
    """Make a snapshot of what a pickle held.

    Args:
        found: a list of segments (`memory_snapshot()`), or a dictionary with `segments`.
        events: what the reader has put into columns already; `Run`s in the traces refer to it.

    Raises:
        SnapshotError: when it is no snapshot.
    """
    if isinstance(found, list):
        found = {"segments": found}
    if not isinstance(found, dict) or not isinstance(found.get("segments"), list):
        raise SnapshotError("this pickle is no memory snapshot: it has no segments", fix=_HOW)
    notes: list[str] = []
    segments = tuple(_segments(found["segments"], events, notes))
    traces = tuple(_traces(found.get("device_traces"), events, notes))
    return Snapshot(
        segments=segments,
        traces=traces,
        stacks=events.stacks.done(),
        texts=events.texts.done(),
        pools=events.pools.done(),
        settings=_settings(found.get("allocator_settings")),
        annotations=tuple(_annotations(found.get("external_annotations"))),
        names=tuple(_names(found.get("dstop"))),
        notes=tuple(notes),
    )


_HOW = "make one with torch.cuda.memory._dump_snapshot(FILE) or dstop attach PID --snapshot FILE"


def _segments(found: Iterable[object], events: Events, notes: list[str]) -> Iterator[Segment]:
    made: list[Segment] = []
    odd = 0
    for each in found:
        segment = _segment(each, events) if isinstance(each, dict) else None
        if segment is None:
            odd += 1
        else:
            made.append(segment)
    if odd:
        notes.append(f"{odd} segments make no sense and were left out")
    yield from sorted(made, key=lambda segment: (segment.device, segment.address))


def _segment(found: dict[str, Any], events: Events) -> Segment | None:
    total, blocks = whole(found.get("total_size"), -1), found.get("blocks")
    device = whole(found.get("device"))
    if not 0 <= total <= MOST_SIZE or not isinstance(blocks, list) or device >= MOST_DEVICES:
        return None
    address = within(found.get("address"), MOST_ADDRESS)
    cut = tuple(_blocks(blocks, address, total, events))
    pool = found.get("segment_pool_id")
    private = isinstance(pool, tuple | list) and len(pool) == 2  # noqa: PLR2004 - a pair
    return Segment(
        device=device,
        address=address,
        total_bytes=total,
        allocated_bytes=sum(block.size_bytes for block in cut if block.state == ACTIVE),
        active_bytes=sum(block.size_bytes for block in cut if block.state != INACTIVE),
        stream=whole(found.get("stream")),
        small=found.get("segment_type") == "small",
        pool=(whole(pool[0]), whole(pool[1])) if private and pool is not None else SHARED_POOL,
        expandable=bool(found.get("is_expandable", False)),
        stack=_stack(found, events),
        blocks=cut,
    )


def _blocks(found: Sequence[object], address: int, total: int, events: Events) -> Iterator[Block]:
    """Give the blocks of a segment; their addresses are the sum of the sizes before them, as torch counts them.

    What sticks out of the segment is cut off: no sum over blocks may exceed what the driver gave.
    """
    end = address + total
    for each in found:
        if not isinstance(each, dict):
            continue
        size = min(whole(each.get("size")), end - address)
        if size <= 0:
            continue
        requested = each.get("requested_size")
        history = each.get("history")
        if history and isinstance(history, list) and isinstance(history[0], dict):
            # torch 1.13 and 2.0: who had the block, newest first.
            requested = history[0].get("real_size", requested)
            stack = _stack(history[0], events)
        else:
            stack = _stack(each, events)
        yield Block(
            address=address,
            size_bytes=size,
            requested_bytes=min(requested, size) if type(requested) is int and requested >= 0 else None,
            state=_state(each.get("state")),
            stack=stack,
        )
        address += size


def _stack(found: dict[str, Any], events: Events) -> int:
    frames = found.get("frames")
    return events.stacks.frames(frames) if frames else NO_STACK


def _state(found: object) -> str:
    return _STATES.get(found, ACTIVE) if isinstance(found, str) else ACTIVE


def _traces(found: object, events: Events, notes: list[str]) -> Iterator[Trace]:
    if found is None:
        return
    if not isinstance(found, list) or len(found) > MOST_DEVICES:
        notes.append("the recorded events make no sense and were left out")
        return
    rings: list[tuple[int, list[Run]]] = []
    for device, entries in enumerate(found):
        if isinstance(entries, list) and entries:
            rings.append((device, _runs(entries, events)))
            odd = len(entries) - sum(isinstance(entry, dict | Run) for entry in entries)
            if odd:
                notes.append(f"{odd} events of device {device} make no sense and were left out")
    # Only now: traces may be views of the columns, which then can grow no more.
    yield from (events.trace(device, runs) for device, runs in rings if runs)


def _runs(entries: Iterable[object], events: Events) -> list[Run]:
    """Put into columns what is not there yet, and join neighbours."""
    runs: list[Run] = []
    for entry in entries:
        if isinstance(entry, dict):
            row = events.add(entry)
            run = Run((row, row + 1))
        elif isinstance(entry, Run):
            run = entry
        else:
            continue
        if runs and runs[-1][1] == run[0]:
            run = Run((runs.pop()[0], run[1]))
        runs.append(run)
    return runs


def _settings(found: object) -> Settings | None:
    if not isinstance(found, dict):
        return None
    conf, split, threshold = (
        found.get(key)
        for key in ("PYTORCH_CUDA_ALLOC_CONF", "max_split_size", "garbage_collection_threshold")
    )
    divisions = found.get("roundup_power2_divisions")
    expandable = found.get("expandable_segments")
    return Settings(
        conf=conf if isinstance(conf, str) else None,
        max_split_bytes=split if type(split) is int and 0 < split < 2**62 else None,
        gc_threshold=float(threshold) if isinstance(threshold, int | float) else None,
        expandable_segments=expandable if isinstance(expandable, bool) else None,
        roundup_power2_divisions={
            int(key): value
            for key, value in (divisions.items() if isinstance(divisions, dict) else ())
            if str(key).isdecimal() and len(str(key)) < 10 and type(value) is int and 1 < value < 2**20  # noqa: PLR2004
        },
    )


def _annotations(found: object) -> list[Annotation]:
    made = [
        Annotation(
            name=each["name"],
            start=each.get("stage") == "START",
            device=whole(each.get("device")),
            time_us=whole(each.get("time_us")),
        )
        for each in (found if isinstance(found, list) else ())
        if isinstance(each, dict) and isinstance(each.get("name"), str)
    ]
    return sorted(made, key=lambda each: each.time_us)


def _names(found: object) -> Iterator[StorageName]:
    """Read what dstop's hook adds: `{"storages": [[device, address, bytes, kind, name], …]}`."""
    storages = found.get("storages") if isinstance(found, dict) else None
    for each in storages if isinstance(storages, list) else ():
        if not isinstance(each, list | tuple) or len(each) != 5:  # noqa: PLR2004 - its five fields
            continue
        device, address, size, kind, name = each
        if (
            kind in _KINDS
            and isinstance(name, str)
            and within(address, MOST_ADDRESS)
            and within(size, MOST_SIZE)
        ):
            yield StorageName(whole(device), address, size, kind, name)
