"""The driver while it runs, until it goes away or we do: its cards, its lanes, its versions."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from dstop.model.value import Value
from dstop.sources.nvml.card import Card
from dstop.sources.nvml.census import MAX_GPUS, Census
from dstop.sources.nvml.events import XidWatch
from dstop.sources.nvml.lanes import Job, Lanes
from dstop.sources.nvml.reasons import DriverGoneError, is_absent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from collections.abc import Set as AbstractSet

    from dstop.model.gpu import Gpu
    from dstop.sources.nvml.binding import Binding
    from dstop.sources.nvml.reading import Reading

PID_MAX_FALLBACK = 2**22


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Started(Value):
    """What starting the driver gave."""

    count: int
    driver_version: str | None
    cuda_version: str | None


def start(binding: Binding) -> Started:
    """Start NVML and ask what concerns all GPUs.

    Raises:
        SourceError: when it does not start or has no GPU, with what to do.
    """
    code = binding.start()
    if code:
        from dstop.sources.nvml.absence import explain  # noqa: PLC0415 - only when there is no driver
        from dstop.sources.nvml.evidence import gather  # noqa: PLC0415 - as above

        raise explain(gather(code))
    count = binding.ask("nvmlDeviceGetCount")
    if is_absent(count):
        from dstop.sources.nvml.absence import explain  # noqa: PLC0415 - as above
        from dstop.sources.nvml.evidence import gather  # noqa: PLC0415 - as above

        raise explain(gather(count.code))
    if int(count) <= 0:
        from dstop.sources.nvml.absence import no_gpus  # noqa: PLC0415 - as above
        from dstop.sources.nvml.evidence import gather  # noqa: PLC0415 - as above

        raise no_gpus(gather(0))
    version = binding.text("nvmlSystemGetDriverVersion")
    cuda = binding.ask("nvmlSystemGetCudaDriverVersion_v2")
    return Started(
        count=min(int(count), MAX_GPUS),
        driver_version=version if isinstance(version, str) else None,
        cuda_version=None if is_absent(cuda) else cuda_text(int(cuda)),
    )


def cuda_text(number: int) -> str | None:
    """Write CUDA's version number as people do: 13000 is `13.0`."""
    return f"{number // 1000}.{number % 1000 // 10}" if 1000 <= number < 10**6 else None  # noqa: PLR2004


class Session:
    """One run of the driver. Read by one thread; `stop` may come from another."""

    def __init__(
        self, binding: Binding, started: Started, *, watched: Callable[[], AbstractSet[str]]
    ) -> None:
        self.started = started
        self._binding, self._watched = binding, watched
        self._pid_max = _pid_max()
        self._census = Census(binding, started.count)
        self._xids = XidWatch(binding, self._handles)
        self.cards: list[Card] = []
        self._lanes = Lanes()
        self._lingered = False
        self._adopt()

    def read(self, patience_s: float) -> list[tuple[Gpu, Reading | None]]:
        """Do a pass; give each card's row and the reading behind it, in index order.

        Raises:
            DriverGoneError: when no card could be read because the driver as a whole is away.
        """
        began_s = time.monotonic()
        watched = bool(self._watched())
        # Once more after nobody looks any more: to let go.
        late = self._lanes.run(patience_s, linger=watched or self._lingered)
        self._lingered = watched
        # A card that has just come is not silent: nobody has asked it yet.
        asked = tuple(self.cards)
        self._adopt()
        answered = [card.reading for card in asked if id(card) not in late and card.reading is not None]
        if answered and all(reading.gone is not None for reading in answered):
            raise DriverGoneError(answered[0].gone or 0)
        now_s = time.monotonic()
        return [(self._row(card, began_s, now_s, late=id(card) in late), card.reading) for card in asked]

    def minors(self) -> dict[int, int]:
        """Give the number of each card's device file (`/dev/nvidia3` is 3) and its index."""
        return {card.minor: card.index for card in self.cards if card.minor is not None}

    def stop(self) -> None:
        """Let the lanes end; waits for none."""
        self._lanes.stop()

    def _row(self, card: Card, began_s: float, now_s: float, *, late: bool) -> Gpu:
        reading = card.reading
        if reading is None:
            hang = self._binding.hanging(0.0)
            call = f": {hang[0]} has not come back for {hang[1]:.0f} s" if hang else ""
            return card.tombstone(f"does not answer{call}")
        gpu = reading.gpu
        refusal = self._xids.refusals.get(card.index)
        if refusal is not None and "xids" not in gpu.unavailable:
            gpu = replace(gpu, unavailable={**gpu.unavailable, "xids": refusal})
        if late and reading.at_s < began_s:
            return replace(gpu, stale_s=now_s - reading.at_s)
        return gpu

    def _handles(self) -> Iterator[tuple[int, object]]:
        return ((card.index, card.handle) for card in self.cards if card.handle is not None)

    def _adopt(self) -> None:
        """Give every GPU that is counted a card; a card whose GPU left stays, as the tombstone it becomes."""
        if self.cards and self._census.count <= len(self.cards):
            return
        self.cards += [self._card(index) for index in range(len(self.cards), self._census.count)]
        jobs: list[Job] = [*self.cards, self._census, self._xids]
        self._lanes.assign(jobs)

    def _card(self, index: int) -> Card:
        return Card(self._binding, index, pid_max=self._pid_max, watched=self._watched, xids=self._xids.of)


def _pid_max() -> int:
    from dstop.sources.procfs.reading import read_text  # noqa: PLC0415

    text = (read_text("/proc/sys/kernel/pid_max") or "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else PID_MAX_FALLBACK  # noqa: PLR2004
