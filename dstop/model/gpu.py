"""One GPU, as one reading of the driver describes it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dstop.model.value import Value

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class MigInstance(Value):
    """A MIG slice of a card: its own memory, its own processes, no utilisation counter of its own."""

    gpu_instance_id: int
    compute_instance_id: int
    uuid: str | None = None
    profile: str | None = None
    """The name NVIDIA gives the slice, such as `3g.40gb`."""
    memory_total_bytes: int | None = None
    memory_used_bytes: int | None = None
    memory_reserved_bytes: int | None = None
    memory_free_bytes: int | None = None
    unavailable: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Xid(Value):
    """An error the driver reported through its event set while dstop was watching."""

    code: int
    at_ns: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Activity(Value):
    """GPM figures of Hopper and newer: what the chip really did over the last interval, in percent."""

    sm_pct: float | None = None
    sm_occupancy_pct: float | None = None
    tensor_pct: float | None = None
    dram_pct: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Gpu(Value):
    """One card. `fault` makes it a tombstone: the row stays, with the reason it says nothing."""

    index: int
    uuid: str | None = None
    name: str | None = None
    pci_bus_id: str | None = None
    fault: str | None = None
    stale_s: float = 0.0
    """How old the figures are when its driver calls do not come back; 0 while they do."""

    memory_total_bytes: int | None = None
    memory_used_bytes: int | None = None
    """What is allocated on the card, without what the driver keeps for itself (NVML memory info v2)."""
    memory_reserved_bytes: int | None = None
    memory_free_bytes: int | None = None
    left_out_bytes: int | None = 0
    """Held by processes that this sample leaves out (`--user`, a filter); None when one of them tells no figure."""
    unified_memory: bool = False
    """The GPU shares the host's memory (GB10, Grace, Jetson): totals are the host's."""

    utilization_gpu_pct: float | None = None
    utilization_memory_pct: float | None = None
    encoder_pct: float | None = None
    decoder_pct: float | None = None
    power_mw: int | None = None
    power_limit_mw: int | None = None
    energy_mj: int | None = None
    """Millijoules since the driver was loaded (NVML's total energy counter)."""

    temperature_c: int | None = None
    temperature_memory_c: int | None = None
    temperature_slowdown_c: int | None = None
    clock_sm_mhz: int | None = None
    clock_sm_max_mhz: int | None = None
    clock_memory_mhz: int | None = None
    fan_pct: int | None = None
    performance_state: int | None = None
    """0 is the fastest state (P0), 15 the slowest."""
    throttle_reasons: tuple[str, ...] | None = None
    """What holds the clocks down now, in the names of `THROTTLE_REASONS`; empty means nothing does."""
    ecc_corrected: int | None = None
    ecc_uncorrected: int | None = None
    """Volatile counts: since the driver was loaded."""
    remapped_rows_pending: bool | None = None
    remapped_rows_failed: bool | None = None
    persistence_mode: bool | None = None
    compute_mode: str | None = None
    compute_capability: str | None = None
    virtualization: str | None = None
    mig_enabled: bool | None = None
    mig: tuple[MigInstance, ...] = ()
    xids: tuple[Xid, ...] = ()

    pcie_generation: int | None = None
    pcie_width: int | None = None
    pcie_tx_bytes_s: int | None = None
    """From the GPU to the host, per second. Read only while shown: the driver takes 20 ms for it."""
    pcie_rx_bytes_s: int | None = None
    nvlink_tx_bytes_s: int | None = None
    nvlink_rx_bytes_s: int | None = None
    activity: Activity | None = None

    unavailable: Mapping[str, str] = field(default_factory=dict)

    @property
    def memory_pct(self) -> float | None:
        """Used share of the memory that programs can have (total without the driver's reserve)."""
        if self.memory_total_bytes is None or self.memory_used_bytes is None:
            return None
        usable = self.memory_total_bytes - (self.memory_reserved_bytes or 0)
        return 100 * self.memory_used_bytes / usable if usable > 0 else None


THROTTLE_REASONS: Mapping[int, str] = {
    0x001: "idle",
    0x002: "application_clocks",
    0x004: "power_cap",
    0x008: "hw_slowdown",
    0x010: "sync_boost",
    0x020: "sw_thermal",
    0x040: "hw_thermal",
    0x080: "hw_power_brake",
    0x100: "display_clocks",
    0x200: "board_limit",
    0x400: "reliability",
}
"""NVML's clock event reason bits, in short names (nvml.h, `nvmlClocksEventReason*`; the last two are in
`nvmlClocksThrottleReason*` alone)."""

QUIET_REASONS = frozenset({"idle", "application_clocks", "display_clocks", "sync_boost"})
"""Reasons that are settings or rest, not trouble: no badge is drawn for them."""
