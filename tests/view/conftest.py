"""Short ways to write the values that the view is about."""

from __future__ import annotations

from dataclasses import fields
from types import SimpleNamespace

import pytest

from dstop.model.gpu import Gpu
from dstop.model.host import Host
from dstop.model.process import GpuProcess, ProcessFacts
from dstop.model.sample import Sample
from dstop.model.unattributed import Unattributed

GIB = 2**30
NOW_NS = 1_700_000_000 * 10**9
_OF_THE_ROW = {field.name for field in fields(GpuProcess)} - {"gpu_index", "pid", "facts", "unavailable"}


def process(gpu_index: int = 0, pid: int = 100, gib: float | None = 1, **rest) -> GpuProcess:
    """Build a row from fields of both the row and its facts."""
    row = {name: value for name, value in rest.items() if name in _OF_THE_ROW}
    facts = {name: value for name, value in rest.items() if name not in _OF_THE_ROW}
    memory = None if gib is None else int(gib * GIB)
    row = {"gpu_memory_bytes": memory} | row
    return GpuProcess(gpu_index=gpu_index, pid=pid, facts=ProcessFacts(pid=pid, **facts), **row)


def gpu(index: int = 0, **rest) -> Gpu:
    """Build a card of 80 GiB."""
    return Gpu(index=index, **({"memory_total_bytes": 80 * GIB, "uuid": f"GPU-{index:08x}-aa"} | rest))


def nobodys(gpu_index: int, gib: float) -> Unattributed:
    """Build memory that no process explains."""
    return Unattributed(gpu_index=gpu_index, bytes=int(gib * GIB), cause="leaked by a crash")


def sample(*processes: GpuProcess, unattributed=(), gpus=None) -> Sample:
    """Build a sample with a card for each row."""
    indices = sorted({row.gpu_index for row in (*processes, *unattributed)})
    cards = tuple(gpu(index) for index in indices) if gpus is None else tuple(gpus)
    return Sample(
        taken_at_ns=NOW_NS,
        host=Host(name="h"),
        gpus=cards,
        processes=processes,
        unattributed=tuple(unattributed),
    )


@pytest.fixture(scope="session")
def build() -> SimpleNamespace:
    """Give the builders."""
    return SimpleNamespace(
        process=process, gpu=gpu, nobodys=nobodys, sample=sample, now_ns=NOW_NS, gib=GIB, facts=ProcessFacts
    )
