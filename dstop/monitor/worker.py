"""One daemon thread for what a step must not wait for: it starts with the first piece of work, and nobody joins it."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_WAITING = 4096


class Worker:
    """Does one thing after the other. A piece of work must not raise."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._queue: deque[Callable[[], None]] = deque(maxlen=MOST_WAITING)
        self._changed = threading.Condition()
        self._busy = False
        self._stopped = False
        self._thread: threading.Thread | None = None

    def do(self, work: Callable[[], None]) -> None:
        """Have it done when all before it is; nothing after `stop`."""
        with self._changed:
            if self._stopped:
                return
            self._queue.append(work)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def wait(self, most_s: float) -> None:
        """Wait until there is nothing left to do, but no longer than this."""
        with self._changed:
            self._changed.wait_for(lambda: not self._queue and not self._busy, most_s)

    def stop(self) -> None:
        """Begin nothing more; what is being done is left to itself."""
        with self._changed:
            self._stopped = True
            self._queue.clear()
            self._changed.notify_all()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._busy = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._queue or self._stopped)
                if self._stopped:
                    return
                work = self._queue.popleft()
                self._busy = True
            work()
