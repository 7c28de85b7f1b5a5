"""The figures of one card at one moment, as its driver would give them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from dstop.model.gpu import Activity, Gpu, MigInstance
from dstop.sources.demo.noise import wobble
from dstop.sources.demo.physics import (
    CLOCK_MEMORY_MHZ,
    CLOCK_SM_MAX_MHZ,
    POWER_LIMIT_W,
    SLOWDOWN_C,
    clock_mhz,
    drawn_watts,
)
from dstop.sources.demo.scenery import (
    BOOKKEEPING_BYTES,
    RESERVED_BYTES,
    TOTAL_BYTES,
    USABLE_BYTES,
    device_uuid,
)
from dstop.units import MIB

if TYPE_CHECKING:
    from collections.abc import Sequence
    from collections.abc import Set as AbstractSet

    from dstop.model.process import GpuProcess
    from dstop.sources.demo.load import Load
    from dstop.sources.demo.physics import Curve
    from dstop.sources.demo.scenery import Card

_PROFILES = ((1, "3g.40gb", 40448 * MIB), (5, "2g.20gb", 20096 * MIB), (13, "1g.10gb", 9984 * MIB))
"""GPU instance, profile, memory. Two 3g.40gb would leave an H100 no memory slice for the third."""
_INSTANCE_RESERVED_BYTES = 62 * MIB
_LINKS = ("pcie_tx_bytes_s", "pcie_rx_bytes_s", "nvlink_tx_bytes_s", "nvlink_rx_bytes_s", "activity")
_LAZY = "read only while shown"
_COUNTERS = ("utilization_gpu_pct", "utilization_memory_pct", "encoder_pct", "decoder_pct")
_MIG = "MIG is on: the driver has no such counter for the whole card"
_TERSE = "not supported by this driver on this card"
_TERSE_FIELDS = (
    "utilization_memory_pct",
    "power_mw",
    "power_limit_mw",
    "energy_mj",
    "temperature_memory_c",
    "clock_sm_mhz",
    "clock_sm_max_mhz",
    "clock_memory_mhz",
    "performance_state",
    "throttle_reasons",
    "ecc_corrected",
    "ecc_uncorrected",
    "remapped_rows_pending",
    "remapped_rows_failed",
)
_LOST = "it has fallen off the PCIe bus (Xid 79); restart the host to have it back"


def plate(card: Card) -> Gpu:
    """Give what of a card never changes; a lost one has nothing else."""
    if card.lost:
        return Gpu(index=card.index, uuid=card.uuid, name=NAME, pci_bus_id=card.pci_bus_id, fault=_LOST)
    unavailable = {"fan_pct": "no fan of its own: the chassis cools it", **dict.fromkeys(_LINKS, _LAZY)}
    if card.mig:
        unavailable |= dict.fromkeys(_COUNTERS, _MIG)
    if card.terse:
        unavailable |= dict.fromkeys((*_TERSE_FIELDS, *_LINKS), _TERSE)
    return Gpu(
        index=card.index,
        uuid=card.uuid,
        name=NAME,
        pci_bus_id=card.pci_bus_id,
        memory_total_bytes=TOTAL_BYTES,
        memory_reserved_bytes=RESERVED_BYTES,
        power_limit_mw=round(1000 * POWER_LIMIT_W),
        temperature_slowdown_c=SLOWDOWN_C,
        clock_sm_max_mhz=CLOCK_SM_MAX_MHZ,
        clock_memory_mhz=CLOCK_MEMORY_MHZ,
        performance_state=0,
        ecc_corrected=3 if card.hot else 0,
        ecc_uncorrected=0,
        remapped_rows_pending=False,
        remapped_rows_failed=False,
        persistence_mode=True,
        compute_mode="default",
        compute_capability="9.0",
        virtualization="none",
        mig_enabled=card.mig,
        pcie_generation=5,
        pcie_width=16,
        unavailable=unavailable,
    )


NAME = "NVIDIA H100 80GB HBM3"


def figures(plate: Gpu, card: Card, load: Load, curve: Curve, *, used_bytes: int, at_s: float) -> Gpu:
    """Give a card's figures: memory as counted, the rest as its load and its past make it."""
    busy = min(1.0, max(0.0, load.busy + (0.012 * wobble(card.seed, 1, at_s) if load.busy else 0.0)))
    too_hot = curve.too_hot_at(at_s)
    wanted = load.watts + (7 if load.busy else 0.7) * wobble(card.seed, 2, at_s / 1.5)
    celsius = curve.celsius_at(at_s)
    memory_busy = min(1.0, load.rank.memory_busy * load.rank.busy + 0.62 * load.server)
    counted = not card.mig
    return replace(
        plate,
        memory_used_bytes=used_bytes,
        memory_free_bytes=USABLE_BYTES - used_bytes,
        utilization_gpu_pct=round(100 * busy) if counted else None,
        utilization_memory_pct=round(100 * memory_busy) if counted else None,
        encoder_pct=0 if counted else None,
        decoder_pct=0 if counted else None,
        power_mw=round(1000 * drawn_watts(wanted, too_hot=too_hot)),
        energy_mj=curve.millijoules_at(at_s),
        temperature_c=round(celsius),
        temperature_memory_c=round(celsius + 6 + 9 * memory_busy),
        clock_sm_mhz=clock_mhz(wanted, held=used_bytes > BOOKKEEPING_BYTES, too_hot=too_hot),
        throttle_reasons=_reasons(load.busy, wanted, too_hot=too_hot),
    )


