"""One moment of a recording in words: when it is, what is live and reserved, what is older than the recording."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.draw.balance_bar import amount_text
from dstop.draw.line import fit_line, line_cells
from dstop.draw.ticks import span_text
from dstop.units import bytes_text

if TYPE_CHECKING:
    from dstop.draw.line import Line, Span
    from dstop.model.study import Failure, Moment

NOT_RECORDED = (
    "no events are in this snapshot: it shows its end alone. To record how memory comes and goes,",
    "call torch.cuda.memory._record_memory_history() before the model is made,",
    "or dstop attach PID --history on while it runs.",
)
_PRECISE_US = 100


def moment_line(moment: Moment, begin_us: int | None, width: int, *, recorded: bool = True) -> Line:
    """Say when it is and how much there is; what does not fit is left off.

    Args:
        moment: which.
        begin_us: when the recording began.
        width: cells.
        recorded: whether there are events at all: without them there is one moment, and nothing is older.
    """
    live, reserved = bytes_text(moment.live_bytes), bytes_text(moment.reserved_bytes)
    parts: list[tuple[Span, ...]] = [((f" live {live}", "title"), (f" of {reserved} reserved", ""))]
    if not recorded:
        return fit_line((*parts[0], ("   when the snapshot was taken", "label")), width)
    if moment.static_bytes:
        parts.append(((f"{bytes_text(moment.static_bytes)} older than the recording", "label"),))
    when = f"event {moment.event:,}"
    if begin_us is not None and moment.time_us is not None:
        when += f"  +{span_text(max(0, moment.time_us - begin_us), _PRECISE_US)}"
    parts.append(((when, ""),))
    if moment.step is not None:
        parts.append(((f"step {moment.step}", "label"),))
    if moment.phase != "other":
        parts.append(((moment.phase, "group"),))
    spans: list[Span] = []
    for part in parts:
        piece = (("   ", ""), *part) if spans else part
        if line_cells(spans) + line_cells(piece) > width:
            continue
        spans += piece
    return fit_line(tuple(spans), width)


def failure_line(failure: Failure, width: int) -> Line:
    """Say what was asked for in vain, and what there was."""
    cached = max(0, failure.reserved_bytes - failure.live_bytes)
    text = f" out of memory: {amount_text(failure.request_bytes)} asked for,"
    text += f" {amount_text(failure.device_free_bytes)} free on the device, {amount_text(cached)} cached"
    return fit_line(((text, "bad"),), width)
