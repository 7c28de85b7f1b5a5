"""The laws of the data, checked: what any source may rely on nobody having to check again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.model.gpu import THROTTLE_REASONS
from dstop.testing.allocator_laws import allocator_laws
from dstop.testing.field_laws import WHOLE, field_laws, reason_laws
from dstop.units import MIB

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dstop.model.gpu import Gpu, MigInstance
    from dstop.model.process import GpuProcess
    from dstop.model.sample import Sample
    from dstop.sources import Source

_SLACK_BYTES = 64 * MIB
"""Figures of one card are read at slightly different moments, and drivers round."""
_GPU_CONTRACT = (
    "uuid",
    "name",
    "pci_bus_id",
    "memory_total_bytes",
    "memory_used_bytes",
    "memory_reserved_bytes",
    "memory_free_bytes",
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
)
_ROW_CONTRACT = ("gpu_memory_bytes", "sm_pct", "cpu_pct", "rss_bytes")


def check_source(source: Source, *, reads: int = 1) -> None:
    """Read a source and hold every sample against the laws of the data, and each against the one before.

    Raises:
        AssertionError: with every law that was broken, one a line.
        SourceError: when the source cannot be read.
    """
    before: Sample | None = None
    for _ in range(reads):
        sample = source.read()
        check_sample(sample, before=before)
        before = sample


def check_sample(sample: Sample, *, before: Sample | None = None) -> None:
    """Hold one sample against the laws of the data.

    Raises:
        AssertionError: with every law that was broken, one a line.
    """
    broken = broken_laws(sample, before=before)
    if broken:
        raise AssertionError("\n".join(broken))


def broken_laws(sample: Sample, *, before: Sample | None = None) -> list[str]:
    """Give a sentence for every law of the data that a sample breaks; none when all is well."""
    broken = list(_sample_laws(sample))
    for gpu in sample.gpus:
        broken += [f"GPU {gpu.index}: {why}" for why in _gpu_laws(gpu)]
        own = [row for row in sample.processes if row.gpu_index == gpu.index]
        broken += [f"GPU {gpu.index}: {why}" for why in _sum_laws(sample, gpu, own)]
    for row in sample.processes:
        broken += [f"process {row.pid} on GPU {row.gpu_index}: {why}" for why in _row_laws(sample, row)]
    if before is not None:
        broken += _order_laws(before, sample)
    return broken


def _sample_laws(sample: Sample) -> Iterator[str]:
    """Check what concerns the sample as a whole."""
    indices = [gpu.index for gpu in sample.gpus]
    if indices != sorted(set(indices)):
        yield f"GPUs are in index order, each once: {indices}"
    keys = [row.key for row in sample.processes]
    if len(keys) != len(set(keys)):
        yield "a process row is there once per (GPU, PID, start time)"
    if not sample.host.name:
        yield "the host has a name"
    if sample.simulated is not None and not sample.simulated.strip():
        yield "`simulated` says so in words"
    yield from field_laws(sample.host, "host ")
    for text in (*sample.notices, sample.driver_version, sample.cuda_version, sample.simulated):
        if text is not None and not text.isprintable():
            yield f"text is free of control characters: {text!r}"


def _gpu_laws(gpu: Gpu) -> Iterator[str]:
    """Check one card: a tombstone gives its reason, every other gives a value or a reason for each field."""
    yield from field_laws(gpu)
    if gpu.fault is not None:
        if not gpu.fault.strip():
            yield "a fault says what happened"
        return
    yield from reason_laws(gpu, _GPU_CONTRACT, gpu.unavailable)
    for reason in gpu.throttle_reasons or ():
        if reason not in THROTTLE_REASONS.values() and not reason.startswith("reason_0x"):
            yield f"{reason!r} is not one of THROTTLE_REASONS"
    if gpu.mig and gpu.mig_enabled is False:
        yield "a card with MIG off has no instances"
    yield from _memory_laws(gpu)
    for instance in gpu.mig:
        yield from (f"instance {instance.gpu_instance_id}: {why}" for why in field_laws(instance))
        yield from (f"instance {instance.gpu_instance_id}: {why}" for why in _memory_laws(instance))
    if gpu.activity is not None:
        yield from field_laws(gpu.activity, "activity ")


def _memory_laws(part: Gpu | MigInstance) -> Iterator[str]:
    """Check that memory adds up: used, free and reserved make the total."""
    total, used = part.memory_total_bytes, part.memory_used_bytes
    free, reserved = part.memory_free_bytes, part.memory_reserved_bytes or 0
    if total is None:
        return
    for name, value in (("used", used), ("free", free), ("reserved", reserved)):
        if value is not None and value > total:
            yield f"{name} memory {value} is above the total {total}"
    if used is not None and free is not None and not getattr(part, "unified_memory", False):
        missing = total - used - free - reserved
        if abs(missing) > _SLACK_BYTES:
            yield f"used + free + reserved differ from the total by {missing} bytes"


def _sum_laws(sample: Sample, gpu: Gpu, rows: list[GpuProcess]) -> Iterator[str]:
    """Check that a card's rows and its unattributed memory make its used memory, and no more."""
    if gpu.fault is not None and gpu.memory_used_bytes is None:
        return
    unattributed = sum(row.bytes for row in sample.unattributed if row.gpu_index == gpu.index)
    claimed = unattributed + sum(row.gpu_memory_bytes or 0 for row in rows)
    used = gpu.memory_used_bytes
    if used is not None and not gpu.unified_memory and claimed > used + _SLACK_BYTES:
        yield f"processes and unattributed memory claim {claimed} bytes of {used} used"
    silent = [row.pid for row in rows if row.gpu_memory_bytes is None]
    if unattributed and silent:
        yield f"memory is called unattributed while process {silent[0]} has no figure"
    busy = sum(row.sm_pct or 0 for row in rows)
    if busy > WHOLE + len(rows) + 1:
        yield f"processes keep the chip busy for {busy} % of the time"


