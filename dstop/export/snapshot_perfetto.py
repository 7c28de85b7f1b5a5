"""A snapshot as a trace that ui.perfetto.dev and chrome://tracing open, written as it is made.

Format: "Trace Event Format" of the Chromium project; times are microseconds from the first event of the recording.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import dstop
from dstop.draw.line import clean
from dstop.export.snapshot_names import asked_by
from dstop.snapshot.changes import clock, counters, first_time_us, instants, largest_spans
from dstop.snapshot.values import Action

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import TextIO

    import numpy as np
    from numpy.typing import NDArray

    from dstop.snapshot.changes import Span
    from dstop.snapshot.study import DeviceStudy
    from dstop.snapshot.values import Annotation

MOST_SLICES = 20_000
"""Lives of a device that are drawn as slices; viewers become slow with more."""
MOST_RANGES = 100_000
_MOST_NAME = 200
_NAMES = {Action.OOM: "out of memory", Action.SNAPSHOT: "snapshot taken", Action.ANNOTATE: "mark"}


def write_perfetto(studies: Sequence[DeviceStudy], file: TextIO, most_slices: int = MOST_SLICES) -> None:
    """Write a trace: counters, the largest lives as slices, what else happened as instants, the program's own ranges.

    Args:
        studies: the devices; each is a process of the trace.
        file: open for text, UTF-8.
        most_slices: of each device; the size from which on a life is drawn stands in the trace's `otherData`.
    """
    first_us = first_time_us(studies)
    spans = {study.device: largest_spans(study, clock(study, first_us), most_slices) for study in studies}
    told = {
        "dstop": dstop.__version__,
        "begins_us_since_epoch": first_us,
        "clock": "microseconds" if first_us is not None else "events: the snapshot has no times",
        "slices": {
            f"device {study.device}": {
                "least_bytes": spans[study.device][0],
                "drawn": len(spans[study.device][1]),
                "of": len(study.lives),
            }
            for study in studies
        },
    }
    file.write(f'{{"displayTimeUnit":"ms","otherData":{json.dumps(told)},"traceEvents":[\n')
    before = ""
    for study in studies:
        for line in _device(study, clock(study, first_us), spans[study.device][1]):
            file.write(before)
            file.write(line)
            before = ",\n"
    for line in _ranges(studies, first_us):
        file.write(before)
        file.write(line)
        before = ",\n"
    file.write("\n]}\n")


def _process(device: int) -> int:
    """Number the process of a device: 0 is the idle one to Perfetto."""
    return device + 1


def _text(text: str) -> str:
    return json.dumps(clean(text[:_MOST_NAME]))


def _device(study: DeviceStudy, ticks: NDArray[np.int64], spans: Sequence[Span]) -> Iterator[str]:
    pid = _process(study.device)
    yield f'{{"ph":"M","pid":{pid},"tid":0,"name":"process_name","args":{{"name":"device {study.device}"}}}}'
    yield f'{{"ph":"M","pid":{pid},"tid":0,"name":"process_sort_index","args":{{"sort_index":{pid}}}}}'
    yield f'{{"ph":"M","pid":{pid},"tid":1,"name":"thread_name","args":{{"name":"allocator"}}}}'
    for name, changes in counters(study, ticks):
        before, after = f'{{"ph":"C","pid":{pid},"name":"{name}","ts":', ',"args":{"bytes":'
        for time, count in changes:
            yield f"{before}{time}{after}{count}}}}}"
    yield from _slices(study, spans, pid)
    yield from _instants(study, ticks, pid)


def _slices(study: DeviceStudy, spans: Sequence[Span], pid: int) -> Iterator[str]:
    """Begin and end each life, in the order of time; what begins and ends at once begins first."""
    asked = _Asked(study)
    edges = [(span.begin_us, 0, number) for number, span in enumerate(spans)]
    edges += [(span.end_us, 1, number) for number, span in enumerate(spans)]
    for time, end, number in sorted(edges):
        span = spans[number]
        name, own = asked.texts(span)
        head = f'{{"ph":"{"e" if end else "b"}","cat":"life","id":"{(study.device << 40) + span.row:#x}"'
        args = "" if end else f',"args":{_args(span, own)}'
        yield f'{head},"pid":{pid},"tid":1,"name":{name},"ts":{time}{args}}}'


def _args(span: Span, own: str) -> str:
    older = ',"older_than_the_recording":true' if span.older else ""
    named = f',"tensor":{_text(span.name)}' if span.name else ""
    numbers = f'"bytes":{span.size_bytes},"requested_bytes":{span.requested_bytes}'
    return f'{{{numbers},"category":"{span.category}","asked_by":{own}{named}{older}}}'


class _Asked:
    """The texts of stacks, made once each."""

    def __init__(self, study: DeviceStudy) -> None:
        self._study, self._made = study, dict[int, str]()

    def stack(self, number: int) -> str:
        """Give the reader's own line of a stack, as JSON."""
        made = self._made.get(number)
        if made is None:
            made = self._made[number] = _text(asked_by(self._study.snapshot.stacks[number]))
        return made

    def texts(self, span: Span) -> tuple[str, str]:
        """Give the name of a slice, and who asked for it, both as JSON."""
        own = self.stack(span.stack)
        if span.name:
            return _text(span.name), own
        return (own if own != '""' else f'"{span.category}"'), own


def _instants(study: DeviceStudy, ticks: NDArray[np.int64], pid: int) -> Iterator[str]:
    asked = _Asked(study)
    for each in instants(study, ticks):
        name = _NAMES.get(each.action, each.action.name.lower())
        args = f'"bytes":{each.size_bytes},"asked_by":{asked.stack(each.stack)}'
        if each.action is Action.OOM:
            args += f',"device_free_bytes":{each.address}'
        elif each.address:
            args += f',"address":"{each.address:#x}"'
        if each.note:
            args += f',"note":{_text(study.snapshot.texts[each.note])}'
        yield f'{{"ph":"i","s":"p","pid":{pid},"tid":1,"name":"{name}","ts":{each.time_us},"args":{{{args}}}}}'


def _ranges(studies: Sequence[DeviceStudy], first_us: int | None) -> Iterator[str]:
    """Give the program's own ranges as slices: an end belongs to the last begin of its name that has none yet."""
    if not studies or first_us is None:
        return
    devices = {study.device for study in studies}
    edges = [
        (max(0, each.time_us - first_us), 0 if each.start else 1, number, each)
        for each, number in _paired(studies[0].snapshot.annotations[: 2 * MOST_RANGES])
    ]
    for time, end, number, each in sorted(edges, key=lambda edge: edge[:3]):
        pid = _process(each.device if each.device in devices else studies[0].device)
        head = f'{{"ph":"{"e" if end else "b"}","cat":"annotation","id":"{number:#x}","pid":{pid},"tid":1'
        yield f'{head},"name":{_text(each.name)},"ts":{time}}}'


def _paired(annotations: Sequence[Annotation]) -> Iterator[tuple[Annotation, int]]:
    """Number the begins, and the ends by their begin; ends alone are left out, and begins alone end with the last."""
    waiting: dict[tuple[str, int], list[tuple[int, Annotation]]] = {}
    for number, each in enumerate(annotations):
        beginnings = waiting.setdefault((each.name, each.device), [])
        if each.start:
            beginnings.append((number, each))
            yield each, number
        elif beginnings:
            yield each, beginnings.pop()[0]
    last = max((each.time_us for each in annotations), default=0)
    for number, each in (pair for pairs in waiting.values() for pair in pairs):
        yield each._replace(start=False, time_us=last), number
