"""One attached process as text: what `dstop attach PID --once` prints; each line explains its figure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.draw.guest_lines import guest_parts, joined, why_no_devices
from dstop.draw.line import cells, clean, fit, fit_line
from dstop.units import bytes_text, duration_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dstop.draw.line import Line
    from dstop.model.allocator import Allocator
    from dstop.model.guest import Guest
    from dstop.model.process import GpuProcess

_NAME, _AMOUNT = 18, 7


def attach_text_lines(
    guest: Guest,
    rows: Sequence[GpuProcess],
    width: int,
    *,
    command: str | None = None,
    notices: Sequence[str] = (),
) -> list[Line]:
    """Draw a guest and its devices; nothing is cut that a pipe could take.

    Args:
        guest: the newest answer of the hook.
        rows: the process' rows in the sample, for what the driver says of it; empty where there is no driver.
        width: cells that lines are filled to; one that needs more is longer.
        command: what to call the process where it has no row.
        notices: why there may be no row.
    """
    mine = [row for row in rows if row.id == guest.id or row.pid == guest.pid]
    command = next((row.facts.command for row in mine if row.facts.command), command)
    name = f"process {guest.pid}" + (f", {clean(command)}" if command else "")
    if guest.rank is not None:
        name += f", rank {guest.rank} of {guest.world_size or '?'}"
    lines = [_line(name, "title", width), *joined(guest_parts(guest), width)]
    if guest.stale_s is not None:
        age = duration_text(guest.stale_s)
        lines.append(
            _line(f"  these figures are {age} old: the process has not answered since", "warn", width)
        )
    if not guest.devices:
        lines.append(_line(f"  {why_no_devices(guest)}", "dim", width))
    for device in guest.devices:
        row = next(
            (row for row in mine if row.gpu_uuid is not None and row.gpu_uuid == device.gpu_uuid), None
        )
        lines += [
            _line("", "", width),
            _line(_device_name(device, row), "group", width),
            *_device(device, row, width),
        ]
        if row is not None:
            lines += _expected(row, width)
    lines += [_unavailable(field, why, width) for field, why in sorted(guest.unavailable.items())]
    if not mine:
        lines += [_line(f"  {clean(notice)}", "dim", width) for notice in notices]
    return lines


def _expected(row: GpuProcess, width: int) -> list[Line]:
    """Draw what its model should hold on the card, or why that is not known."""
    why = row.unavailable.get("footprint")
    if row.expectation is None and why is None:
        return []
    from dstop.draw.expectation_lines import (  # noqa: PLC0415 - not every process is a model
        expectation_lines,
        unknown_lines,
    )

    drawn = (
        unknown_lines(why or "", width)
        if row.expectation is None
        else expectation_lines(row.expectation, width)
    )
    return [_line("", "", width), *drawn]


def _device_name(device: Allocator, row: GpuProcess | None) -> str:
    card = f", GPU {row.gpu_index}" if row is not None else ""
    uuid = f" ({clean(device.gpu_uuid)})" if device.gpu_uuid is not None else ""
    return f"device cuda:{device.index}{card}{uuid}"


def _device(a: Allocator, row: GpuProcess | None, width: int) -> list[Line]:
    held = row.gpu_memory_bytes if row is not None else None
    beside = held - a.reserved_bytes if held is not None and a.reserved_bytes is not None else None
    beside = beside if beside is None or beside >= 0 else None
    figures = [
        ("held", held, "what the driver counts for the process on this card"),
        ("not PyTorch's", beside, "held and not reserved: CUDA context, NCCL, libraries"),
        ("reserved", a.reserved_bytes, "what the allocator has from the driver"),
        ("cached", a.cached_bytes, "reserved and free: only this process can use it"),
        (
            "inactive split",
            a.inactive_split_bytes,
            "cached, but beside tensors in one segment: cannot be given back",
        ),
        ("active", a.active_bytes, "allocated, and freed blocks that another stream still uses"),
        ("allocated", a.allocated_bytes, "what tensors have"),
        ("requested", a.requested_bytes, "what tensors asked for, before rounding"),
        ("peak allocated", a.peak_allocated_bytes, "the most that tensors have had"),
        ("peak reserved", a.peak_reserved_bytes, "the most that the allocator has had"),
    ]
    if row is None:
        figures = figures[2:]
    lines = [
        _line(f"  {fit(name, _NAME)}{fit(bytes_text(amount), _AMOUNT, right=True)}  {what}", "", width)
        for name, amount, what in figures
    ]
    for name, count, what in (
        (
            "alloc retries",
            a.num_alloc_retries,
            "times the cache was flushed because the driver had nothing left",
        ),
        ("OOMs", a.num_ooms, "out-of-memory errors raised, also those that the program caught"),
    ):
        text = "–" if count is None else str(count)
        role = "bad" if count else ""
        lines.append(_line(f"  {fit(name, _NAME)}{fit(text, _AMOUNT, right=True)}  {what}", role, width))
    return lines + [_unavailable(field, why, width) for field, why in sorted(a.unavailable.items())]


def _unavailable(name: str, why: str, width: int) -> Line:
    return _line(f"  {fit(clean(name), _NAME)}{fit('–', _AMOUNT, right=True)}  {clean(why)}", "dim", width)


def _line(text: str, role: str, width: int) -> Line:
    return fit_line(((text, role),), max(width, cells(text)))
