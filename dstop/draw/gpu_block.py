"""One GPU in several lines: bars with figures, what the board says of itself, and the recent past."""

from __future__ import annotations

from textwrap import wrap
from typing import TYPE_CHECKING

from dstop.draw.badges import badge_spans, badges
from dstop.draw.bars import graph_rows, meter
from dstop.draw.gpu_line import short_name
from dstop.draw.line import cells, clean, fit, fit_line, spread
from dstop.draw.look import memory_role, temperature_role, utilization_role
from dstop.draw.memory_bar import memory_bar
from dstop.units import (
    MILLIJOULES_PER_KWH,
    bytes_text,
    duration_text,
    gib_text,
    percent_text,
    rate_text,
    watts_text,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dstop.draw.gpu_layout import GpuLayout
    from dstop.draw.line import Line, Span
    from dstop.draw.look import Look
    from dstop.draw.memory_bar import Holding
    from dstop.model.finding import Finding
    from dstop.model.frame import GpuHistory
    from dstop.model.gpu import Gpu

FIGURES = 30
_OCCUPANCY = 18
_LEAST_BAR = 8


def gpu_block(
    gpu: Gpu,
    held: Sequence[Holding],
    history: GpuHistory,
    *,
    width: int,
    look: Look,
    layout: GpuLayout,
    step_s: float,
    findings: Sequence[Finding] = (),
) -> list[Line]:
    """Draw one card as the lines of a block, each `width` cells wide."""
    lines = [_title(gpu, findings, width)]
    if gpu.fault is not None:
        return lines + _fault(gpu.fault, width, 2 + layout.details + layout.graph_rows)
    figures = min(FIGURES, max(0, width - 4 - _LEAST_BAR))
    bar = max(0, width - 4 - figures)
    lines += [_memory(gpu, held, bar, figures, look), _utilization(gpu, bar, figures, look)]
    if layout.details:
        lines.append(fit_line((("    ", ""), *_details(gpu, width - 4)), width))
    if layout.graph_rows:
        lines += _graphs(history, width, layout.graph_rows, step_s)
    return lines


def _fault(fault: str, width: int, rows: int) -> list[Line]:
    """Give the whole reason: there is nothing else to show of this card."""
    words = wrap(clean(fault), max(10, width - 3), max_lines=rows, placeholder=" …")
    lines = [fit_line(((f"   {row}", "bad"),), width) for row in words[:rows]]
    return lines + [((" " * width, ""),)] * (rows - len(lines))


def _title(gpu: Gpu, findings: Sequence[Finding], width: int) -> Line:
    left: list[Span] = [(f"{gpu.index:>2} ", "title"), (short_name(gpu.name) + " ", "title")]
    left += badge_spans(badges(gpu, findings), max(0, width // 2 - 10))
    facts: list[Span] = []
    if gpu.performance_state is not None:
        facts.append((f"P{gpu.performance_state} ", "dim"))
    if gpu.clock_sm_mhz is not None:
        facts.append((f"{gpu.clock_sm_mhz}MHz ", "dim"))
    if gpu.temperature_c is not None:
        facts.append(
            (f"{gpu.temperature_c}°C ", temperature_role(gpu.temperature_c, gpu.temperature_slowdown_c))
        )
    if gpu.fan_pct is not None:
        facts.append((f"fan {gpu.fan_pct}% ", "dim"))
    if gpu.power_mw is not None or gpu.power_limit_mw is not None:
        facts.append((f"{watts_text(gpu.power_mw)}/{watts_text(gpu.power_limit_mw)}W", ""))
    while facts and sum(cells(text) for text, _ in (*left, *facts)) >= width:
        facts.pop(0)
    return fit_line(spread(tuple(left), tuple(facts), width), width)


def _memory(gpu: Gpu, held: Sequence[Holding], bar: int, figures: int, look: Look) -> Line:
    percent = gpu.memory_pct
    role = "dim" if gpu.stale_s > 0 else memory_role(percent, look)
    share = "–" if percent is None else f"{percent_text(percent)}%"
    text = f" {gib_text(gpu.memory_used_bytes)}/{gib_text(gpu.memory_total_bytes)}G {share}"
    free = f" {bytes_text(gpu.memory_free_bytes)} free" if gpu.memory_free_bytes is not None else ""
    first = min(_OCCUPANCY, figures)
    tail = (fit(text, first), role), (fit(free, figures - first), "dim")
    return (("mem ", "label"), *memory_bar(gpu, held, bar), *tail)


def _utilization(gpu: Gpu, bar: int, figures: int, look: Look) -> Line:
    percent = gpu.utilization_gpu_pct
    role = "dim" if gpu.stale_s > 0 else utilization_role(percent, look)
    share = None if percent is None else percent / 100
    traffic = (
        f"mem bw {percent_text(gpu.utilization_memory_pct)}%"
        if gpu.utilization_memory_pct is not None
        else ""
    )
    first = min(_OCCUPANCY, figures)
    busy = " –" if percent is None else f" {percent_text(percent)}%"
    tail = (fit(busy, first), role), (fit(" " + traffic, figures - first), "dim")
    return (("gpu ", "label"), *meter(share, bar, "graph.gpu"), *tail)


def _details(gpu: Gpu, width: int) -> Line:
    """Give what a line has room for, the most telling first."""
    text = ""
    for part in (*_traffic(gpu), *_board(gpu)):
        longer = f"{text} · {part}" if text else part
        if cells(longer) <= width:
            text = longer
    return ((text, "dim"),)


def _traffic(gpu: Gpu) -> Iterator[str]:
    busy = gpu.activity
    if busy is not None:
        shares = f"tensor {percent_text(busy.tensor_pct)}% HBM {percent_text(busy.dram_pct)}%"
        yield f"SM {percent_text(busy.sm_pct)}% {shares}"
    if gpu.nvlink_tx_bytes_s is not None or gpu.nvlink_rx_bytes_s is not None:
        yield f"NVLink ↑{rate_text(gpu.nvlink_tx_bytes_s)} ↓{rate_text(gpu.nvlink_rx_bytes_s)}"
    if gpu.pcie_tx_bytes_s is not None or gpu.pcie_rx_bytes_s is not None:
        yield f"PCIe ↑{rate_text(gpu.pcie_tx_bytes_s)} ↓{rate_text(gpu.pcie_rx_bytes_s)}"
    elif gpu.pcie_generation is not None:
        yield f"PCIe gen{gpu.pcie_generation} x{gpu.pcie_width or '?'}"


def _board(gpu: Gpu) -> Iterator[str]:
    if gpu.encoder_pct or gpu.decoder_pct:
        yield f"enc {percent_text(gpu.encoder_pct)}% dec {percent_text(gpu.decoder_pct)}%"
    if gpu.temperature_memory_c is not None:
        yield f"HBM {gpu.temperature_memory_c}°C"
    if gpu.ecc_corrected:
        yield f"ECC corrected {gpu.ecc_corrected}"
    if gpu.energy_mj is not None:
        yield f"{gpu.energy_mj / MILLIJOULES_PER_KWH:.1f}kWh"
    if gpu.pci_bus_id:
        yield clean(gpu.pci_bus_id)


def _graphs(history: GpuHistory, width: int, rows: int, step_s: float) -> list[Line]:
    """Memory on the left, utilisation on the right, each with its scale and the time it spans."""
    half = (width - 4) // 2
    left = _graph(("mem%", history.memory_pct, "graph.memory"), half - 1, rows, step_s, history.steps)
    right = _graph(
        ("gpu%", history.utilization_pct, "graph.gpu"), width - 4 - half, rows, step_s, history.steps
    )
    return [(("    ", ""), *a, (" ", ""), *b) for a, b in zip(left, right, strict=True)]


def _graph(
    what: tuple[str, Sequence[float | None], str], width: int, rows: int, step_s: float, steps: int
) -> list[Line]:
    name, values, role = what
    drawn = graph_rows(values, width, rows, 100, steps)
    lines: list[Line] = [((row, role),) for row in drawn]
    label = f"{name} {duration_text(width * 2 * step_s)}"
    if rows > 1 and cells(label) + 4 < width and drawn[0][: cells(label)].strip("⠀") == "":
        # The label stands where the graph has nothing to say yet.
        lines[0] = ((label, "dim"), (drawn[0][cells(label) :], role))
    return lines
