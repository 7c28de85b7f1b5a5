"""Samples as CSV: one line per GPU, or one per process, for a spreadsheet.

A process names itself, so its name is an attacker's text in a spreadsheet: a cell that would be a formula is
disarmed by an apostrophe (OWASP, "CSV Injection").
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.export.gpu_json import gpu_object
from dstop.export.process_json import process_object

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dstop.model.process import GpuProcess
    from dstop.model.replay import Replay
    from dstop.model.sample import Sample

GPU_COLUMNS = (
    "taken_at_ns",
    "host",
    "index",
    "uuid",
    "name",
    "pci_bus_id",
    "memory_total_bytes",
    "memory_used_bytes",
    "memory_reserved_bytes",
    "memory_free_bytes",
    "memory_unattributed_bytes",
    "utilization_gpu_pct",
    "utilization_memory_pct",
    "temperature_c",
    "power_mw",
    "power_limit_mw",
    "clock_sm_mhz",
    "clock_memory_mhz",
    "fan_pct",
    "performance_state",
    "throttle_reasons",
    "ecc_uncorrected",
    "remapped_rows_pending",
    "energy_mj",
    "stale_s",
    "fault",
    "simulated",
    "replay",
)
PROCESS_COLUMNS = (
    "taken_at_ns",
    "host",
    "gpu_index",
    "gpu_uuid",
    "pid",
    "type",
    "gpu_memory_bytes",
    "sm_pct",
    "user",
    "command",
    "cmdline",
    "cpu_pct",
    "rss_bytes",
    "started_at_s",
    "container",
    "rank",
    "world_size",
    "framework",
    "model",
    "state",
    "job",
    "simulated",
    "allocated_bytes",
    "reserved_bytes",
    "footprint_model",
    "footprint_tier",
    "expected_bytes",
    "expected_low_bytes",
    "expected_high_bytes",
    "remainder_bytes",
    "replay",
)

_FORMULA = frozenset("=+-@|\uff1d\uff0b\uff0d\uff20")
"""What a formula begins with, the full-width forms included."""


def gpu_header() -> str:
    """Give the first line of the table of GPUs."""
    return _line(GPU_COLUMNS)


def process_header() -> str:
    """Give the first line of the table of processes."""
    return _line(PROCESS_COLUMNS)


def gpu_lines(sample: Sample, replay: Replay | None = None) -> str:
    """Give one line per GPU; a cell is empty where nothing is known. `replay`: where in a recording it is."""
    rows = (gpu_object(gpu, sample.processes) for gpu in sample.gpus)
    return _lines(sample, rows, GPU_COLUMNS, replay)


def process_lines(sample: Sample, replay: Replay | None = None) -> str:
    """Give one line per process and GPU; a cell is empty where nothing is known. `replay`: as for a GPU."""
    return _lines(sample, map(_process_cells, sample.processes), PROCESS_COLUMNS, replay)


def _process_cells(row: GpuProcess) -> Mapping[str, object]:
    """Give the row flat: two figures of its allocator, and what is expected of it, are columns of their own."""
    device, should = row.allocator, row.expectation
    return {
        **process_object(row),
        "allocated_bytes": None if device is None else device.allocated_bytes,
        "reserved_bytes": None if device is None else device.reserved_bytes,
        "footprint_model": None if should is None else should.model,
        "footprint_tier": None if should is None else should.tier,
        "expected_bytes": None if should is None else should.expected_bytes,
        "expected_low_bytes": None if should is None else should.low_bytes,
        "expected_high_bytes": None if should is None else should.high_bytes,
        "remainder_bytes": None if should is None else should.remainder_bytes,
    }


def _lines(
    sample: Sample, rows: Iterable[Mapping[str, object]], columns: tuple[str, ...], replay: Replay | None
) -> str:
    common = {
        "taken_at_ns": sample.taken_at_ns,
        "host": sample.host.name,
        "simulated": sample.simulated,
        "replay": None if replay is None else replay.label,
    }
    return "".join(_line({**row, **common}[column] for column in columns) for row in rows)


def _line(cells: Iterable[object]) -> str:
    return ",".join(_cell(cell) for cell in cells) + "\n"


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    text = " ".join(str(part) for part in value) if isinstance(value, list) else str(value)
    text = "".join(char if char.isprintable() else " " for char in text)
    if text.lstrip()[:1] in _FORMULA:
        text = "'" + text
    return '"' + text.replace('"', '""') + '"' if any(char in text for char in ',";') else text
