"""Xids: the errors the driver reports of a GPU, taken from its event set as they happen.

Looked at once a pass with a wait of a millisecond, so no thread sits in the driver when it is time to leave.
"""

from __future__ import annotations

import ctypes
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from dstop.model.gpu import Xid
from dstop.sources.nvml.reasons import TIMEOUT, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from dstop.sources.nvml.binding import Driver

XID_CRITICAL = 0x8
"""nvml.h, nvmlEventTypeXidCriticalError."""
KEPT = 16
_MOST_A_PASS = 64
_WAIT_MS = 1


class XidWatch:
    """A job that collects the Xids of all GPUs; `of` may be called from any thread."""

    def __init__(
        self,
        driver: Driver,
        handles: Callable[[], Iterable[tuple[int, object]]],
        *,
        wall_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._driver, self._handles, self._wall_ns = driver, handles, wall_ns
        self._set: Any = None
        self._registered: dict[int, int] = {}
        self._known: dict[int, object] = {}
        self._seen: dict[int, deque[Xid]] = {}
        self._frozen: dict[int, tuple[Xid, ...]] = {}
        self.refusals: dict[int, str] = {}

    def of(self, index: int) -> tuple[Xid, ...]:
        """Give the last Xids of a GPU, oldest first."""
        return self._frozen.get(index, ())

    def prompt(self) -> None:
        """Register GPUs that are new, and take what has happened."""
        self._register()
        if not self._registered:
            return
        for _ in range(_MOST_A_PASS):
            event = self._driver.ask("nvmlEventSetWait_v2", self._set, _WAIT_MS)
            if isinstance(event, Unavailable):
                if event.code != TIMEOUT:
                    # An event set does not survive its driver: make another at the next pass.
                    self._set, self._registered, self._known = None, {}, {}
                return
            self._take(event)

    def linger(self) -> None:
        """Do nothing: waiting is what NVML would do here."""

    def _register(self) -> None:
        """Register the handles that are new. One that refused is asked again when its GPU gets another."""
        for index, handle in self._handles():
            if self._known.get(index) is handle:
                continue
            refusal = self._register_one(handle)
            self._known[index] = handle
            if refusal is None:
                self.refusals.pop(index, None)
                self._registered[_address(handle)] = index
            else:
                self.refusals[index] = refusal.reason

    def _register_one(self, handle: object) -> Unavailable | None:
        if self._set is None:
            made = self._driver.ask("nvmlEventSetCreate")
            if isinstance(made, Unavailable):
                return made
            self._set = made
        answer = self._driver.ask("nvmlDeviceRegisterEvents", handle, XID_CRITICAL, self._set)
        return answer if isinstance(answer, Unavailable) else None

    def _take(self, event: Any) -> None:
        index = self._registered.get(_address(event.device))
        if index is None or not int(event.eventType) & XID_CRITICAL:
            return
        seen = self._seen.setdefault(index, deque(maxlen=KEPT))
        seen.append(Xid(code=int(event.eventData), at_ns=self._wall_ns()))
        self._frozen[index] = tuple(seen)


def _address(handle: Any) -> int:
    """Tell handles apart by what they point to: the driver gives a new pointer object each time."""
    return ctypes.cast(handle, ctypes.c_void_p).value or 0
