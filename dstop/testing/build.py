"""Values to start a test from: plausible, whole, and different only where the test says so.

An override of None also gets its reason, because absence without one breaks the laws of the data.
"""

from __future__ import annotations

from dataclasses import fields, replace
from math import sin
from typing import TYPE_CHECKING, Any

from dstop.model.frame import Frame, GpuHistory, OwnCost
from dstop.model.gpu import Gpu
from dstop.model.host import Host
from dstop.model.process import GpuProcess, ProcessFacts
from dstop.model.sample import Sample
from dstop.units import GIB, MIB

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

TAKEN_AT_S = 1_775_000_000
"""The moment of every built value."""
_TOTAL, _RESERVED, _USED = 81559 * MIB, 597 * MIB, 40 * GIB
_REASON = "not supported"
_FACTS = {field.name for field in fields(ProcessFacts)} - {"pid", "unavailable"}


def make_gpu(index: int = 0, **overrides: Any) -> Gpu:
    """Give an H100 that is half full; free memory follows the used unless both are given."""
    used, total = overrides.get("memory_used_bytes", _USED), overrides.get("memory_total_bytes", _TOTAL)
    reserved = overrides.get("memory_reserved_bytes", _RESERVED)
    known = used is not None and total is not None
    free = max(0, total - used - (reserved or 0)) if known else None
    base = Gpu(
        index=index,
        uuid=f"GPU-00000000-0000-0000-0000-{index:012d}",
        name="NVIDIA H100 80GB HBM3",
        pci_bus_id=f"00000000:{0x18 + index:02X}:00.0",
        memory_total_bytes=_TOTAL,
        memory_used_bytes=_USED,
        memory_reserved_bytes=_RESERVED,
        memory_free_bytes=free,
        utilization_gpu_pct=97,
        utilization_memory_pct=52,
        encoder_pct=0,
        decoder_pct=0,
        power_mw=612_000,
        power_limit_mw=700_000,
        energy_mj=9_000_000_000,
        temperature_c=61,
        temperature_memory_c=72,
        temperature_slowdown_c=89,
        clock_sm_mhz=1980,
        clock_sm_max_mhz=1980,
        clock_memory_mhz=2619,
        fan_pct=30,
        performance_state=0,
        throttle_reasons=(),
        ecc_corrected=0,
        ecc_uncorrected=0,
        remapped_rows_pending=False,
        remapped_rows_failed=False,
        persistence_mode=True,
        compute_mode="default",
        compute_capability="9.0",
        virtualization="none",
        mig_enabled=False,
        pcie_generation=5,
        pcie_width=16,
    )
    absent = {**overrides} if known else {"memory_free_bytes": None, **overrides}
    return replace(base, **with_reasons(absent))


def make_facts(pid: int = 4000, **overrides: Any) -> ProcessFacts:
    """Give what is known of an ordinary training process."""
    base = ProcessFacts(
        pid=pid,
        ppid=1,
        started_at_s=float(TAKEN_AT_S - 3600),
        uid=1000,
        user="deepa",
        command="train.py",
        cmdline=("python", "train.py", "--model", "deepseek-ai/DeepSeek-V2-Lite"),
        framework="pytorch",
    )
    return replace(base, **with_reasons(overrides))


def make_process(gpu_index: int = 0, pid: int = 4000, **overrides: Any) -> GpuProcess:
    """Give a row; an override may name a field of the row or of its facts (`user`, `command`, `rank`, …)."""
    of_facts = {name: overrides.pop(name) for name in list(overrides) if name in _FACTS}
    base = GpuProcess(
        gpu_index=gpu_index,
        pid=pid,
        gpu_uuid=f"GPU-00000000-0000-0000-0000-{gpu_index:012d}",
        gpu_memory_bytes=10 * GIB,
        sm_pct=90,
        memory_pct=45,
        encoder_pct=0,
        decoder_pct=0,
        facts=make_facts(pid, **of_facts),
        cpu_pct=101.5,
        rss_bytes=9 * GIB,
        state="R",
    )
    return replace(base, **with_reasons(overrides))


def make_sample(gpus: int | Sequence[Gpu] = 8, processes_per_gpu: int = 8, **overrides: Any) -> Sample:
    """Give a machine; where cards are counted and not given, each is as full as its processes make it."""
    share = 72 * GIB // max(1, processes_per_gpu)
    cards = _cards(gpus, share * processes_per_gpu) if isinstance(gpus, int) else tuple(gpus)
    rows = tuple(
        make_process(
            card.index,
            4000 + 100 * card.index + number,
            gpu_uuid=card.uuid,
            gpu_memory_bytes=share,
            sm_pct=96 // processes_per_gpu,
        )
        for card in cards
        for number in range(processes_per_gpu)
        if card.fault is None
    )
    base = Sample(
        taken_at_ns=TAKEN_AT_S * 10**9,
        host=Host(
            name="testbox",
            cpu_count=224,
            cpu_pct=12.5,
            load_1=28.0,
            memory_total_bytes=2015 * GIB,
            memory_used_bytes=240 * GIB,
            swap_total_bytes=8 * GIB,
            swap_used_bytes=0,
            uptime_s=1_054_033.0,
        ),
        driver_version="580.95.05",
        cuda_version="13.0",
        gpus=cards,
        processes=rows,
    )
    return replace(base, **overrides)


def make_frame(sample: Sample | None = None, *, steps: int = 60, **overrides: Any) -> Frame:
    """Give a refresh whose every card has a past of `steps` values."""
    shown = make_sample() if sample is None else sample
    base = Frame(
        sample=shown,
        history={gpu.index: _history(gpu, steps) for gpu in shown.gpus},
        cost=OwnCost(cpu_pct=0.8, rss_bytes=58 * MIB),
    )
    return replace(base, **overrides)


def _cards(count: int, used: int) -> tuple[Gpu, ...]:
    return tuple(make_gpu(index, memory_used_bytes=used) for index in range(count))


def _history(gpu: Gpu, steps: int) -> GpuHistory:
    """Give a wave for each figure that the card has, and nothing for the others."""
    waves = tuple(50 + 45 * sin((step + 7 * gpu.index) / 6) for step in range(steps))
    nothing = (None,) * steps
    return GpuHistory(
        utilization_pct=nothing if gpu.utilization_gpu_pct is None else waves,
        memory_pct=nothing if gpu.memory_pct is None else tuple(40 + wave / 4 for wave in waves),
        power_pct=nothing if gpu.power_mw is None else tuple(20 + 0.7 * wave for wave in waves),
        temperature_c=nothing if gpu.temperature_c is None else tuple(45 + wave / 5 for wave in waves),
        steps=steps,
    )


def with_reasons(overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Add the reason that each None among the overrides needs, unless the test gives its own."""
    absent = {name: _REASON for name, value in overrides.items() if value is None}
    given = overrides.get("unavailable") or {}
    return {**overrides, "unavailable": {**absent, **given}} if absent or given else dict(overrides)
