"""Which series say what: dstop's own exporter, NVIDIA's dcgm-exporter, and nvitop-exporter.

Sources: `dstop.model.metric`; DCGM's field list (docs.nvidia.com/datacenter/dcgm, "Field Identifiers": framebuffer
fields are MiB, power is watts) and dcgm-exporter's `etc/default-counters.csv`; nvitop-exporter's README (memory in MiB,
with the unit at the end of the name as prometheus-client puts it there).
"""

from __future__ import annotations

from typing import NamedTuple

from dstop.model import metric as m
from dstop.units import MIB

DSTOP, DCGM, NVITOP = "dstop", "dcgm", "nvitop"
ORDER = (DSTOP, DCGM, NVITOP)
"""Who is believed first where two tell the same of a card: the one that says most of it."""


class Figure(NamedTuple):
    """What one sample becomes."""

    exporter: str
    field: str
    """Of `FleetGpu` or `FleetProcess`."""
    factor: float = 1
    """From the exporter's unit to ours."""


_PERCENT, _MILLI = 100, 1000

CARDS: dict[str, Figure] = {
    m.GPU_UP.name: Figure(DSTOP, "up"),
    m.GPU_NAMES.name: Figure(DSTOP, ""),
    m.GPU_MEMORY.name: Figure(DSTOP, "memory_total_bytes"),
    m.GPU_MEMORY_USED.name: Figure(DSTOP, "memory_used_bytes"),
    m.GPU_MEMORY_RESERVED.name: Figure(DSTOP, "memory_reserved_bytes"),
    m.GPU_MEMORY_FREE.name: Figure(DSTOP, "memory_free_bytes"),
    m.GPU_UNATTRIBUTED.name: Figure(DSTOP, "memory_unattributed_bytes"),
    m.GPU_BUSY.name: Figure(DSTOP, "utilization_gpu_pct", _PERCENT),
    m.GPU_POWER.name: Figure(DSTOP, "power_mw", _MILLI),
    m.GPU_POWER_LIMIT.name: Figure(DSTOP, "power_limit_mw", _MILLI),
    m.GPU_TEMPERATURE.name: Figure(DSTOP, "temperature_c"),
    m.GPU_REMAP_PENDING.name: Figure(DSTOP, "remapped_rows_pending"),
    m.GPU_REMAP_FAILED.name: Figure(DSTOP, "remapped_rows_failed"),
    m.GPU_XID_TIME.name: Figure(DSTOP, "xid_at_s"),
    "DCGM_FI_DEV_FB_USED": Figure(DCGM, "memory_used_bytes", MIB),
    "DCGM_FI_DEV_FB_FREE": Figure(DCGM, "memory_free_bytes", MIB),
    "DCGM_FI_DEV_FB_RESERVED": Figure(DCGM, "memory_reserved_bytes", MIB),
    "DCGM_FI_DEV_FB_TOTAL": Figure(DCGM, "memory_total_bytes", MIB),
    "DCGM_FI_DEV_GPU_UTIL": Figure(DCGM, "utilization_gpu_pct"),
    "DCGM_FI_DEV_POWER_USAGE": Figure(DCGM, "power_mw", _MILLI),
    "DCGM_FI_DEV_POWER_MGMT_LIMIT": Figure(DCGM, "power_limit_mw", _MILLI),
    "DCGM_FI_DEV_GPU_TEMP": Figure(DCGM, "temperature_c"),
    "DCGM_FI_DEV_XID_ERRORS": Figure(DCGM, "xid"),
    "DCGM_FI_DEV_ECC_DBE_VOL_TOTAL": Figure(DCGM, "ecc_uncorrected"),
    "DCGM_FI_DEV_ROW_REMAP_PENDING": Figure(DCGM, "remapped_rows_pending"),
    "DCGM_FI_DEV_ROW_REMAP_FAILURE": Figure(DCGM, "remapped_rows_failed"),
    "DCGM_FI_DEV_CLOCK_THROTTLE_REASONS": Figure(DCGM, "throttle_reasons"),
    "DCGM_FI_DEV_CLOCKS_EVENT_REASONS": Figure(DCGM, "throttle_reasons"),
    "gpu_memory_used_MiB": Figure(NVITOP, "memory_used_bytes", MIB),
    "gpu_memory_free_MiB": Figure(NVITOP, "memory_free_bytes", MIB),
    "gpu_memory_total_MiB": Figure(NVITOP, "memory_total_bytes", MIB),
    "gpu_utilization_Percentage": Figure(NVITOP, "utilization_gpu_pct"),
    "gpu_power_usage_W": Figure(NVITOP, "power_mw", _MILLI),
    "gpu_power_limit_W": Figure(NVITOP, "power_limit_mw", _MILLI),
    "gpu_temperature_C": Figure(NVITOP, "temperature_c"),
}
"""One sample a card; an empty field is a series that has names alone."""

PROCESSES: dict[str, Figure] = {
    m.PROCESS_MEMORY.name: Figure(DSTOP, "gpu_memory_bytes"),
    m.PROCESS_BUSY.name: Figure(DSTOP, "sm_pct", _PERCENT),
    m.TORCH_ALLOCATED.name: Figure(DSTOP, "allocated_bytes"),
    m.TORCH_RESERVED.name: Figure(DSTOP, "reserved_bytes"),
    m.EXPECTED.name: Figure(DSTOP, "expected_bytes"),
    "process_gpu_memory_MiB": Figure(NVITOP, "gpu_memory_bytes", MIB),
    "process_gpu_sm_utilization_Percentage": Figure(NVITOP, "sm_pct"),
}

THROTTLE = f"{m.GPU_THROTTLE.name}"
ECC = m.GPU_ECC.name
HOSTS = (m.HOST.name, m.UP.name)
_MARKS = (m.HOST.name, "DCGM_FI_DEV_FB_USED", "DCGM_FI_DEV_GPU_UTIL", "gpu_memory_used_MiB")
"""Series that each host of an exporter has, of DCGM and nvitop each card: whatever had one an hour ago and has none now
is gone. dstop's exporter itself tells of cards that do not answer."""
GONE_WITHIN = "1h"


def selector(names: tuple[str, ...], match: str = "") -> str:
    """Select all series of these names; they are ours, and hold no character that a regular expression minds."""
    more = f",{match}" if match else ""
    return f'{{__name__=~"{"|".join(names)}"{more}}}'


def cards_query(match: str = "") -> str:
    """Ask for cards and hosts; of reasons and counts only what is not nought, for there are eleven a card."""
    more = f",{match}" if match else ""
    return (
        f"{selector((*CARDS, *HOSTS), match)}"
        f" or ({m.GPU_THROTTLE.name}{{{match}}} == 1)"
        f' or {m.GPU_ECC.name}{{error="uncorrected"{more}}}'
    )


def processes_query(match: str = "") -> str:
    """Ask for processes."""
    return selector(tuple(PROCESSES), match)


def findings_query(match: str = "") -> str:
    """Ask for what the exporters' own rules found."""
    return f"{m.FINDING.name}{{{match}}} == 1"


def gone_query(match: str = "") -> str:
    """Ask for hosts and cards that were told of within the last hour and are not now.

    A target can stand for several hosts (a proxy), so the labels that name them count, too.
    """
    chosen = selector(_MARKS, match)
    names = "job, instance, Hostname, hostname, gpu, index"
    old = f"group by ({names}) (last_over_time({chosen}[{GONE_WITHIN}]))"
    return f"{old} unless on ({names}) group by ({names}) ({chosen})"
