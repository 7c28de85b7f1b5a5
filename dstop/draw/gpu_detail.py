"""One card, close up: every figure with its unit, every missing one with its reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.draw.bars import graph_rows
from dstop.draw.detail import heading, unavailable_lines
from dstop.draw.gpu_block import gpu_block
from dstop.draw.gpu_layout import GpuLayout
from dstop.draw.gpu_line import mig_line
from dstop.draw.line import cells, clean, fit, fit_line
from dstop.draw.look import DEFAULT_SLOWDOWN_C
from dstop.draw.memory_bar import holdings
from dstop.model.frame import GpuHistory
from dstop.units import MILLIJOULES_PER_KWH, bytes_text, duration_text, percent_text, rate_text, watts_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dstop.draw.line import Line, Span
    from dstop.draw.look import Look
    from dstop.model.frame import Frame
    from dstop.model.gpu import Gpu

_LAYOUT = GpuLayout(blocks=True, columns=1, graph_rows=8, details=False)
_NAME_CELLS = 27
_POWER_ROWS = 4


def gpu_detail_lines(frame: Frame, gpu: Gpu, width: int, look: Look) -> list[Line]:
    """Draw everything known of a card."""
    mine = [process for process in frame.sample.processes if process.gpu_index == gpu.index]
    history = frame.history.get(gpu.index, GpuHistory())
    lines = gpu_block(
        gpu, holdings(mine), history, width=width, look=look, layout=_LAYOUT, step_s=frame.step_s
    )
    lines += power_graphs(gpu, history, width, frame.step_s)
    for place, instance in enumerate(gpu.mig):
        inside = holdings(p for p in mine if p.gpu_instance_id == instance.gpu_instance_id)
        lines.append(mig_line(instance, inside, width, last=place == len(gpu.mig) - 1))
    for title, pairs in (
        ("memory", _memory(gpu, frame)),
        ("work", _work(gpu)),
        ("health", _health(gpu)),
        ("board", _board(gpu, history)),
    ):
        lines += [heading(title, width), *_pairs(pairs, width)]
    if gpu.unavailable:
        lines += [heading("not available, and why", width), *unavailable_lines(gpu.unavailable, width)]
    return [fit_line(line, width) for line in lines]


def power_graphs(gpu: Gpu, history: GpuHistory, width: int, step_s: float) -> list[Line]:
    """Draw power as a share of its limit, and temperature up to where the board slows down."""
    slowdown = float(gpu.temperature_slowdown_c or DEFAULT_SLOWDOWN_C)
    half = (width - 4) // 2
    span = duration_text(half * 2 * step_s)
    left = graph_rows(history.power_pct, half - 1, _POWER_ROWS, 100, history.steps)
    right = graph_rows(history.temperature_c, width - 4 - half, _POWER_ROWS, slowdown, history.steps)
    titles = (fit(f"    power, of {watts_text(gpu.power_limit_mw)} W, {span}", half + 4), "label")
    lines: list[Line] = [fit_line((titles, (f"temperature, up to {slowdown:.0f}°C", "label")), width)]
    lines += [
        (("    ", ""), (a, "graph.power"), (" ", ""), (b, "graph.host"))
        for a, b in zip(left, right, strict=True)
    ]
    return lines


def _memory(gpu: Gpu, frame: Frame) -> list[tuple[str, str]]:
    pairs = [
        ("total", bytes_text(gpu.memory_total_bytes)),
        ("used", bytes_text(gpu.memory_used_bytes)),
        ("kept by the driver", bytes_text(gpu.memory_reserved_bytes)),
        ("free", bytes_text(gpu.memory_free_bytes)),
    ]
    pairs += [
        ("of no listed process", f"{bytes_text(item.bytes)}: {item.cause}")
        for item in frame.sample.unattributed
        if item.gpu_index == gpu.index
    ]
    return pairs


def _work(gpu: Gpu) -> list[tuple[str, str]]:
    pairs = [
        ("utilisation", _pct(gpu.utilization_gpu_pct)),
        ("memory bandwidth", _pct(gpu.utilization_memory_pct)),
        ("encoder, decoder", f"{_pct(gpu.encoder_pct)}, {_pct(gpu.decoder_pct)}"),
        ("PCIe to host, from host", f"{rate_text(gpu.pcie_tx_bytes_s)}, {rate_text(gpu.pcie_rx_bytes_s)}"),
        ("NVLink sent, received", f"{rate_text(gpu.nvlink_tx_bytes_s)}, {rate_text(gpu.nvlink_rx_bytes_s)}"),
    ]
    if gpu.activity is not None:
        a = gpu.activity
        pairs += [
            ("SM active, occupancy", f"{_pct(a.sm_pct)}, {_pct(a.sm_occupancy_pct)}"),
            ("tensor cores, HBM", f"{_pct(a.tensor_pct)}, {_pct(a.dram_pct)}"),
        ]
    return pairs


def _health(gpu: Gpu) -> list[tuple[str, str]]:
    reasons = gpu.throttle_reasons
    throttle = "–" if reasons is None else ", ".join(reasons).replace("_", " ") or "nothing"
    xids = ", ".join(str(xid.code) for xid in gpu.xids) or "none since dstop started"
    return [
        (
            "temperature",
            f"{_number(gpu.temperature_c, '°C')} (slows down at {_number(gpu.temperature_slowdown_c, '°C')})",
        ),
        ("memory temperature", _number(gpu.temperature_memory_c, "°C")),
        ("power", f"{watts_text(gpu.power_mw)} of {watts_text(gpu.power_limit_mw)} W"),
        ("fan", _number(gpu.fan_pct, "%")),
        ("clocks held down by", throttle),
        ("ECC corrected", _number(gpu.ecc_corrected, "")),
        ("ECC uncorrected", _number(gpu.ecc_uncorrected, "")),
        ("row remap pending", _yes(gpu.remapped_rows_pending)),
        ("row remap failed", _yes(gpu.remapped_rows_failed)),
        ("Xid", xids),
    ]


def _board(gpu: Gpu, history: GpuHistory) -> list[tuple[str, str]]:
    return [
        ("name", clean(gpu.name or "–")),
        ("UUID", clean(gpu.uuid or "–")),
        ("PCI", clean(gpu.pci_bus_id or "–")),
        ("PCIe link", f"gen {_number(gpu.pcie_generation, '')} x{_number(gpu.pcie_width, '')}"),
        ("compute capability", gpu.compute_capability or "–"),
        ("SM clock", f"{_number(gpu.clock_sm_mhz, ' MHz')} of {_number(gpu.clock_sm_max_mhz, ' MHz')}"),
        ("memory clock", _number(gpu.clock_memory_mhz, " MHz")),
        ("performance state", "–" if gpu.performance_state is None else f"P{gpu.performance_state}"),
        ("persistence mode", _yes(gpu.persistence_mode)),
        ("compute mode", gpu.compute_mode or "–"),
        ("MIG", _yes(gpu.mig_enabled)),
        ("virtualisation", gpu.virtualization or "–"),
        ("energy since driver load", _energy(gpu.energy_mj)),
        ("energy since dstop began", _energy(history.energy_mj)),
    ]


def _pairs(pairs: Sequence[tuple[str, str]], width: int) -> list[Line]:
    columns = 2 if width >= 120 else 1  # noqa: PLR2004 - two readable columns
    rows = -(-len(pairs) // columns)
    shown = [(f"  {name}", clean(text)) for name, text in pairs]
    left = width
    if columns > 1:  # a UUID is there to be copied: the left column gives it the cells it needs
        longest = max(_NAME_CELLS + cells(text) + 1 for _, text in shown[:rows])
        left = min(max(width // 2, longest), width - _NAME_CELLS - 24)
    lines: list[Line] = []
    for row in range(rows):
        spans: list[Span] = []
        for (name, text), column in zip(shown[row::rows], (left, width - left), strict=False):
            spans += [(fit(name, _NAME_CELLS), "label"), (fit(text, max(0, column - _NAME_CELLS)), "")]
        lines.append(fit_line(tuple(spans), width))
    return lines


def _energy(millijoules: int | None) -> str:
    return "–" if millijoules is None else f"{millijoules / MILLIJOULES_PER_KWH:.3f} kWh"


def _pct(value: float | None) -> str:
    return "–" if value is None else f"{percent_text(value)}%"


def _number(value: int | None, unit: str) -> str:
    return "–" if value is None else f"{value}{unit}"


def _yes(value: bool | None) -> str:
    return "–" if value is None else "yes" if value else "no"
