"""The cards and their MIG slices. A card that does not answer has its name and a nought, and no figure of the past."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any

from dstop.export.metrics.families import Column, distinct, per, times
from dstop.export.metrics.labels import labels, labels_of
from dstop.model import metric as m
from dstop.model.gpu import THROTTLE_REASONS
from dstop.model.unattributed import unattributed_bytes
from dstop.monitor.health import is_stale

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from dstop.export.metrics.families import Families
    from dstop.export.metrics.labels import Labels
    from dstop.model.gpu import Gpu
    from dstop.model.process import GpuProcess

MOST_CARDS = 128
"""More than any machine has; a plugin's source may say anything."""
MOST_SLICES = 16
MOST_XIDS = 16


def answers(gpu: Gpu) -> bool:
    """Whether its figures are of now."""
    return gpu.fault is None and not is_stale(gpu)


def lists_processes(gpu: Gpu) -> bool:
    """Whether its list of processes is of now."""
    return answers(gpu) and "processes" not in gpu.unavailable


def add_names(families: Families, gpus: Iterable[Gpu], xids: Mapping[int, int], *, fresh: bool) -> None:
    """Enter what is so whether a card answers or not: its name, whether it answers, and its Xids.

    Args:
        families: what they are entered into.
        gpus: the cards.
        xids: how many Xids each has reported since the start.
        fresh: whether the sample is of now; if not, no card answers.
    """
    for key, gpu in _shown(gpus):
        families.add(m.GPU_UP, 1 if fresh and answers(gpu) else 0, key)
        families.add(m.GPU_NAMES, 1, _names(gpu))
        if "xids" not in gpu.unavailable:
            families.add(m.GPU_XIDS, xids.get(gpu.index, 0), key)
        last = {xid.code: xid.at_ns for xid in gpu.xids[-MOST_XIDS:]}
        for code, at_ns in last.items():
            families.add(m.GPU_XID_TIME, at_ns / 1e9, labels_of(m.GPU_XID_TIME, gpu.index, code))


def add_figures(families: Families, gpus: Iterable[Gpu], rows: Sequence[GpuProcess]) -> None:
    """Enter the figures of cards that answer.

    Args:
        families: what they are entered into.
        gpus: the cards.
        rows: the processes on them.
    """
    shown = _shown(gpus)
    families.add_columns((_STALE,), [(key, gpu) for key, gpu in shown if gpu.fault is None])
    here = [(key, gpu) for key, gpu in shown if answers(gpu)]
    families.add_columns(_COLUMNS, here)
    families.add_columns(_ACTIVITY, [(key, gpu.activity) for key, gpu in here if gpu.activity is not None])
    for _, gpu in here:
        _add_states(families, gpu)
    slices = [
        (labels(m.MIG, gpu.index, f"{one.gpu_instance_id}/{one.compute_instance_id}"), one)
        for _, gpu in here
        for one in gpu.mig[:MOST_SLICES]
    ]
    slices = distinct(slices)
    families.add_columns(_SLICE, slices)
    for key, one in slices:
        families.add(m.MIG_NAMES, 1, labels_of(m.MIG_NAMES, *key.values, one.uuid, one.profile))
    _add_lists(families, [(key, gpu) for key, gpu in here if lists_processes(gpu)], rows)


def _shown(gpus: Iterable[Gpu]) -> list[tuple[Labels, Gpu]]:
    return distinct((labels(m.GPU, gpu.index), gpu) for gpu in gpus)[:MOST_CARDS]


def _add_lists(families: Families, here: Sequence[tuple[Labels, Gpu]], rows: Iterable[GpuProcess]) -> None:
    by_card: dict[int, list[GpuProcess]] = {gpu.index: [] for _, gpu in here}
    for row in rows:
        if row.gpu_index in by_card:
            by_card[row.gpu_index].append(row)
    for key, gpu in here:
        listed = by_card[gpu.index]
        families.add(m.GPU_PROCESSES, len(listed), key)
        families.add(m.GPU_UNATTRIBUTED, unattributed_bytes(gpu, listed)[0], key)


