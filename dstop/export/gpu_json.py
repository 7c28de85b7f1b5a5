"""One GPU in the shape of the JSON contract."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dstop.export.values import clean, finite
from dstop.model.unattributed import unattributed_bytes
from dstop.model.xid import xid_meaning

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dstop.model.gpu import Activity, Gpu, MigInstance
    from dstop.model.process import GpuProcess

NOT_GIVEN = "the driver gives no such figure for this card"


def gpu_object(gpu: Gpu, processes: Iterable[GpuProcess]) -> dict[str, Any]:
    """Give the card; every null but that of `fault` has its reason in `unavailable`."""
    unattributed, why = unattributed_bytes(gpu, processes)
    contract = _contract(gpu, unattributed)
    extras = _extras(gpu)
    reasons = {key: clean(reason) for key, reason in gpu.unavailable.items() if reason}
    if why:
        reasons["memory_unattributed_bytes"] = clean(why)
    usual = NOT_GIVEN if gpu.fault is None else clean(gpu.fault) or "the card does not answer"
    return {
        **contract,
        **extras,
        "unavailable": unavailable({**contract, **extras}, _needing(contract, extras), reasons, usual),
    }


def _needing(*parts: Mapping[str, object]) -> list[str]:
    """Name the keys whose null needs a reason: all but `fault`, where null says that there is none."""
    return [key for part in parts for key in part if key != "fault"]


def unavailable(
    row: Mapping[str, object], contract: Iterable[str], reasons: Mapping[str, str], usual: str
) -> dict[str, str]:
    """Say why each null is one: the reader's own reason, else the usual one for keys that are promised."""
    known = {key: reason for key, reason in reasons.items() if reason and row.get(key) is None}
    return {**{key: usual for key in contract if row[key] is None}, **known}


def _contract(gpu: Gpu, unattributed: int | None) -> dict[str, Any]:
    return {
        "index": gpu.index,
        "uuid": gpu.uuid,
        "name": None if gpu.name is None else clean(gpu.name),
        "pci_bus_id": gpu.pci_bus_id,
        "memory_total_bytes": gpu.memory_total_bytes,
        "memory_used_bytes": gpu.memory_used_bytes,
        "memory_reserved_bytes": gpu.memory_reserved_bytes,
        "memory_free_bytes": gpu.memory_free_bytes,
        "memory_unattributed_bytes": unattributed,
        "utilization_gpu_pct": finite(gpu.utilization_gpu_pct),
        "utilization_memory_pct": finite(gpu.utilization_memory_pct),
        "temperature_c": gpu.temperature_c,
        "power_mw": gpu.power_mw,
        "power_limit_mw": gpu.power_limit_mw,
        "clock_sm_mhz": gpu.clock_sm_mhz,
        "clock_memory_mhz": gpu.clock_memory_mhz,
        "fan_pct": gpu.fan_pct,
        "performance_state": gpu.performance_state,
        "throttle_reasons": None if gpu.throttle_reasons is None else list(gpu.throttle_reasons),
        "ecc_uncorrected": gpu.ecc_uncorrected,
        "remapped_rows_pending": gpu.remapped_rows_pending,
        "mig": [_mig_object(instance) for instance in gpu.mig],
    }


def _extras(gpu: Gpu) -> dict[str, Any]:
    activity = gpu.activity
    return {
        "fault": None if gpu.fault is None else clean(gpu.fault),
        "stale_s": finite(gpu.stale_s),
        "unified_memory": gpu.unified_memory,
        "encoder_pct": finite(gpu.encoder_pct),
        "decoder_pct": finite(gpu.decoder_pct),
        "energy_mj": gpu.energy_mj,
        "temperature_memory_c": gpu.temperature_memory_c,
        "temperature_slowdown_c": gpu.temperature_slowdown_c,
        "clock_sm_max_mhz": gpu.clock_sm_max_mhz,
        "ecc_corrected": gpu.ecc_corrected,
        "remapped_rows_failed": gpu.remapped_rows_failed,
        "persistence_mode": gpu.persistence_mode,
        "compute_mode": gpu.compute_mode,
        "compute_capability": gpu.compute_capability,
        "virtualization": gpu.virtualization,
        "mig_enabled": gpu.mig_enabled,
        "pcie_generation": gpu.pcie_generation,
        "pcie_width": gpu.pcie_width,
        "pcie_tx_bytes_s": gpu.pcie_tx_bytes_s,
        "pcie_rx_bytes_s": gpu.pcie_rx_bytes_s,
        "nvlink_tx_bytes_s": gpu.nvlink_tx_bytes_s,
        "nvlink_rx_bytes_s": gpu.nvlink_rx_bytes_s,
        "activity": None if activity is None else _activity_object(activity),
        "xids": [
            {"code": xid.code, "at_ns": xid.at_ns, "meaning": xid_meaning(xid.code)} for xid in gpu.xids
        ],
    }


def _activity_object(activity: Activity) -> dict[str, Any]:
    row: dict[str, Any] = {
        "sm_pct": finite(activity.sm_pct),
        "sm_occupancy_pct": finite(activity.sm_occupancy_pct),
        "tensor_pct": finite(activity.tensor_pct),
        "dram_pct": finite(activity.dram_pct),
    }
    return {**row, "unavailable": unavailable(row, row, {}, "the driver gives no such figure now")}


def _mig_object(instance: MigInstance) -> dict[str, Any]:
    row: dict[str, Any] = {
        "gpu_instance_id": instance.gpu_instance_id,
        "compute_instance_id": instance.compute_instance_id,
        "uuid": instance.uuid,
        "profile": instance.profile,
        "memory_total_bytes": instance.memory_total_bytes,
        "memory_used_bytes": instance.memory_used_bytes,
        "memory_reserved_bytes": instance.memory_reserved_bytes,
        "memory_free_bytes": instance.memory_free_bytes,
    }
    why = "the driver gives no such figure for this slice"
    return {**row, "unavailable": unavailable(row, row, instance.unavailable, why)}
