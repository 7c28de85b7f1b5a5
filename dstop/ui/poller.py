"""The one thread that reads: step, hand over, wait; nothing of the screen is touched from here."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from collections.abc import Set as AbstractSet

    from dstop.model.frame import Frame
    from dstop.model.process import ProcessKey


LEAST_REST_S = 0.05
"""Between two readings of a driver that takes longer than the interval: others want to use it too."""


class Steps(Protocol):
    """What gives one frame after the other: a Monitor, or a Player, which takes one through a recording."""

    interval_s: float

    def step(self, *, patience_s: float = 0.5) -> Frame:
        """Give the next frame."""
        ...

    def watch(self, fields: AbstractSet[str]) -> None:
        """Have these costly fields in the frames to come."""
        ...

    def watch_process(self, keys: Iterable[ProcessKey]) -> None:
        """Have the histories of these processes in the frames to come."""
        ...

    def close(self) -> None:
        """Let go of what is read."""
        ...


class Poller:
    """Reads a monitor once per interval in a daemon thread.

    It starts before the screen does, so that the driver opens while Textual is still being imported. Waiting is done
    on an event, so that stopping and asking for a reading now are instant.
    """

    def __init__(self, make_monitor: Callable[[], Steps], interval_s: float) -> None:
        self.interval_s = interval_s
        self.monitor: Steps | None = None
        self.paused = False
        self._make_monitor = make_monitor
        self._deliver: Callable[[Frame], object] | None = None
        self._fail: Callable[[BaseException], object] | None = None
        self._first = threading.Event()
        self._wake = threading.Event()
        self._stop = False
        self._once = False
        self._lock = threading.Lock()
        self._frame: Frame | None = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="dstop-poller", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def first_frame(self, timeout_s: float) -> Frame | None:
        """Wait for the first frame; None when it takes longer.

        Raises:
            SourceError: when there is nothing to read.
        """
        self._first.wait(timeout_s)
        if self._error is not None:
            raise self._error
        return self._frame

    def connect(self, deliver: Callable[[Frame], object], fail: Callable[[BaseException], object]) -> None:
        """From now on give every frame to `deliver`, and a bug to `fail`; what came before is given at once."""
        with self._lock:
            self._deliver, self._fail = deliver, fail
            frame, error = self._frame, self._error
        if error is not None:
            fail(error)
        elif frame is not None:
            deliver(frame)

    def poke(self, *, even_paused: bool = False) -> None:
        """Read now; `even_paused`: once, also while frames stand still."""
        self._once = self._once or even_paused
        self._wake.set()

    def stop(self) -> None:
        """Read no more, and let go of the source without waiting for a call that hangs."""
        self._stop = True
        self._wake.set()
        if self.monitor is not None:
            self.monitor.close()

    def _run(self) -> None:
        try:
            self.monitor = monitor = self._make_monitor()
            if self._stop:  # while the source was being opened
                monitor.close()
            due = time.monotonic()
            while not self._stop:
                if not self.paused or self._once or self._frame is None:
                    self._once = False
                    self._hand_over(monitor.step())
                # A steady beat: a reading that waited for a slow card does not put the next one off.
                due = max(due + self.interval_s, time.monotonic() + LEAST_REST_S)
                if self._wake.wait(due - time.monotonic()):
                    self._wake.clear()
                    due = time.monotonic()
        except BaseException as error:  # noqa: BLE001 - handed to the main thread, which raises it
            if self._stop:
                return  # the source was closed under the reading
            with self._lock:
                self._error = error
                fail = self._fail
            self._first.set()
            if fail is not None:
                fail(error)

    def _hand_over(self, frame: Frame) -> None:
        with self._lock:
            self._frame = frame
            deliver = self._deliver
        self._first.set()
        if deliver is not None and not self._stop:
            deliver(frame)
