"""Delivery in a thread of its own: a few tries, a bounded queue, and words about what went wrong.

The monitor only ever appends to a queue: a webhook that is down, or slow, or drips a byte a second, costs it nothing.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from dstop.alerts.notice import Notice

MOST_WAITING = 32
"""Messages that wait for one address."""
WAITS_S = (2.0, 10.0)
"""Between the tries, of which there is one more: a restart of the receiver is over by then, or takes long."""


class DeliveryError(Exception):
    """A message did not arrive. `again` says whether another try could help."""

    def __init__(self, says: str, *, again: bool = True) -> None:
        super().__init__(says)
        self.again = again


class Courier:
    """Carries messages to one place, one after the other.

    Args:
        name: of the place, without anything secret.
        deliver: carries one; raises DeliveryError, and returns within some seconds whatever happens.
        fail: is told, in the courier's thread, what did not arrive.
        waits_s: seconds between one try and the next.
    """

    def __init__(
        self,
        name: str,
        deliver: Callable[[Notice], None],
        fail: Callable[[str], None],
        *,
        waits_s: tuple[float, ...] = WAITS_S,
    ) -> None:
        self.name = name
        self._deliver, self._fail, self._waits_s = deliver, fail, waits_s
        self._queue: deque[Notice] = deque()
        self._changed = threading.Condition()
        self._stop = threading.Event()
        self._busy = False
        self._dropped = 0
        self._thread: threading.Thread | None = None

    def send(self, notice: Notice) -> None:
        """Have it carried, after those before it; the oldest is dropped, and told, when too many wait."""
        with self._changed:
            if self._stop.is_set():
                return
            if len(self._queue) >= MOST_WAITING:
                self._queue.popleft()
                self._dropped += 1
            self._queue.append(notice)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=f"dstop-{self.name}"[:15], daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def attempt(self, notice: Notice) -> str | None:
        """Carry one now, in this thread and once; gives what went wrong."""
        try:
            self._deliver(notice)
        except DeliveryError as error:
            return str(error)
        return None

    def wait(self, most_s: float) -> bool:
        """Wait until nothing is left to carry, but no longer than this; says whether that is so."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._queue and not self._busy, most_s)

    def stop(self) -> None:
        """Begin nothing more; what is under way is left to itself."""
        self._stop.set()
        with self._changed:
            self._queue.clear()
            self._changed.notify_all()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._busy = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._queue or self._stop.is_set())
                if self._stop.is_set():
                    return
                notice, dropped = self._queue.popleft(), self._dropped
                self._busy, self._dropped = True, 0
            if dropped:
                self._fail(
                    f"{self.name}: {dropped} alert{'s' if dropped > 1 else ''} waited too long and were dropped"
                )
            self._carry(notice)

    def _carry(self, notice: Notice) -> None:
        tries = len(self._waits_s) + 1
        for attempt in range(1, tries + 1):
            try:
                self._deliver(notice)
            except DeliveryError as error:
                if attempt == tries or not error.again:
                    times = f" after {attempt} tries" if attempt > 1 else ""
                    self._fail(f"{self.name}: {notice.alert} was not delivered{times}: {error}")
                    return
                if self._stop.wait(self._waits_s[attempt - 1]):
                    return
            except Exception as error:  # noqa: BLE001 - no mistake of ours may end the thread in silence
                self._fail(f"{self.name}: {notice.alert} was not delivered: {error!r}")
                return
            else:
                return