def _add_states(families: Families, gpu: Gpu) -> None:
    if gpu.throttle_reasons is not None:
        for reason in THROTTLE_REASONS.values():
            key = labels_of(m.GPU_THROTTLE, gpu.index, reason)
            families.add(m.GPU_THROTTLE, 1 if reason in gpu.throttle_reasons else 0, key)
    for error, count in (("corrected", gpu.ecc_corrected), ("uncorrected", gpu.ecc_uncorrected)):
        families.add(m.GPU_ECC, count, labels_of(m.GPU_ECC, gpu.index, error))


def _names(gpu: Gpu) -> Labels:
    return labels_of(
        m.GPU_NAMES,
        gpu.index,
        gpu.uuid,
        gpu.name,
        gpu.pci_bus_id,
        gpu.compute_capability,
        gpu.compute_mode,
        gpu.virtualization,
        "yes" if gpu.unified_memory else "no",
    )


def _column(metric: m.Metric, name: str) -> Column:
    get: Callable[[Any], float | None] = attrgetter(name)
    return Column(metric, get)


_STALE = _column(m.GPU_STALE, "stale_s")
_PERCENT, _MILLI, _MEGA = 100, 1000, 1_000_000

_COLUMNS = (
    _column(m.GPU_MEMORY, "memory_total_bytes"),
    _column(m.GPU_MEMORY_USED, "memory_used_bytes"),
    _column(m.GPU_MEMORY_RESERVED, "memory_reserved_bytes"),
    _column(m.GPU_MEMORY_FREE, "memory_free_bytes"),
    Column(m.GPU_BUSY, per("utilization_gpu_pct", _PERCENT)),
    Column(m.GPU_MEMORY_BUSY, per("utilization_memory_pct", _PERCENT)),
    Column(m.GPU_ENCODER, per("encoder_pct", _PERCENT)),
    Column(m.GPU_DECODER, per("decoder_pct", _PERCENT)),
    Column(m.GPU_POWER, per("power_mw", _MILLI)),
    Column(m.GPU_POWER_LIMIT, per("power_limit_mw", _MILLI)),
    Column(m.GPU_ENERGY, per("energy_mj", _MILLI)),
    _column(m.GPU_TEMPERATURE, "temperature_c"),
    _column(m.GPU_MEMORY_TEMPERATURE, "temperature_memory_c"),
    _column(m.GPU_SLOWDOWN_TEMPERATURE, "temperature_slowdown_c"),
    Column(m.GPU_CLOCK, times("clock_sm_mhz", _MEGA)),
    Column(m.GPU_CLOCK_MAX, times("clock_sm_max_mhz", _MEGA)),
    Column(m.GPU_MEMORY_CLOCK, times("clock_memory_mhz", _MEGA)),
    Column(m.GPU_FAN, per("fan_pct", _PERCENT)),
    _column(m.GPU_STATE, "performance_state"),
    _column(m.GPU_REMAP_PENDING, "remapped_rows_pending"),
    _column(m.GPU_REMAP_FAILED, "remapped_rows_failed"),
    _column(m.GPU_PERSISTENCE, "persistence_mode"),
    _column(m.GPU_MIG_MODE, "mig_enabled"),
    _column(m.GPU_PCIE_GENERATION, "pcie_generation"),
    _column(m.GPU_PCIE_WIDTH, "pcie_width"),
    _column(m.GPU_PCIE_SENT, "pcie_tx_bytes_s"),
    _column(m.GPU_PCIE_RECEIVED, "pcie_rx_bytes_s"),
    _column(m.GPU_NVLINK_SENT, "nvlink_tx_bytes_s"),
    _column(m.GPU_NVLINK_RECEIVED, "nvlink_rx_bytes_s"),
)
_ACTIVITY = (
    Column(m.GPU_SM_ACTIVE, per("sm_pct", _PERCENT)),
    Column(m.GPU_SM_OCCUPANCY, per("sm_occupancy_pct", _PERCENT)),
    Column(m.GPU_TENSOR_ACTIVE, per("tensor_pct", _PERCENT)),
    Column(m.GPU_DRAM_ACTIVE, per("dram_pct", _PERCENT)),
)
_SLICE = (
    _column(m.MIG_MEMORY, "memory_total_bytes"),
    _column(m.MIG_MEMORY_USED, "memory_used_bytes"),
    _column(m.MIG_MEMORY_RESERVED, "memory_reserved_bytes"),
    _column(m.MIG_MEMORY_FREE, "memory_free_bytes"),
)
