"""Why a process holds more or less than it should: what is measured first, then what arithmetic meets the rest.

A cause is told only with its bytes. What is measured in the process is certain; a hypothesis counts when its bytes meet
what is left, within the uncertainty of the expectation itself; and what nothing meets is told as unexplained.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.model.footprint import Cause
from dstop.units import MIB, bytes_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from dstop.footprint.live.hook import Held
    from dstop.footprint.live.known import Hypothesis, Known
    from dstop.model.allocator import Allocator
    from dstop.model.footprint import Expectation, PartComparison

_LEAST_BYTES = 256 * MIB
"""Differences below this are not worth a sentence: a CUDA context alone varies by as much between drivers."""
_TOLERANCE = 0.25
"""Of what is to be explained: a hypothesis that misses more than a quarter of it does not explain it."""
_TWICE = (1.8, 2.2)
_MOST_CAUSES = 5
_MEASURED = {"weights", "optimizer", "gradients"}


def causes_of(
    expectation: Expectation, known: Known, allocator: Allocator | None, held: Held | None
) -> tuple[tuple[Cause, ...], int | None]:
    """Give the causes of a total outside its band, the likeliest first, and what no cause meets.

    Returns:
        Nothing and None where the total is within the band or not known.
    """
    remainder = expectation.remainder_bytes
    if remainder is None or expectation.verdict in {"within", "unknown"}:
        return (), None
    if expectation.is_floor and remainder > 0:
        return (), None  # the parts that nobody knows are in it
    parts = {each.part: each for each in expectation.parts}
    counted = tuple(_counted(parts, held))
    measured = [
        cause
        for cause in (
            *counted,
            *_of_allocator(parts, allocator),
            *_told(known, parts),
            *_short(parts, counted),
        )
        if (cause.bytes > 0) == (remainder > 0)
    ]
    left = remainder - sum(cause.bytes for cause in measured)
    supposed = _supposed(known, left, parts) if (left > 0) == (remainder > 0) else []
    if not supposed and (left > 0) == (remainder > 0):
        measured += _larger_step(parts, left)
        left = remainder - sum(cause.bytes for cause in measured)
    explained = supposed[0].bytes if supposed else 0
    causes = sorted(measured, key=lambda cause: -abs(cause.bytes)) + supposed
    if not causes and remainder < 0:
        causes = list(_not_loaded(parts, expectation))
    unexplained = left - explained if abs(left - explained) >= _LEAST_BYTES else 0
    return tuple(causes[:_MOST_CAUSES]), unexplained


def _counted(parts: dict[str, PartComparison], held: Held | None) -> Iterator[Cause]:
    """Compare what the hook has counted: each of these differences is a fact."""
    if held is None:
        return
    weights, states = parts.get("weights"), parts.get("optimizer")
    if weights is not None and _differs(weights):
        yield _weights_cause(weights, held)
    gradients = parts.get("gradients")
    if gradients is not None and _differs(gradients):
        name = "fp32_states" if _is_twice(gradients) else "gradients"
        moved = gradients.difference_bytes or 0
        yield Cause(name=name, says=_instead("gradients", gradients), bytes=moved, confidence="certain")
    if states is not None and _differs(states):
        moved = states.difference_bytes or 0
        if not states.live_bytes:
            words = f"the optimizer has no states yet: {bytes_text(states.expected_bytes)} come with its first step"
            yield Cause(name="before_first_step", says=words, bytes=moved, confidence="certain")
        else:
            name = "fp32_states" if _is_twice(states) else "optimizer_states"
            yield Cause(
                name=name, says=_instead("optimizer states", states), bytes=moved, confidence="certain"
            )


def _weights_cause(weights: PartComparison, held: Held) -> Cause:
    moved = weights.difference_bytes or 0
    rest = held.weights_bytes - held.largest_bytes
    if held.models > 1 and moved > 0 and abs(rest - moved) <= _TOLERANCE * moved:
        words = f"{held.models} models are alive: {bytes_text(rest)} beside the largest"
        return Cause(name="second_copy", says=words, bytes=moved, confidence="certain")
    name = "fp32_states" if _is_twice(weights) and held.models == 1 else "weights"
    return Cause(name=name, says=_instead("weights", weights), bytes=moved, confidence="certain")


def _of_allocator(parts: dict[str, PartComparison], allocator: Allocator | None) -> Iterator[Cause]:
    """Compare what is beside the tensors: what the allocator keeps free, and what is not the allocator's."""
    if allocator is None:
        return
    loose, beside = parts.get("reserved_unallocated"), parts.get("context")
    if loose is not None and _differs(loose) and (loose.difference_bytes or 0) > 0:
        has, most = bytes_text(allocator.reserved_bytes), bytes_text(allocator.peak_allocated_bytes)
        words = (
            f"the allocator keeps {bytes_text(loose.live_bytes)} beyond the most that tensors ever had "
            f"({has} reserved, {most} at the peak)"
        )
        yield Cause(name="fragmentation", says=words, bytes=loose.difference_bytes or 0, confidence="certain")
    if beside is not None and _differs(beside):
        moved = beside.difference_bytes or 0
        why = (
            "further communicators, graphs or libraries"
            if moved > 0
            else "communicators come when they are used"
        )
        words = f"{_instead('memory outside the allocator', beside)}: {why}"
        yield Cause(name="communicators", says=words, bytes=moved, confidence="likely")


