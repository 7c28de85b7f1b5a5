"""What a threshold can be about: one line a figure of a card or of the host."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from dstop.model.unattributed import unattributed_bytes
from dstop.model.value import Value
from dstop.units import bytes_text
from dstop.view.filter.fields import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dstop.model.gpu import Gpu
    from dstop.model.sample import Sample


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Figure(Value):
    """A name after `gpu.` or `host.`, in the words of the JSON where it has one; None is not known."""

    name: str
    kind: Kind
    unit: str
    read: Callable[[Sample, Gpu | None], float | None]

    def text(self, value: float) -> str:
        """Write a value with its unit: `97.2 %`, `61.2G`."""
        if self.kind is Kind.BYTES:
            return bytes_text(value)
        return f"{round(value, 1):g}{self.unit}"


def _gpu(name: str, kind: Kind, unit: str, read: Callable[[Gpu], float | None]) -> Figure:
    return Figure(name=name, kind=kind, unit=unit, read=lambda _, gpu: None if gpu is None else read(gpu))


def _share(part: float | None, whole: float | None) -> float | None:
    return None if part is None or not whole else 100 * part / whole


def _watts(milliwatts: int | None) -> float | None:
    return None if milliwatts is None else milliwatts / 1000


def _unattributed(sample: Sample, gpu: Gpu | None) -> float | None:
    return None if gpu is None else unattributed_bytes(gpu, sample.processes)[0]


def _processes(sample: Sample, gpu: Gpu | None) -> float | None:
    return None if gpu is None else sum(row.gpu_index == gpu.index for row in sample.processes)


_NUMBER = Kind.PERCENT
"""A plain number is written as a percentage is."""

_OF_GPU = (
    _gpu("memory_pct", Kind.PERCENT, " %", lambda gpu: gpu.memory_pct),
    _gpu("memory_used_bytes", Kind.BYTES, "", lambda gpu: gpu.memory_used_bytes),
    _gpu("memory_free_bytes", Kind.BYTES, "", lambda gpu: gpu.memory_free_bytes),
    _gpu("memory_total_bytes", Kind.BYTES, "", lambda gpu: gpu.memory_total_bytes),
    Figure(name="memory_unattributed_bytes", kind=Kind.BYTES, unit="", read=_unattributed),
    _gpu("utilization_gpu_pct", Kind.PERCENT, " %", lambda gpu: gpu.utilization_gpu_pct),
    _gpu("utilization_memory_pct", Kind.PERCENT, " %", lambda gpu: gpu.utilization_memory_pct),
    _gpu("power_w", _NUMBER, " W", lambda gpu: _watts(gpu.power_mw)),
    _gpu("power_pct", Kind.PERCENT, " %", lambda gpu: _share(gpu.power_mw, gpu.power_limit_mw)),
    _gpu("temperature_c", _NUMBER, " C", lambda gpu: gpu.temperature_c),
    _gpu("temperature_memory_c", _NUMBER, " C", lambda gpu: gpu.temperature_memory_c),
    _gpu("clock_sm_mhz", _NUMBER, " MHz", lambda gpu: gpu.clock_sm_mhz),
    _gpu("fan_pct", Kind.PERCENT, " %", lambda gpu: gpu.fan_pct),
    _gpu("ecc_corrected", _NUMBER, "", lambda gpu: gpu.ecc_corrected),
    _gpu("ecc_uncorrected", _NUMBER, "", lambda gpu: gpu.ecc_uncorrected),
    _gpu("index", _NUMBER, "", lambda gpu: gpu.index),
    Figure(name="processes", kind=_NUMBER, unit="", read=_processes),
)
_OF_HOST = (
    Figure(
        name="memory_pct",
        kind=Kind.PERCENT,
        unit=" %",
        read=lambda sample, _: _share(sample.host.memory_used_bytes, sample.host.memory_total_bytes),
    ),
    Figure(
        name="memory_used_bytes",
        kind=Kind.BYTES,
        unit="",
        read=lambda sample, _: sample.host.memory_used_bytes,
    ),
    Figure(
        name="swap_used_bytes", kind=Kind.BYTES, unit="", read=lambda sample, _: sample.host.swap_used_bytes
    ),
    Figure(name="cpu_pct", kind=Kind.PERCENT, unit=" %", read=lambda sample, _: sample.host.cpu_pct),
    Figure(name="load_1", kind=_NUMBER, unit="", read=lambda sample, _: sample.host.load_1),
)


@cache
def figures() -> Mapping[str, Mapping[str, Figure]]:
    """Give the figures by what they are of (`gpu`, `host`) and by name."""
    return {
        "gpu": {figure.name: figure for figure in _OF_GPU},
        "host": {figure.name: figure for figure in _OF_HOST},
    }
