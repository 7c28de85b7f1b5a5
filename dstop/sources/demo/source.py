"""The demo as a source: a peer of the driver, and a pure function of time."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

from dstop.model.gpu import Gpu, Xid
from dstop.model.sample import Sample
from dstop.model.unattributed import WORTH_A_ROW_BYTES, Holder, Unattributed, likely_cause, unattributed_bytes
from dstop.sources import LAZY_FIELDS
from dstop.sources.demo.allocator import neighbour_allocator, rank_allocator
from dstop.sources.demo.figures import figures, instances, plate, terse, with_links
from dstop.sources.demo.load import load_at
from dstop.sources.demo.machine import machine
from dstop.sources.demo.physics import curve_of
from dstop.sources.demo.rows import neighbour_row, probe_row, rank_row
from dstop.sources.demo.scenery import BOOKKEEPING_BYTES, device_uuid, lay_out
from dstop.sources.demo.story import XID_AT_S, Phase, stale_for
from dstop.sources.demo.training import rank_bytes, rank_facts

if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Set as AbstractSet

    from dstop.model.allocator import Allocator
    from dstop.model.process import GpuProcess, ProcessFacts
    from dstop.sources.demo.physics import Curve
    from dstop.sources.demo.scenery import Card

SIMULATED = "simulated: no hardware behind these numbers"
EPOCH_S = 1_775_000_000.0
"""The date of the story's first second when somebody else's clock drives it: a picture stays the same."""
MOST_GPUS = 64
_DRIVER, _CUDA = "580.95.05", "13.0"
_ORPHAN_PID = 401_122


class DemoSource:
    """A training server that is not there.

    Args:
        clock: gives seconds since the story began. Without one the story begins now and runs in real time.
        seed: another seed is another machine: other PIDs and UUIDs, other wobble, the same story.
        gpus: how many cards, 1 … 64.
        speed: how many seconds of the story go by in a second.
        mig: cut GPU 0 into MIG instances.
        broken: have one card fall off the bus and the driver of another say little.
    """

    def __init__(
        self,
        clock: Callable[[], float] | None = None,
        *,
        seed: int = 0,
        gpus: int = 8,
        speed: float = 1.0,
        mig: bool = False,
        broken: bool = False,
    ) -> None:
        if not 1 <= gpus <= MOST_GPUS:
            raise ValueError(f"a demo has 1 to {MOST_GPUS} GPUs, not {gpus}")
        if not 0 < speed < float("inf"):
            raise ValueError(f"the speed of a demo is above 0, not {speed}")
        self._clock = clock or _stopwatch()
        self._epoch_s = EPOCH_S if clock else time.time()
        self._seed, self._speed, self._count = seed, speed, gpus
        self._cards = lay_out(gpus, seed=seed, epoch_s=self._epoch_s, mig=mig, broken=broken)
        self._plates = tuple(plate(card) for card in self._cards)
        self._world_size = sum(card.rank is not None for card in self._cards)
        self._watched: frozenset[str] = frozenset()
        self._newest: tuple[Sample, float] | None = None
        self._curve = lru_cache(maxsize=gpus)(self._curve_of)
        self._facts = lru_cache(maxsize=2 * gpus)(self._rank_facts)

    def read(self, *, patience_s: float = 0.5) -> Sample:  # noqa: ARG002 - nothing here is ever slow
        """Give the sample of the clock's moment."""
        seconds = self._clock()
        sample = self.sample_at(seconds)
        self._newest = (sample, seconds)
        return sample

    def newest(self) -> tuple[Sample, float]:
        """Give what was read last and its second of the clock: a hook answers for the moment of the figures."""
        if self._newest is None:
            seconds = self._clock()
            self._newest = (self.sample_at(seconds), seconds)
        return self._newest

    def allocator_of(self, row: GpuProcess, seconds: float) -> Allocator | None:
        """Give what PyTorch's allocator in a row's program says; None where the program has none.

        Args:
            row: of the sample of that moment.
            seconds: of the clock.
        """
        card = self._cards[row.gpu_index]
        now = max(0.0, seconds) * self._speed
        load = load_at(card, now - (stale_for(now) if card.sticks else 0.0))
        if row.facts.rank is not None and row.facts.job is not None and row.facts.framework == "pytorch":
            held = rank_bytes(card, load.phase, load.age_s, self._world_size)
            return rank_allocator(card, load, held, self._world_size, index=row.facts.local_rank or 0)
        for number, neighbour in enumerate(card.neighbours):
            if neighbour.facts.pid == row.pid and neighbour.facts.framework in {"pytorch", "vllm"}:
                uuid = device_uuid("MIG", self._seed, 1000 * card.index + number) if card.mig else card.uuid
                return neighbour_allocator(neighbour, uuid)
        return None

    def watch(self, fields: AbstractSet[str]) -> None:
        """Have these costly fields in the samples from now on, and no others."""
        self._watched = frozenset(fields) & LAZY_FIELDS

    def close(self) -> None:
        """Let go of nothing: there is nothing to hold."""

    def sample_at(self, seconds: float) -> Sample:
        """Give the sample of a moment, in seconds of the clock; the same moment gives the same sample."""
        seconds = max(0.0, seconds)
        at = seconds * self._speed
        gpus: list[Gpu] = []
        rows: list[GpuProcess] = []
        lost: list[Unattributed] = []
        for card, plate_ in zip(self._cards, self._plates, strict=True):
            gpu, own = self._card_at(card, plate_, at)
            gpus.append(gpu)
            rows.extend(own)
            if card.orphan_bytes:
                lost.extend(_unattributed(gpu, own))
        return Sample(
            taken_at_ns=round((self._epoch_s + seconds) * 1e9),
            host=machine(rows, self._count, at, seed=self._seed, speed=self._speed),
            driver_version=_DRIVER,
            cuda_version=_CUDA,
            gpus=tuple(gpus),
            processes=tuple(rows),
            unattributed=tuple(lost),
            notices=self._notices(rows),
            simulated=SIMULATED,
        )

    def _card_at(self, card: Card, plate_: Gpu, now: float) -> tuple[Gpu, list[GpuProcess]]:
        """Give one card and its rows; one that is stuck, as it was when it got stuck."""
        if card.lost:
            return plate_, []
        old = stale_for(now) if card.sticks else 0.0
        at = now - old
        load = load_at(card, at)
        rows = [neighbour_row(card, neighbour, load, at) for neighbour in card.neighbours]
        held = card.orphan_bytes + BOOKKEEPING_BYTES + sum(each.memory_bytes for each in card.neighbours)
        if load.phase is not Phase.ABSENT:
            rows.append(rank_row(card, load, self._facts(card.index, load.launch), self._world_size, at))
            held += rank_bytes(card, load.phase, load.age_s, self._world_size)
        probe = probe_row(card, self._count, at, epoch_s=self._epoch_s, speed=self._speed)
        if probe is not None:
            rows.append(probe)
            held += probe.gpu_memory_bytes or 0
        gpu = figures(plate_, card, load, self._curve(card.index), used_bytes=held, at_s=at)
        gpu = with_links(gpu, card, load, self._watched, at)
        return self._marked(gpu, card, rows, at, old), rows

    def _marked(self, gpu: Gpu, card: Card, rows: list[GpuProcess], at: float, old: float) -> Gpu:
        """Add what is peculiar to a card: its age, its instances, its trouble."""
        if old:
            gpu = replace(gpu, stale_s=round(old / self._speed, 3))
        if card.mig:
            gpu = replace(gpu, mig=instances(card, rows, self._seed))
        if card.remaps and at >= XID_AT_S:
            when = round((self._epoch_s + XID_AT_S / self._speed) * 1e9)
            marked = (Xid(code=63, at_ns=when),)
            gpu = replace(
                gpu, xids=marked, remapped_rows_pending=True, ecc_corrected=(gpu.ecc_corrected or 0) + 2
            )
        return terse(gpu) if card.terse else gpu

    def _curve_of(self, index: int) -> Curve:
        return curve_of(self._cards[index])

    def _rank_facts(self, index: int, launch: int) -> ProcessFacts:
        return rank_facts(
            self._cards[index], launch, self._world_size, epoch_s=self._epoch_s, speed=self._speed
        )

    def _notices(self, rows: list[GpuProcess]) -> tuple[str, ...]:
        hidden = sum(row.facts.user is None for row in rows)
        if not hidden:
            return ()
        return (f"{hidden} process of another PID namespace: run with --pid=host to see what it is",)


def _unattributed(gpu: Gpu, rows: list[GpuProcess]) -> list[Unattributed]:
    """Give the row of the worker that died without letting its memory go."""
    amount, _ = unattributed_bytes(gpu, rows)
    if amount is None or amount < WORTH_A_ROW_BYTES:
        return []
    holder = Holder(pid=_ORPHAN_PID, command="pt_data_worker", state="D", gpu_indices=(gpu.index,))
    cause = likely_cause(gpu, rows, [holder], sees_all=True, in_container=False)
    return [Unattributed(gpu_index=gpu.index, bytes=amount, cause=cause)]


def _stopwatch() -> Callable[[], float]:
    """Give a clock that begins at 0 and that nobody sets back."""
    began = time.monotonic()
    return lambda: time.monotonic() - began
