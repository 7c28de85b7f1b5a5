"""One GPU: what of it is due now, what came of it, and the tombstone when nothing comes."""

from __future__ import annotations

import time
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from dstop.model.gpu import Gpu
from dstop.sources.nvml import classes, mig
from dstop.sources.nvml.due import MEDIUM_S, SLOW_S, Due
from dstop.sources.nvml.figures import Figures
from dstop.sources.nvml.layouts import Parsed
from dstop.sources.nvml.lazy import LazyFigures
from dstop.sources.nvml.lists import COMPUTE, GRAPHICS, MPS, ProcessLists
from dstop.sources.nvml.memory import Memory
from dstop.sources.nvml.processes import Listed, merge, with_use
from dstop.sources.nvml.reading import Reading
from dstop.sources.nvml.reasons import (
    DRIVER_GONE,
    MILD,
    DriverGoneError,
    GpuFaultError,
    Unavailable,
    is_absent,
)
from dstop.sources.nvml.use import IDLE, UseReader

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from collections.abc import Set as AbstractSet

    from dstop.model.gpu import Xid
    from dstop.sources.nvml.binding import Driver

_LOST = frozenset({15, 16, 28})
"""GPU_IS_LOST, RESET_REQUIRED, GPU_NOT_FOUND: said of memory, utilisation or power, they speak of the GPU."""
_SLOW_PASS_S = 0.05
_STATIC = ("uuid", "name", "pci_bus_id")
_ABSENT_AT_FIRST = tuple(
    field.name for field in fields(Gpu) if field.default is None and field.name != "fault"
)