def _row_laws(sample: Sample, row: GpuProcess) -> Iterator[str]:
    """Check one process row."""
    yield from field_laws(row)
    yield from field_laws(row.facts, "facts ")
    yield from reason_laws(row, _ROW_CONTRACT, row.unavailable)
    why = {**row.facts.unavailable, **row.unavailable}
    if row.facts.command is None and "command" not in why:
        yield "command is None without a reason"
    if row.pid <= 0 or row.facts.pid != row.pid:
        yield f"a PID is above 0 and the same in the facts ({row.facts.pid})"
    if all(gpu.index != row.gpu_index for gpu in sample.gpus):
        yield "its GPU is in the sample"
    started = row.facts.started_at_s
    if started is not None and started > sample.taken_at_ns / 1e9 + 2:
        yield "it started before the sample was taken"
    if row.type not in {"C", "G", "C+G", "M"}:
        yield f"type {row.type!r} is not one of C, G, C+G, M"
    if row.allocator is not None:
        yield from (f"allocator: {why}" for why in allocator_laws(row.allocator))
    if row.state is not None and (len(row.state) != 1 or not row.state.isalpha()):
        yield f"state {row.state!r} is not the kernel's letter"


def _order_laws(before: Sample, sample: Sample) -> Iterator[str]:
    """Check a sample against an earlier one: time goes on, counters do not fall."""
    if sample.taken_at_ns < before.taken_at_ns:
        yield "a later sample is not older"
    earlier = {gpu.uuid: gpu.energy_mj for gpu in before.gpus}
    for gpu in sample.gpus:
        energy = earlier.get(gpu.uuid)
        if energy is not None and gpu.energy_mj is not None and gpu.energy_mj < energy:
            yield f"GPU {gpu.index}: the energy counter fell from {energy} to {gpu.energy_mj}"
