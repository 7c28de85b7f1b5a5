"""PyTorch's allocator in one process, card by card: a bar of where its memory goes, the figures, the recent past."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from dstop.draw.area_graph import area_rows
from dstop.draw.bars import stacked
from dstop.draw.detail import heading
from dstop.draw.line import cells, clean, fit, fit_line
from dstop.draw.memory_bar import CACHED, FREE, NOT_TORCH, PROCESS, UNATTRIBUTED
from dstop.model.allocator import AllocatorHistory
from dstop.model.value import Value
from dstop.units import bytes_text, duration_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dstop.draw.line import Line, Span
    from dstop.model.allocator import Allocator
    from dstop.model.frame import Frame
    from dstop.model.guest import Guest

GRAPH_ROWS = 5
PENDING = UNATTRIBUTED
_MARK, _NAME, _AMOUNT, _SHARE = 3, 15, 7, 5
_COLUMNS = 3
_WIDEST_COLUMN = 40


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class DeviceShown(Value):
    """One device of one process, joined to what the driver says of the same card."""

    allocator: Allocator
    gpu_index: int | None = None
    """As the sample numbers the card; None where the sample has no such card."""
    held_bytes: int | None = None
    """What the driver says that the process holds there."""
    not_torch_bytes: int | None = None
    history: AllocatorHistory = field(default_factory=AllocatorHistory)

    @property
    def name(self) -> str:
        """Name the device as the process numbers it, and the card that it is."""
        card = "" if self.gpu_index is None else f" = GPU {self.gpu_index}"
        return f"cuda:{self.allocator.index}{card}"


def devices_of(frame: Frame, guest: Guest, first_gpu: int | None = None) -> list[DeviceShown]:
    """Join each device of a guest to its row and its history; the card one came from stands first."""
    gpus = {gpu.uuid: gpu.index for gpu in frame.sample.gpus if gpu.uuid is not None}
    slices = {each.uuid: gpu.index for gpu in frame.sample.gpus for each in gpu.mig if each.uuid is not None}
    rows = {row.gpu_index: row for row in frame.sample.processes if row.id == guest.id}
    histories = frame.allocator_history.get(guest.id, {})
    shown: list[DeviceShown] = []
    for allocator in guest.devices:
        uuid = allocator.gpu_uuid or ""
        index = gpus.get(uuid, slices.get(uuid))
        row = rows.get(index) if index is not None else None
        held = row.gpu_memory_bytes if row is not None else None
        beside = None if held is None or allocator.reserved_bytes is None else held - allocator.reserved_bytes
        shown.append(
            DeviceShown(
                allocator=allocator,
                gpu_index=index,
                held_bytes=held,
                not_torch_bytes=beside if beside is None or beside >= 0 else None,
                history=histories.get(allocator.index, AllocatorHistory()),
            )
        )
    return sorted(
        shown, key=lambda device: (first_gpu not in {None, device.gpu_index}, device.allocator.index)
    )


def allocator_lines(device: DeviceShown, width: int, step_s: float, steps: int = 0) -> list[Line]:
    """Draw one device: heading, bar, figures, what is not known and why, graphs."""
    allocator = device.allocator
    held = f", {bytes_text(device.held_bytes)} by the driver's count" if device.held_bytes is not None else ""
    lines = [heading(f"PyTorch's memory on {device.name}{held}", width)]
    if allocator.reserved_bytes is not None:
        lines.append(fit_line(((" ", ""), *process_bar(device, max(0, width - 2)), (" ", "")), width))
    lines += figure_lines(device, width)
    lines += [
        fit_line(((f" – {clean(name)}: {clean(why)}", "dim"),), width)
        for name, why in sorted(allocator.unavailable.items())
    ]
    return lines + history_lines(device.history, width, step_s, steps)


def process_bar(device: DeviceShown, width: int) -> Line:
    """Draw what the process holds on the card: allocated, waiting for a stream, cached, not PyTorch's."""
    allocator = device.allocator
    active = allocator.active_bytes or 0
    used = min(active, allocator.allocated_bytes or 0)
    parts = (
        (used, PROCESS, "seg.a"),
        (active - used, PENDING, "seg.pending"),
        (allocator.cached_bytes or 0, CACHED, "seg.cached"),
        (device.not_torch_bytes or 0, NOT_TORCH, "seg.not_torch"),
        (0, FREE, "seg.free"),
    )
    return stacked(parts, sum(amount for amount, _, _ in parts), width)


