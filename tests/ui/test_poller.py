"""The thread that reads: starts first, stops at once, hides no bug."""

from __future__ import annotations

import threading
import time

import pytest

from dstop.errors import SourceError
from dstop.monitor import Monitor
from dstop.testing import FakeSource, make_sample
from dstop.ui.poller import Poller

PATIENCE_S = 5.0


def poller(source: FakeSource, interval_s: float = 60.0) -> Poller:
    """A poller that reads this source."""
    return Poller(lambda: Monitor(source, interval_s=interval_s), interval_s)


def test_the_first_frame_is_there_before_anybody_asks() -> None:
    """Reading begins while the screen is still being imported."""
    reads = poller(FakeSource([make_sample()], loop=True))
    reads.start()
    frame = reads.first_frame(PATIENCE_S)
    assert frame is not None
    got: list[object] = []
    reads.connect(got.append, got.append)
    assert got == [frame]
    reads.stop()


def test_a_missing_driver_is_an_error_before_there_is_a_screen() -> None:
    """The reason reaches the terminal, not a blank screen."""
    reads = poller(FakeSource([SourceError("no driver", fix="install one")]))
    reads.start()
    with pytest.raises(SourceError, match="no driver"):
        reads.first_frame(PATIENCE_S)


def test_a_bug_reaches_the_screen() -> None:
    """An exception that is not expected is handed over, also when it came before the screen."""
    reads = poller(FakeSource([ZeroDivisionError("ours")]))  # type: ignore[list-item]
    reads.start()
    with pytest.raises(ZeroDivisionError):
        reads.first_frame(PATIENCE_S)
    failures: list[BaseException] = []
    reads.connect(lambda _frame: None, failures.append)
    assert isinstance(failures[0], ZeroDivisionError)


def test_a_poke_reads_now_and_a_pause_does_not() -> None:
    """`r` does not wait for the interval; a paused poller gives nothing."""
    source = FakeSource([make_sample()], loop=True)
    reads = poller(source)
    arrived = threading.Semaphore(0)
    reads.start()
    reads.first_frame(PATIENCE_S)
    reads.connect(lambda _frame: arrived.release(), lambda _error: None)
    assert arrived.acquire(timeout=PATIENCE_S)
    reads.poke()
    assert arrived.acquire(timeout=PATIENCE_S)
    reads.paused = True
    reads.poke()
    assert not arrived.acquire(timeout=0.3)
    reads.stop()


def test_stopping_closes_the_source_and_ends_the_thread() -> None:
    """Nobody waits for the interval to go by."""
    source = FakeSource([make_sample()], loop=True)
    reads = poller(source)
    reads.start()
    reads.first_frame(PATIENCE_S)
    reads.stop()
    deadline = time.monotonic() + PATIENCE_S
    while reads._thread.is_alive() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not reads._thread.is_alive()
    assert source.closed


def test_what_breaks_because_it_was_stopped_is_no_bug() -> None:
    """A source that is closed under its reading may raise; nobody wants to hear it then."""
    entered, leave = threading.Event(), threading.Event()

    class Slow(FakeSource):
        def read(self, *, patience_s: float = 0.5) -> object:  # type: ignore[override]
            del patience_s
            entered.set()
            leave.wait(PATIENCE_S)
            raise SourceError("the source was closed")

    reads = poller(Slow([make_sample()]))
    failures: list[BaseException] = []
    reads.start()
    assert entered.wait(PATIENCE_S)
    reads.connect(lambda _frame: None, failures.append)
    reads.stop()
    leave.set()
    reads._thread.join(PATIENCE_S)
    assert failures == []


def test_a_source_that_opens_too_late_is_closed() -> None:
    """Stopping while the driver is being opened leaves nothing open."""
    entered, leave = threading.Event(), threading.Event()
    source = FakeSource([make_sample()], loop=True)

    def slow() -> Monitor:
        entered.set()
        leave.wait(PATIENCE_S)
        return Monitor(source, interval_s=1.0)

    reads = Poller(slow, 1.0)
    reads.start()
    assert entered.wait(PATIENCE_S)
    reads.stop()
    leave.set()
    reads._thread.join(PATIENCE_S)
    assert source.closed
