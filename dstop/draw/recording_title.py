"""What a snapshot is, in the first line of its screen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dstop.draw.line import clean, fit_line
from dstop.draw.ticks import span_text
from dstop.model.value import Value

if TYPE_CHECKING:
    from dstop.draw.line import Line


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class RecordingFacts(Value):
    """How long a recording is, in its own measures."""

    events: int
    span_us: int | None
    """From its first event to its last; None where torch says no times."""
    steps: int
    failures: int


def title_line(title: str, device: int, facts: RecordingFacts, page: str) -> tuple[Line, Line]:
    """Give what stands at the left and at the right of the first line."""
    parts = [f" {clean(title)}", f"cuda:{device}"]
    if facts.events:
        parts.append(f"{facts.events:,} event{'s' if facts.events != 1 else ''}")
    if facts.span_us is not None:
        parts.append(span_text(facts.span_us, facts.span_us // 100))
    if facts.steps:
        parts.append(f"{facts.steps} step{'s' if facts.steps != 1 else ''}")
    left = (("  ".join(parts), "head"),)
    failed = f" out of memory ×{facts.failures} " if facts.failures > 1 else " out of memory "
    bad: Line = ((failed, "badge.bad"),) if facts.failures else ()
    return left, (*bad, (f" {page} ", "head.sorted"))


def reading_line(text: str, width: int) -> Line:
    """Say what is being waited for."""
    return fit_line(((f" {clean(text)}", "note"),), width)