def _short(parts: dict[str, PartComparison], counted: Iterable[Cause]) -> Iterator[Cause]:
    """Say that a whole step has not been seen yet, where tensors have never been as much as one takes.

    What is counted part by part is not told a second time.
    """
    peak, reserved = parts.get("allocated"), parts.get("reserved")
    if peak is None or reserved is None or peak.difference_bytes is None or reserved.difference_bytes is None:
        return
    told = sum(cause.bytes for cause in counted)
    if peak.difference_bytes - told <= -_LEAST_BYTES:
        moved = reserved.difference_bytes - told  # what the allocator rounds up and keeps comes with the peak
        seen, whole = bytes_text(peak.live_bytes), bytes_text(peak.expected_bytes)
        words = f"tensors had {seen} at most so far, a whole step takes {whole}"
        yield Cause(name="not_at_peak", says=words, bytes=moved, confidence="certain")


def _told(known: Known, parts: dict[str, PartComparison]) -> Iterator[Cause]:
    """Give what the engine's log says of its CUDA graphs: they are captured after the budget is spent.

    Where what is outside the allocator is measured, they are in that figure already.
    """
    graphs = known.reported.get("graphs", 0)
    context = parts.get("context")
    if graphs and (context is None or context.live_bytes is None):
        words = f"its log says that its CUDA graphs took {bytes_text(graphs)}, outside its budget"
        yield Cause(name="cuda_graphs", says=words, bytes=graphs, confidence="certain")


def _supposed(known: Known, left: int, parts: dict[str, PartComparison]) -> list[Cause]:
    """Give the hypotheses that meet what is left, the closest first; those about what is measured are none."""
    if abs(left) < _LEAST_BYTES:
        return []
    measured = {name for name in _MEASURED if name in parts and parts[name].live_bytes is not None}
    band = (known.high_bytes or known.low_bytes) - known.low_bytes
    tolerance = min(max(band / 2, _LEAST_BYTES), _TOLERANCE * abs(left))
    meeting = [
        each
        for each in known.hypotheses
        if abs(each.bytes - left) <= tolerance and not (set(each.parts[:1]) & measured)
    ]
    meeting.sort(key=lambda each: abs(each.bytes - left))
    return [_cause(each, alone=len(meeting) == 1) for each in meeting]


def _larger_step(parts: dict[str, PartComparison], left: int) -> Iterator[Cause]:
    """Say where the rest is, where the process measures it and nothing says why: in what comes and goes with a step."""
    step = parts.get("step")
    moved = 0 if step is None else step.difference_bytes or 0
    if (
        step is not None
        and min(left, moved) >= _LEAST_BYTES
        and moved <= left + max(_LEAST_BYTES, left * _TOLERANCE)
    ):
        told = _instead("what comes and goes with a step", step)
        words = f"{told}: a larger batch, longer sequences, or more is kept"
        yield Cause(name="larger_step", says=words, bytes=moved, confidence="certain")


def _cause(each: Hypothesis, *, alone: bool) -> Cause:
    return Cause(
        name=each.name, says=each.says, bytes=each.bytes, confidence="likely" if alone else "possible"
    )


def _not_loaded(parts: dict[str, PartComparison], expectation: Expectation) -> Iterator[Cause]:
    """Say that it may still be loading, where it holds less than its weights alone take."""
    weights, total = parts.get("weights"), parts.get("total")
    if weights is None or total is None or total.live_bytes is None or not weights.expected_bytes:
        return
    if total.live_bytes < weights.expected_bytes:
        alone = bytes_text(weights.expected_bytes)
        words = f"it holds less than its weights alone ({alone}): still loading, or offloaded"
        yield Cause(
            name="not_loaded", says=words, bytes=expectation.remainder_bytes or 0, confidence="possible"
        )


def _differs(each: PartComparison) -> bool:
    moved = each.difference_bytes
    return moved is not None and abs(moved) >= max(_LEAST_BYTES, (each.expected_bytes or 0) // 20)


def _is_twice(each: PartComparison) -> bool:
    expected, live = each.expected_bytes, each.live_bytes
    return bool(expected and live is not None and _TWICE[0] <= live / expected <= _TWICE[1])


def _instead(what: str, each: PartComparison) -> str:
    return f"{what}: {bytes_text(each.live_bytes)} instead of {bytes_text(each.expected_bytes)}"
