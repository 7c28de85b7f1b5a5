"""What a process should hold beside what it does, part by part; at every step, so it is a few sums."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.footprint.live.causes import causes_of
from dstop.model.footprint import PARTS, Expectation, PartComparison

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from dstop.footprint.live.hook import Held
    from dstop.footprint.live.known import Known
    from dstop.model.allocator import Allocator
    from dstop.model.process import GpuProcess

NO_HOOK = "dstop is not attached to the process"
_APART = "not told apart from activations, logits and temporaries of a step"
_NOT_COUNTED = "the hook has not counted it"
_NO_PEAK = "the allocator has no peak"
_FREED = "none now: they are freed between steps"
_STEP = ("activations", "logits", "workspace")
_IN_USE = tuple(part for part in PARTS if part not in {"context", "reserved_unallocated"})


def compare(known: Known, row: GpuProcess, held: Held | None = None) -> Expectation:
    """Hold what a process should have against one reading of it.

    Args:
        known: what it is.
        row: the reading.
        held: what its hook has counted, if it has.
    """
    live = row.gpu_memory_bytes
    remainder = None if live is None or known.expected_bytes is None else live - known.expected_bytes
    parts = tuple(_parts(known, row, held)) if known.rank is not None else _range_only(known, live)
    expectation = Expectation(
        model=known.model,
        tier=known.tier,
        sources=known.sources,
        footprint=known.footprint,
        rank=known.rank,
        unknown=known.unknown,
        low_bytes=known.low_bytes,
        expected_bytes=known.expected_bytes,
        high_bytes=known.high_bytes,
        parts=parts,
        remainder_bytes=remainder,
    )
    causes, unexplained = causes_of(expectation, known, row.allocator, held)
    if not causes and unexplained is None:
        return expectation
    from dataclasses import replace  # noqa: PLC0415 - most processes are as expected

    return replace(expectation, causes=causes, unexplained_bytes=unexplained)


def _range_only(known: Known, live: int | None) -> tuple[PartComparison, ...]:
    why = (
        "only the guide's range is known"
        if live is not None
        else "the driver does not say what the process holds"
    )
    return (PartComparison(part="total", expected_bytes=known.expected_bytes, live_bytes=live, reason=why),)


def _parts(known: Known, row: GpuProcess, held: Held | None) -> Iterator[PartComparison]:
    """Give the parts that are not nought on both sides, then the totals."""
    expected: dict[str, int | None] = {**_expected(known)}
    live = _live(row, held)
    for part in PARTS:
        should, (has, why) = expected[part], live[part]
        if should or has or part in known.unknown:
            reason = known.unknown.get(part, why if has is None else "")
            yield PartComparison(part=part, expected_bytes=should, live_bytes=has, reason=reason)
    yield from _totals(known, expected, row, held)


def _expected(known: Known) -> Mapping[str, int | None]:
    parts = known.rank.parts.by_part() if known.rank is not None else {}
    return {
        part: None if part in known.unknown else known.reported.get(part, parts.get(part, 0))
        for part in PARTS
    }


def _totals(
    known: Known, expected: Mapping[str, int | None], row: GpuProcess, held: Held | None
) -> Iterator[PartComparison]:
    allocator = row.allocator
    peak = None if allocator is None else allocator.peak_allocated_bytes
    static = None if held is None else held.static_bytes
    step = None if peak is None or static is None else max(0, peak - static)
    steady = ("weights", "optimizer", *(("gradients",) if held is not None and held.gradients_bytes else ()))
    why = NO_HOOK if allocator is None else _NO_PEAK if peak is None else _NOT_COUNTED
    reserved = None if allocator is None else allocator.reserved_bytes
    unsaid = next(iter(known.unknown.values()), "")
    inside = [expected[part] for part in PARTS if part != "context"]
    allocated = [expected[part] for part in _IN_USE]
    for part, should, has, reason in (
        ("step", _sum([expected[part] for part in _IN_USE if part not in steady]), step, why),
        ("allocated", _sum(allocated), peak, why),
        ("reserved", _sum(inside), reserved, NO_HOOK),
        ("total", known.expected_bytes if not unsaid else None, row.gpu_memory_bytes, _unread(row)),
    ):
        said = unsaid if should is None else reason if has is None else ""
        yield PartComparison(part=part, expected_bytes=should, live_bytes=has, reason=said)


def _unread(row: GpuProcess) -> str:
    return row.unavailable.get("gpu_memory_bytes", "the driver does not say what the process holds")


def _live(row: GpuProcess, held: Held | None) -> Mapping[str, tuple[int | None, str]]:
    """Give each part as it is measured, or the reason why it is not."""
    allocator = row.allocator
    missing = NO_HOOK if allocator is None else _NOT_COUNTED
    found: dict[str, tuple[int | None, str]] = dict.fromkeys(PARTS, (None, missing))
    for part in (*_STEP, "kv_cache"):
        found[part] = (None, missing if held is None else _APART)
    if held is not None:
        found["weights"] = (held.weights_bytes, "")
        found["gradients"] = (held.gradients_bytes or None, _FREED)
        found["optimizer"] = (held.optimizer_bytes, "")
    found["reserved_unallocated"] = (unallocated(allocator), missing if allocator is None else _NO_PEAK)
    found["context"] = (row.not_torch_bytes, missing)
    return found


def unallocated(allocator: Allocator | None) -> int | None:
    """Give what the allocator has beyond the most that it has handed out; None where it gave some back since.

    After `empty_cache()` less is reserved than once was allocated: then nothing is known of the moment of the peak.
    """
    if allocator is None or allocator.reserved_bytes is None or allocator.peak_allocated_bytes is None:
        return None
    beyond = allocator.reserved_bytes - allocator.peak_allocated_bytes
    return beyond if beyond >= 0 else None


def _sum(amounts: list[int | None]) -> int | None:
    known = [amount for amount in amounts if amount is not None]
    return sum(known) if len(known) == len(amounts) else None