def figure_lines(device: DeviceShown, width: int) -> list[Line]:
    """Give the figures in three columns: what there is, what lies between, and what has been."""
    allocator = device.allocator
    columns = _COLUMNS if width >= _COLUMNS * (_MARK + _NAME + _AMOUNT) else 1
    column = min(width // columns, _WIDEST_COLUMN)
    figures = _figures(device)
    rows = -(-len(figures) // columns)
    whole = device.held_bytes or allocator.reserved_bytes
    lines: list[Line] = []
    for row in range(rows):
        spans: list[Span] = []
        for figure in figures[row::rows]:
            spans += _figure(figure, column, whole)
        lines.append(fit_line(tuple(spans), width))
    return lines


class _Figure(NamedTuple):
    """A name and what it comes to; some have a part of the bar."""

    name: str
    amount: int | None
    mark: str = ""
    mark_role: str = ""
    times: bool = False
    """Whether it is a number of times, of which none is best."""
    past: bool = False
    """Whether it was once, and so is no share of what is now."""


def _figures(device: DeviceShown) -> list[_Figure]:
    """List column after column, each of the same length."""
    a = device.allocator
    return [
        _Figure("requested", a.requested_bytes),
        _Figure("allocated", a.allocated_bytes, PROCESS, "seg.a"),
        _Figure("active", a.active_bytes),
        _Figure("reserved", a.reserved_bytes),
        _Figure("not PyTorch's", device.not_torch_bytes, NOT_TORCH, "seg.not_torch"),
        _Figure("rounding", _difference(a.allocated_bytes, a.requested_bytes)),
        _Figure("other streams", _difference(a.active_bytes, a.allocated_bytes), PENDING, "seg.pending"),
        _Figure("cached", a.cached_bytes, CACHED, "seg.cached"),
        _Figure("inactive split", a.inactive_split_bytes),
        _Figure("", None),
        _Figure("peak allocated", a.peak_allocated_bytes, past=True),
        _Figure("peak reserved", a.peak_reserved_bytes, past=True),
        _Figure("alloc retries", a.num_alloc_retries, times=True),
        _Figure("OOMs", a.num_ooms, times=True),
    ]


def _figure(figure: _Figure, column: int, whole: int | None) -> list[Span]:
    if not figure.name:
        return [(" " * column, "")]
    amount = figure.amount
    text = ("–" if amount is None else str(amount)) if figure.times else bytes_text(amount)
    role = "dim" if amount is None else "bad" if figure.times and amount else ""
    spans = [
        (fit(f" {figure.mark}", _MARK), figure.mark_role),
        (fit(figure.name, _NAME), "label"),
        (fit(text, _AMOUNT, right=True), role),
    ]
    left = column - _MARK - _NAME - _AMOUNT
    share = ""
    if not (figure.times or figure.past) and amount is not None and whole and left > _SHARE:
        share = f"{100 * amount / whole:.0f}%"
    return [*spans, (fit(fit(share, min(left, _SHARE), right=True), left), "dim")]


def _difference(larger: int | None, smaller: int | None) -> int | None:
    return None if larger is None or smaller is None else max(0, larger - smaller)


def history_lines(history: AllocatorHistory, width: int, step_s: float, steps: int = 0) -> list[Line]:
    """Draw allocated within reserved, and requested within active: what is between the curves is not in use."""
    half = (width - 3) // 2
    known = [value for values in (history.reserved_bytes, history.active_bytes) for value in values if value]
    if not known or half < 1:
        return []
    high = max(1.0, *known)
    span = duration_text(half * 2 * step_s)
    pairs = (
        ("allocated", history.allocated_bytes, "reserved", history.reserved_bytes, "graph.memory"),
        ("requested", history.requested_bytes, "active", history.active_bytes, "graph.gpu"),
    )
    drawn: list[list[Line]] = []
    for below, low_values, above, high_values, role in pairs:
        head = f" {below} {_now(low_values)} in {above} {_now(high_values)}"
        for more in (f"  peak {_peak(low_values)} in {_peak(high_values)}", f"  {span}"):
            head += more if cells(head + more) < half else ""
        rows = area_rows(
            low_values, high_values, half, GRAPH_ROWS, high, roles=(role, "graph.above"), steps=steps
        )
        drawn.append([((fit(head, half), "label"),), *rows])
    return [fit_line((*a, ("   ", ""), *b), width) for a, b in zip(*drawn, strict=True)]


def _now(values: Sequence[float | None]) -> str:
    return bytes_text(next((value for value in reversed(values) if value is not None), None))


def _peak(values: Sequence[float | None]) -> str:
    return bytes_text(max((value for value in values if value is not None), default=None))
