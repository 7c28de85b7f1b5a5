"""The knobs of a plan as lines: a slider where there is an order, a choice between arrows where there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.draw.line import fit, fit_line, line_cells

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dstop.draw.line import Line, Span
    from dstop.footprint.knobs import Knob

TITLES = {
    "sequence": "tokens a sequence",
    "batch": "batch",
    "lora": "LoRA",
    "master_weights": "fp32 master copy",
    "kv_cache": "KV cache",
    "mla_cache": "MLA cache",
    "gpu_memory_utilization": "share of the card",
    "compile": "torch.compile",
    "tp": "tensor parallel",
    "pp": "pipeline stages",
    "dp": "data parallel",
    "cp": "context parallel",
    "ep": "expert parallel",
    "zero": "ZeRO stage",
    "sequence_parallel": "sequence parallel",
}
_NAME, _VALUE = 18, 9
_LEAST_TRACK = 6


def knob_line(knob: Knob, width: int, *, typed: str = "", chosen: bool = False) -> Line:
    """Draw one knob.

    Args:
        knob: what is drawn.
        width: cells.
        typed: digits that are being typed in its place.
        chosen: whether the keys turn it.
    """
    marker = "▸" if chosen else " "
    spans: list[Span] = [
        (f"{marker}{fit(TITLES.get(knob.name, knob.name), _NAME)}", "" if chosen else "label")
    ]
    value = f"{typed}▏" if typed else knob.text
    room = width - line_cells(spans) - _VALUE
    if knob.slides and room >= _LEAST_TRACK:
        spans += [*_track(knob.place, room - 1), (" ", "")]
    elif not knob.slides and room >= _LEAST_TRACK:
        arrows = f"◂ {value} ▸" if chosen else f"  {value}"
        spans.append((fit(arrows, width - line_cells(spans)), "title"))
        return fit_line(tuple(spans), width)
    spans.append((fit(value, _VALUE), "tagged" if typed else "title"))
    return fit_line(tuple(spans), width)


def _track(place: float, width: int) -> Line:
    """Draw a slider: what is left of its handle is filled."""
    handle = round(place * (width - 1))
    return (
        ("━" * handle, "graph.gpu"),
        ("●", "title"),
        ("─" * (width - 1 - handle), "seg.free"),
    )


def knob_lines(knobs: Sequence[Knob], at: int, width: int, height: int, typed: str = "") -> list[Line]:
    """Draw as many knobs as there is room for, the chosen one among them."""
    top = first_shown(len(knobs), at, height)
    return [
        knob_line(knob, width, typed=typed if place == at else "", chosen=place == at)
        for place, knob in enumerate(knobs[top : top + height], start=top)
    ]


def first_shown(count: int, at: int, height: int) -> int:
    """Give the first knob in sight: the chosen one stays in the middle while there are more at both ends."""
    return max(0, min(at - height // 2, count - height))


def track_place(x: int, width: int) -> float | None:
    """Give how far along the slider of a line of this width a cell is, 0 to 1; None beside it."""
    start, room = 1 + _NAME, width - 1 - _NAME - _VALUE - 1
    if room < _LEAST_TRACK - 1 or not start <= x < start + room:
        return None
    return (x - start) / max(1, room - 1)
