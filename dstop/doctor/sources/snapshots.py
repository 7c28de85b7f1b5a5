"""Memory snapshots as evidence: named, or in a black box; read within bounds, and only when there is one."""

from __future__ import annotations

import io
import time
import zlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from dstop.doctor.evidence.collect import Found
from dstop.doctor.evidence.facts import AllocationFailure, StackFrame, Trace
from dstop.doctor.questions.arithmetic import gib
from dstop.errors import DstopError, SnapshotError
from dstop.model.value import Value
from dstop.units import MIB

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from typing import BinaryIO

    from dstop.doctor.evidence.memory import Memory
    from dstop.pytorch.incident.values import Incident

PICKLES = tuple(bytes((0x80, version)) for version in range(2, 6))
_GZIP = b"\x1f\x8b"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Bounds(Value):
    """How much of a snapshot is read, and for how long. Whoever named it waits; whoever did not is not kept waiting."""

    packed_bytes: int
    unpacked_bytes: int
    seconds: float
    replayed_events: int
    """A ring with more is not replayed."""


NAMED = Bounds(packed_bytes=4 << 30, unpacked_bytes=8 << 30, seconds=120.0, replayed_events=300_000)
FOUND = Bounds(packed_bytes=128 * MIB, unpacked_bytes=512 * MIB, seconds=15.0, replayed_events=100_000)
"""Of a black box."""
SCREEN = Bounds(packed_bytes=16 * MIB, unpacked_bytes=32 * MIB, seconds=1.0, replayed_events=20_000)
"""While somebody looks at a screen."""


def is_snapshot(path: Path) -> bool:
    """Whether a file begins as a pickle does, packed or not; what cannot be read is none."""
    try:
        with path.open("rb") as file:
            if not path.is_file():
                return False
            head = file.read(512)
    except OSError:
        return False
    if head.startswith(_GZIP):
        try:
            head = zlib.decompressobj(wbits=31).decompress(head, 16)
        except zlib.error:
            return False
    return head.startswith(PICKLES)


def snapshot_at(path: Path, bounds: Bounds = NAMED) -> Memory | None:
    """Read a snapshot that was named; None where it has no device.

    Raises:
        SnapshotError: when it is none, or larger than its bound.
    """
    try:
        with path.open("rb") as file:
            return _read(file, path.name, bounds, at_failure=False)
    except SnapshotError as error:
        raise SnapshotError(f"{path}: {error.message}", fix=error.fix) from error
    except OSError as error:
        raise SnapshotError(f"cannot read {path}: {error.strerror}", fix="check the name") from error


def snapshot_of(incident: Incident, bounds: Bounds, notes: list[str]) -> Memory | None:
    """Read the snapshot of a black box; None where there is none, and with a note where it was left out."""
    from dstop.pytorch.incident.read import read_file  # noqa: PLC0415 - of few incidents

    try:
        data = read_file(incident, "snapshot", bounds.packed_bytes)
        if data is None:
            return None
        return _read(io.BytesIO(data), incident.files["snapshot"], bounds, at_failure=True)
    except DstopError as error:
        notes.append(f"{incident.name}: its snapshot was left out: {error.message}")
        return None


def _read(file: BinaryIO, name: str, bounds: Bounds, *, at_failure: bool) -> Memory | None:
    from dstop.doctor.sources.memory_facts import memory_of  # noqa: PLC0415 - numpy, for a snapshot alone
    from dstop.snapshot.load import read_snapshot  # noqa: PLC0415 - as above

    patience = _patience(bounds)
    snapshot = read_snapshot(file, patience)
    patience(0)  # a small file is read in one piece, and nobody was asked
    try:
        return memory_of(snapshot, name, at_failure=at_failure, most_replayed=bounds.replayed_events)
    except ArithmeticError as error:
        raise SnapshotError("its sizes add up to more than any memory", fix="take it again") from error


def _patience(bounds: Bounds) -> Callable[[int], None]:
    until = time.monotonic() + bounds.seconds

    def told(read_bytes: int) -> None:
        if read_bytes > bounds.unpacked_bytes:
            raise SnapshotError(
                f"it has more than {gib(bounds.unpacked_bytes)}", fix="dstop snapshot FILE reads it"
            )
        if time.monotonic() > until:
            raise SnapshotError(
                f"it takes longer than {bounds.seconds:g} s to read", fix="dstop snapshot FILE reads it"
            )

    return told


def found_of(memory: Memory, order: int, *, others: Sequence[Found]) -> Found:
    """Make facts of a snapshot; what it refused is a failure of its own only where no log or black box tells one."""
    memory = replace(memory, order=order)
    told = any(one.failures for one in others)
    failure = None if told else _failure(memory)
    trace = None if failure is None else _trace(memory)
    return Found(
        source=memory.source,
        lines=1,
        failures=() if failure is None else (failure,),
        traces=() if trace is None else (trace,),
        memory=memory,
    )


def _failure(memory: Memory) -> AllocationFailure | None:
    failure = memory.failure
    if failure is None:
        return None
    # What other streams still use counts as live here, and as unallocated where torch counts.
    allocated = failure.live_bytes - (memory.blocks.pending_bytes if memory.is_of_failure else 0)
    return AllocationFailure(
        family="torch",
        place=memory.place,
        text=f"an allocation of {gib(failure.request_bytes)} was refused on cuda:{memory.device}",
        device=memory.device,
        tried_bytes=failure.request_bytes,
        free_bytes=failure.device_free_bytes,
        allocated_bytes=allocated,
        reserved_bytes=failure.reserved_bytes,
        reserved_unallocated_bytes=max(0, failure.reserved_bytes - allocated),
    )


def _trace(memory: Memory) -> Trace | None:
    """Give the Python lines of the stack that asked, outermost first, as a traceback has them."""
    places = () if memory.failure is None else memory.failure.places
    frames = tuple(
        StackFrame(file=place.file, line=place.line, function=place.function)
        for place in reversed(places)
        if place.file.endswith((".py", ">"))
    )
    return Trace(place=memory.place, frames=frames, error="OutOfMemoryError") if frames else None
