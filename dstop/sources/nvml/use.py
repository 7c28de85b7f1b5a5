"""What each process does with the GPU, from the driver's ring of samples.

The ring is read from where we left it, newest sample of a PID wins. On Blackwell the old function fails and
its successor answers, so whichever worked is kept.
"""

from __future__ import annotations

import ctypes
from struct import Struct
from typing import TYPE_CHECKING, Any, NamedTuple

from dstop.sources.nvml.reasons import INSUFFICIENT_SIZE, NOT_FOUND, Unavailable, absent, is_absent

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dstop.sources.nvml.binding import Driver

OLD, NEW = "nvmlDeviceGetProcessUtilization", "nvmlDeviceGetProcessesUtilizationInfo"
SAMPLE = Struct("=I4xQIIII")
"""nvml.h, nvmlProcessUtilizationSample_t: pid, stamp in µs, SM, memory, encoder, decoder in percent."""
IDLE_AFTER_S = 1.0
"""Silence over at least this long means that a process did nothing."""
_FIRST_WINDOW_S = 2.0
_START_SAMPLES, _MAX_SAMPLES = 256, 65536
_TOO_SHORT = "the driver has not sampled it yet"


class Use(NamedTuple):
    """Shares of the last sampling period, in percent; None where the driver's figure was impossible."""

    sm_pct: float | None
    memory_pct: float | None
    encoder_pct: float | None
    decoder_pct: float | None
    doubt: str | None = None
    """What the driver said where a figure is None."""


Sample = tuple[int, int, int, int, int, int]
IDLE = Use(0.0, 0.0, 0.0, 0.0)


class UseReader:
    """Samples of one GPU; remembers how far it has read and which function works."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._function: str | None = None
        self._seen_us: int | None = None
        self._looked_at_us = 0
        self._count = ctypes.c_uint(0)
        self._resize(_START_SAMPLES)

    def read(self, handle: object, wall_us: int) -> tuple[dict[int, Use], Use | str]:
        """Give the newest sample of each PID, and what holds for a PID without one: idle, or a reason.

        Args:
            handle: of the GPU.
            wall_us: microseconds since the epoch, the clock the driver stamps its samples with.
        """
        since = self._seen_us if self._seen_us is not None else wall_us - int(_FIRST_WINDOW_S * 1e6)
        answer = self._ask(handle, max(0, since))
        window_s = (wall_us - self._looked_at_us) / 1e6
        self._looked_at_us = wall_us
        if isinstance(answer, Unavailable) and answer.code != NOT_FOUND:
            return {}, answer.reason
        used, newest = newest_of(() if isinstance(answer, Unavailable) else answer, since)
        # A stamp ahead of the clock would silence the GPU until the clock caught up.
        self._seen_us = min(max(newest, since), wall_us)
        idle = self._function is not None and window_s >= IDLE_AFTER_S
        return used, IDLE if idle else _TOO_SHORT

    def _ask(self, handle: object, since_us: int) -> list[Sample] | Unavailable:
        refusal = Unavailable(_TOO_SHORT, NOT_FOUND)
        for place, name in enumerate((self._function,) if self._function else (OLD, NEW)):
            answer = self._old(handle, since_us) if name == OLD else self._new(handle, since_us)
            if not isinstance(answer, Unavailable):
                if answer:
                    self._function = name
                return answer
            # "Nothing new" from either outweighs "never" from the other: the GPU may just be idle.
            if place == 0 or answer.code == NOT_FOUND:
                refusal = answer
        return refusal

    def _old(self, handle: object, since_us: int) -> list[Sample] | Unavailable:
        """Read the ring by one call into a buffer that is kept: pynvml makes two, and an object a sample."""
        for _ in range(3):
            self._count.value = self._room
            code = self._driver.raw(
                OLD, handle, self._buffer, ctypes.byref(self._count), ctypes.c_ulonglong(since_us)
            )
            wanted = self._count.value * 2
            if code != INSUFFICIENT_SIZE or not self._room < wanted <= _MAX_SAMPLES:
                break
            self._resize(wanted)
        if code:
            return absent(code)
        count = min(self._count.value, self._room)
        return list(SAMPLE.iter_unpack(memoryview(self._buffer).cast("B")[: count * SAMPLE.size]))

    def _new(self, handle: object, since_us: int) -> list[Sample] | Unavailable:
        answer: Any = self._driver.ask(NEW, handle, since_us)
        if is_absent(answer):
            return answer
        return [
            (int(one.pid), int(one.timeStamp), one.smUtil, one.memUtil, one.encUtil, one.decUtil)
            for one in answer
        ]

    def _resize(self, samples: int) -> None:
        self._room = samples
        self._buffer = (ctypes.c_char * (samples * SAMPLE.size))()


def newest_of(samples: Iterable[Sample], since_us: int) -> tuple[dict[int, Use], int]:
    """Keep the newest sample of each PID; give them and the newest stamp of all.

    The ring's unwritten places come along as PID 0 or with old stamps: these are left out.
    """
    stamps: dict[int, int] = {}
    used: dict[int, Use] = {}
    newest = since_us
    for pid, stamp, sm, memory, encoder, decoder in samples:
        if pid <= 0 or stamp < since_us or stamp < stamps.get(pid, 0):
            continue
        stamps[pid] = stamp
        newest = max(newest, stamp)
        used[pid] = use_of(sm, memory, encoder, decoder)
    return used, newest


def use_of(sm: int, memory: int, encoder: int, decoder: int) -> Use:
    """Make a Use of the driver's four figures, dropping those above 100 %."""
    figures = (sm, memory, encoder, decoder)
    if max(figures) <= 100:  # noqa: PLR2004 - percent
        return Use(float(sm), float(memory), float(encoder), float(decoder))
    wrong = ", ".join(f"{figure} %" for figure in figures if figure > 100)  # noqa: PLR2004
    sound = [float(figure) if figure <= 100 else None for figure in figures]  # noqa: PLR2004
    return Use(sound[0], sound[1], sound[2], sound[3], f"the driver said {wrong}")
