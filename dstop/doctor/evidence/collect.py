"""Everything that the readers find in one log, in its order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from dstop.doctor.evidence.facts import AllocationFailure, Sign, Trace
from dstop.doctor.evidence.messages import TABLES
from dstop.doctor.evidence.other_oom import device_failures, host_failures
from dstop.doctor.evidence.settings import settings_in
from dstop.doctor.evidence.stream import streams_of
from dstop.doctor.evidence.torch_oom import torch_failures
from dstop.doctor.evidence.traceback import traces
from dstop.model.value import Value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from dstop.doctor.evidence.facts import Setting
    from dstop.doctor.evidence.memory import Memory
    from dstop.doctor.evidence.stream import Stream
    from dstop.doctor.text.values import LogText

    F = TypeVar("F", AllocationFailure, Trace)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Found(Value):
    """The facts of one source, each kind in the order of its places."""

    source: str
    text: str = ""
    """Without prefixes."""
    lines: int = 0
    failures: tuple[AllocationFailure, ...] = ()
    """On a device."""
    host_failures: tuple[AllocationFailure, ...] = ()
    signs: tuple[Sign, ...] = ()
    traces: tuple[Trace, ...] = ()
    settings: tuple[Setting, ...] = ()
    memory: Memory | None = None
    """Of a snapshot."""


def facts_of(log: LogText, first_order: int = 0) -> Found:
    """Read a log.

    Args:
        log: its lines.
        first_order: the order of its first line among all sources.
    """
    streams = streams_of(log, first_order)
    whole, *workers = streams
    return Found(
        source=log.name,
        text="\n".join((whole.text, *whole.workers)),
        lines=len(whole),
        failures=_device_failures(streams),
        host_failures=_merged(streams, host_failures),
        signs=_signs(streams),
        traces=_merged(workers or streams, traces) or _merged(streams, traces),
        settings=tuple(settings_in(whole)),
    )


def _device_failures(streams: Sequence[Stream]) -> tuple[AllocationFailure, ...]:
    """Give the failures; a line that PyTorch's own reader understood is read by no other."""
    torch = _merged(streams, torch_failures)
    known = {one.place.order for one in torch}
    others = [one for one in _merged(streams, device_failures) if one.place.order not in known]
    return tuple(sorted((*torch, *others), key=lambda one: one.place.order))


def _merged(streams: Iterable[Stream], read: Callable[[Stream], Iterable[F]]) -> tuple[F, ...]:
    """Read each stream, and keep of what is found twice at one place what knows most."""
    best: dict[tuple[int, int | None], F] = {}
    for stream in streams:
        for one in read(stream):
            key = (one.place.order, one.tried_bytes if isinstance(one, AllocationFailure) else None)
            if key not in best or _known(one) > _known(best[key]):
                best[key] = one
    return tuple(best[key] for key in sorted(best, key=lambda key: key[0]))


def _known(one: AllocationFailure | Trace) -> int:
    if isinstance(one, Trace):
        return len(one.frames) * 2 + (one.error is not None)
    names: tuple[str, ...] = one.__slots__
    return sum(getattr(one, name) is not None for name in names)


def _signs(streams: Iterable[Stream]) -> tuple[Sign, ...]:
    best: dict[tuple[object, ...], Sign] = {}
    for stream in streams:
        for sign in _signs_of(stream):
            best.setdefault((sign.kind, sign.place.order, *sorted(sign.values.items(), key=str)), sign)
    return tuple(sorted(best.values(), key=lambda sign: sign.place.order))


def _signs_of(stream: Stream) -> Iterable[Sign]:
    for table in TABLES:
        for pattern in table:
            for offset, text, values in pattern.find(stream.text):
                index = stream.index_at(offset + len(text) - len(text.lstrip()))
                yield Sign(
                    kind=pattern.kind,
                    place=stream.place(index),
                    rank=stream.rank(index),
                    text=" ".join(text.split())[:300],
                    values=values,
                )