def _reasons(busy: float, wanted: float, *, too_hot: bool) -> tuple[str, ...]:
    """Say what holds the clocks down, as the driver's event reasons do."""
    if not busy:
        return ("idle",)
    power = ("power_cap",) if wanted > POWER_LIMIT_W else ()
    return (*power, "sw_thermal") if too_hot else power


def with_links(gpu: Gpu, card: Card, load: Load, watched: AbstractSet[str], at_s: float) -> Gpu:
    """Add the costly figures that somebody looks at."""
    if card.terse or not watched:
        return gpu
    sway = 1 + 0.07 * wobble(card.seed, 4, at_s)
    work = load.rank
    got = {name for name in _LINKS if name.split("_", maxsplit=1)[0] in watched}
    return replace(
        gpu,
        pcie_tx_bytes_s=round(sway * (work.gpu_to_host + 38e6 * load.server)) if "pcie" in watched else None,
        pcie_rx_bytes_s=round(sway * (work.host_to_gpu + 61e6 * load.server)) if "pcie" in watched else None,
        nvlink_tx_bytes_s=round(sway * work.nvlink) if "nvlink" in watched else None,
        nvlink_rx_bytes_s=round((2 - sway) * work.nvlink) if "nvlink" in watched else None,
        activity=_activity(load, sway) if "activity" in watched else None,
        unavailable={name: why for name, why in gpu.unavailable.items() if name not in got},
    )


def _activity(load: Load, sway: float) -> Activity:
    """Give the chip's own counters: they tell a rank that computes from one that waits in NCCL.

    A kernel that waits keeps two dozen of 132 SMs, so "100 % utilisation" is 18 % of the chip.
    """
    works = load.rank.tensor > 0
    sm = (0.86 if works else 0.18) * load.rank.busy + 0.5 * load.server
    return Activity(
        sm_pct=_percent(sm * sway),
        sm_occupancy_pct=_percent(sm * (0.41 if works else 0.2) * sway),
        tensor_pct=_percent((load.rank.tensor + 0.12 * load.server) * sway),
        dram_pct=_percent((0.9 * load.rank.memory_busy + 0.4 * load.server) * sway),
    )


def _percent(share: float) -> float:
    return round(100 * min(1.0, max(0.0, share)), 1)


def terse(gpu: Gpu) -> Gpu:
    """Take away what a driver that answers few questions does not say."""
    return replace(
        gpu,
        utilization_memory_pct=None,
        power_mw=None,
        power_limit_mw=None,
        energy_mj=None,
        temperature_memory_c=None,
        clock_sm_mhz=None,
        clock_sm_max_mhz=None,
        clock_memory_mhz=None,
        performance_state=None,
        throttle_reasons=None,
        ecc_corrected=None,
        ecc_uncorrected=None,
        remapped_rows_pending=None,
        remapped_rows_failed=None,
    )


def instances(card: Card, rows: Sequence[GpuProcess], seed: int) -> tuple[MigInstance, ...]:
    """Cut a card into its instances, each with the memory of its own programs."""
    cut = []
    for number, (gpu_instance, profile, total) in enumerate(_PROFILES):
        used = sum(row.gpu_memory_bytes or 0 for row in rows if row.gpu_instance_id == gpu_instance)
        cut.append(
            MigInstance(
                gpu_instance_id=gpu_instance,
                compute_instance_id=0,
                uuid=device_uuid("MIG", seed, 1000 * card.index + number),
                profile=profile,
                memory_total_bytes=total,
                memory_used_bytes=used,
                memory_reserved_bytes=_INSTANCE_RESERVED_BYTES,
                memory_free_bytes=total - _INSTANCE_RESERVED_BYTES - used,
            )
        )
    return tuple(cut)
