"""What happened between two samples. Pure: the same two samples always tell the same story."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.model.event import Event, EventKind
from dstop.model.xid import xid_meaning
from dstop.monitor.health import is_stale
from dstop.monitor.process_events import process_events

if TYPE_CHECKING:
    from dstop.model.gpu import Gpu
    from dstop.model.sample import Sample

_WORDS_CELLS = 120
"""A fault's words come from the driver: long enough to be read, too short to flood a line."""


def events_between(before: Sample | None, after: Sample) -> tuple[Event, ...]:
    """Say what changed from one sample to the next, GPUs first, in index order.

    With nothing before, only what the driver itself reported as an event is told: all else was there already.
    """
    earlier = {gpu.index: gpu for gpu in before.gpus} if before else {}
    events: list[Event] = []
    for gpu in after.gpus:
        old = earlier.get(gpu.index)
        events += _xids(old, gpu)
        if old is not None:
            events += _reachable(old, gpu, after.taken_at_ns)
            events += _memory_health(old, gpu, after.taken_at_ns)
        elif before is not None:
            events.append(_event(after.taken_at_ns, EventKind.GPU_BACK, gpu.index, "has appeared"))
    present = {gpu.index for gpu in after.gpus}
    gone = [index for index in earlier if index not in present]
    events += [_event(after.taken_at_ns, EventKind.GPU_LOST, index, "is no longer listed") for index in gone]
    if before is not None:
        events += process_events(before, after)
    return tuple(events)


def _xids(old: Gpu | None, new: Gpu) -> list[Event]:
    known = set(old.xids) if old is not None else set()
    return [
        _event(xid.at_ns, EventKind.XID, new.index, f"reported Xid {xid.code}: {xid_meaning(xid.code)}")
        for xid in new.xids
        if xid not in known
    ]


def _reachable(old: Gpu, new: Gpu, now: int) -> list[Event]:
    if new.fault is not None:
        if old.fault is not None:
            return []
        return [_event(now, EventKind.GPU_LOST, new.index, f"is lost: {new.fault[:_WORDS_CELLS]}")]
    if is_stale(new):
        if is_stale(old) and old.fault is None:
            return []
        return [_event(now, EventKind.GPU_STALE, new.index, f"has not answered for {new.stale_s:.0f} s")]
    if old.fault is not None or is_stale(old):
        return [_event(now, EventKind.GPU_BACK, new.index, "answers again")]
    return []


def _memory_health(old: Gpu, new: Gpu, now: int) -> list[Event]:
    events = []
    was, is_now = old.ecc_uncorrected, new.ecc_uncorrected
    if was is not None and is_now is not None and is_now > was:
        text = f"has {is_now - was} more uncorrectable memory errors ({is_now} since the driver was loaded)"
        events.append(_event(now, EventKind.ECC, new.index, text))
    if new.remapped_rows_pending and old.remapped_rows_pending is False:
        text = "has a bad memory row that is remapped at its next reset"
        events.append(_event(now, EventKind.ROW_REMAP, new.index, text))
    if new.remapped_rows_failed and old.remapped_rows_failed is False:
        text = "could not remap a bad memory row: have the card replaced"
        events.append(_event(now, EventKind.ROW_REMAP, new.index, text))
    return events


def _event(at_ns: int, kind: EventKind, index: int, words: str) -> Event:
    return Event(at_ns=at_ns, kind=kind, text=f"GPU {index} {words}", gpu_index=index)