class Card:
    """A job for a lane: reads one GPU, by its index, and publishes what it found in `reading`."""

    def __init__(
        self,
        driver: Driver,
        index: int,
        *,
        pid_max: int,
        watched: Callable[[], AbstractSet[str]] = frozenset,
        xids: Callable[[int], tuple[Xid, ...]] = lambda _index: (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.index = index
        self.reading: Reading | None = None
        self.handle: Any = None
        self.minor: int | None = None
        # Until a pass has shown otherwise: then the fast figures are not held back for the others.
        self._is_slow = True
        self._driver, self._clock, self._watched, self._xids = driver, clock, watched, xids
        self._pid_max = pid_max
        self._figures = Figures()
        self._medium, self._slow = Due(MEDIUM_S), Due(SLOW_S)
        self._lazy = LazyFigures(driver, self._figures)
        self._fresh()

    # --- being a job ---------------------------------------------------------------------------------

    def prompt(self) -> None:
        """Read the fast figures, publish them, then what else is due."""
        now_s = self._clock()
        try:
            self._begin()
            memory = self._fast()
            medium, slow = self._medium.now(now_s), self._slow.now(now_s)
            if self._is_slow or not (medium or slow):
                self._publish(now_s)
            if slow:
                self._read_slow()
            if medium:
                self._read_medium(memory, now_s)
            if medium or slow:
                self._publish(now_s)
            self._is_slow = self._clock() - now_s > _SLOW_PASS_S
        except GpuFaultError as fault:
            self._bury(fault.reason, now_s)
        except DriverGoneError as gone:
            self._bury(str(gone), now_s, gone=gone.code)

    def linger(self) -> None:
        """Read what is costly, for as long as it is watched."""
        reading = self.reading
        if reading is None or self.handle is None:
            return
        if self._lazy.read(self.handle, self._watched(), self._clock()):
            self._publish(reading.at_s)

    # --- reading -------------------------------------------------------------------------------------

    def _fresh(self) -> None:
        """Forget all that belongs to a handle that is no longer good."""
        self.handle = None
        self._slices: tuple[mig.Slice, ...] = ()
        self._lists = ProcessLists(self._driver, pid_max=self._pid_max)
        self._use = UseReader(self._driver)
        self._listed: tuple[Listed, ...] = ()
        self._lists_at_s: float | None = None
        self._lists_reason: str | None = None
        self._used_at_lists: Gpu | None = None
        self._dropped = 0
        self._medium.reset()
        self._slow.reset()

    def _begin(self) -> None:
        """Have a handle, and what never changes of the card behind it."""
        if self.handle is not None:
            return
        handle = self._driver.ask("nvmlDeviceGetHandleByIndex", self.index)
        if isinstance(handle, Unavailable):
            self._judge(handle)
            raise GpuFaultError(handle.reason)
        before = {name: self._figures.values.get(name) for name in _STATIC}
        classes.read_static(self._driver, handle, self._figures)
        for name, value in before.items():
            # A card that is falling off answers its name no more; what it was called stays true.
            if self._figures.values[name] is None and value is not None:
                self._figures.put(name, value)
        for name in _ABSENT_AT_FIRST:
            if name not in self._figures.values:
                self._figures.miss(name, "not read yet")
        self._lazy.hide()
        minor = self._driver.ask("nvmlDeviceGetMinorNumber", handle)
        self.minor = None if is_absent(minor) else int(minor)
        self.handle = handle

    def _fast(self) -> Memory | Unavailable:
        memory, rates, power = classes.read_fast(self._driver, self.handle, self._figures)
        refusals = [answer for answer in (memory, rates, power) if isinstance(answer, Unavailable)]
        for refusal in refusals:
            self._judge(refusal)
        self._explain_mig()
        if len(refusals) == 3 and all(refusal.code not in MILD for refusal in refusals):  # noqa: PLR2004
            raise GpuFaultError(refusals[0].reason)
        return memory

    def _explain_mig(self) -> None:
        """Say why a board that counts its utilisation at other times does not now."""
        if self._figures.values.get("mig_enabled"):
            for name in ("utilization_gpu_pct", "utilization_memory_pct"):
                if self._figures.values[name] is None:
                    self._figures.miss(name, "not counted while MIG is on")

    def _judge(self, refusal: Unavailable) -> None:
        """Raise for a refusal that speaks of more than one figure."""
        if refusal.code in DRIVER_GONE:
            raise DriverGoneError(refusal.code)
        if refusal.code in _LOST:
            raise GpuFaultError(refusal.reason)

    def _read_slow(self) -> None:
        classes.read_slow(self._driver, self.handle, self._figures)
        on = self._figures.values.get("mig_enabled") is True
        self._explain_mig()
        self._slices = mig.read_layout(self._driver, self.handle) if on else ()

    def _read_medium(self, memory: Memory | Unavailable, now_s: float) -> None:
        """Read the process lists and what the processes do."""
        self._figures.put("mig", mig.read_instances(self._driver, self._slices))
        total = memory.total if isinstance(memory, Memory) else None
        answers = [self._list(kind, total) for kind in (COMPUTE, GRAPHICS, MPS)]
        compute = answers[0]
        rows = [() if isinstance(answer, Unavailable) else answer.rows for answer in answers]
        self._dropped = sum(0 if isinstance(answer, Unavailable) else answer.dropped for answer in answers)
        self._lists_reason = compute.reason if isinstance(compute, Unavailable) else None
        merged = merge(*rows)
        used, rest = self._use.read(self.handle, time.time_ns() // 1000) if merged else ({}, IDLE)
        listed = with_use(merged, used, rest)
        if listed != self._listed:
            self._listed = listed
        self._lists_at_s, self._used_at_lists = now_s, None

    def _list(self, kind: str, total: int | None) -> Any:
        """Read one list of the card, or of its slices where the card as a whole is not ours to ask."""
        answer = self._lists.read(self.handle, kind, total)
        if not isinstance(answer, Unavailable) or not self._slices:
            return answer
        found, dropped = [], 0
        for one in self._slices:
            part = self._lists.read(one.handle, kind, total)
            if isinstance(part, Unavailable):
                return answer
            dropped += part.dropped
            found += [
                row._replace(gpu_instance_id=one.gpu_instance_id, compute_instance_id=one.compute_instance_id)
                for row in part.rows
            ]
        return Parsed(tuple(found), dropped)

    # --- publishing ----------------------------------------------------------------------------------

    def _publish(self, at_s: float) -> None:
        gpu = Gpu(
            index=self.index,
            xids=self._xids(self.index),
            unavailable=self._figures.reasons(),
            **self._figures.values,
        )
        if self._used_at_lists is None and self._lists_at_s is not None:
            self._used_at_lists = gpu
        self.reading = Reading(
            gpu=gpu,
            at_s=at_s,
            listed=self._listed,
            lists_at_s=self._lists_at_s,
            used_at_lists=self._used_at_lists,
            lists_reason=self._lists_reason,
            dropped=self._dropped,
        )

    def _bury(self, reason: str, now_s: float, *, gone: int | None = None) -> None:
        """Publish a tombstone: who it was, and why it says nothing. The next pass tries it from the start."""
        self._lazy.forget()
        self._fresh()
        self._figures.drop([name for name in self._figures.values if name not in _STATIC])
        self.reading = Reading(gpu=self.tombstone(reason), at_s=now_s, gone=gone)

    def tombstone(self, reason: str) -> Gpu:
        """Give the row of a card that says nothing, with what is known of it."""
        known: Mapping[str, Any] = {name: self._figures.values.get(name) for name in _STATIC}
        why = {name: reason for name, value in known.items() if value is None}
        return Gpu(index=self.index, fault=reason, xids=self._xids(self.index), unavailable=why, **known)
