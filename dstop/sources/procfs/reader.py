"""Reading what may never come back: in a thread of its own, that can be left behind.

`/proc/PID/cmdline` and `environ` take the lock of the process' memory. A driver call that hangs in the kernel
with that lock held makes every reader of them wait, until the process is gone.
"""

from __future__ import annotations

import threading
import time
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dstop.model.process import ProcessFacts
    from dstop.sources.procfs.stat import Stat

    Reading = Callable[[Stat], Iterator[ProcessFacts]]
    """Gives the facts of one process, better from step to step; may hang at any of them."""

MOST_STUCK = 3
"""Threads left behind at a time; after as many, the one that is left is not replaced."""

MOST_WAITING = 4096
"""More are not queued: behind threads that hang, the queue would grow with every process that comes."""

STUCK_AFTER_S = 0.1
"""A healthy process answers in a tenth of a millisecond."""

_LOOK_S = 0.02


class Job(NamedTuple):
    """A process to read; the start tells it from another of the same number."""

    pid: int
    start_ticks: int


class Answer(NamedTuple):
    """What a reading gave so far; `last` when no more of it comes."""

    job: Job
    facts: ProcessFacts | None
    last: bool
    error: Exception | None = None


class _Worker:
    """One thread, and since when it is at what it does."""

    def __init__(self, reader: FactsReader) -> None:
        self.at: tuple[Job, float] | None = None
        self.retired = False
        self.thread = threading.Thread(target=reader.work, args=(self,), name="dstop-facts", daemon=True)


class FactsReader:
    """A queue of processes to read, and the thread that does it. None is started before the first job."""

    def __init__(self, read: Reading, *, stuck_after_s: float = STUCK_AFTER_S) -> None:
        self._read = read
        self._stuck_after_s = stuck_after_s
        self._inbox: SimpleQueue[Stat | None] = SimpleQueue()
        self._outbox: SimpleQueue[Answer] = SimpleQueue()
        self._worker: _Worker | None = None
        self._left: list[_Worker] = []
        self._waiting: set[Job] = set()
        self._stopped = False

    def ask(self, stat: Stat) -> None:
        """Have a process read; the answer comes from `collect`."""
        job = Job(stat.pid, stat.start_ticks)
        if self._stopped or job in self._waiting or len(self._waiting) >= MOST_WAITING:
            return
        self._waiting.add(job)
        self._inbox.put(stat)
        if self._worker is None:
            self._start()

    def collect(self, wait_s: float) -> list[Answer]:
        """Give the answers there are, waiting up to `wait_s` for those that may still come.

        Raises:
            Exception: what a reading raised: a mistake of ours must not look like an old row.
        """
        deadline = time.monotonic() + wait_s
        answers: list[Answer] = []
        while True:
            remaining = deadline - time.monotonic()
            try:
                answer = self._next(remaining)
            except Empty:
                self._replace_stuck()
                if remaining <= 0 or not self._may_come():
                    return answers
                continue
            if answer.last:
                self._waiting.discard(answer.job)
            if answer.error is not None:
                raise answer.error
            answers.append(answer)

    def stuck(self) -> set[Job]:
        """Give the processes whose reading does not come back."""
        now = time.monotonic()
        workers = [*self._left, *([self._worker] if self._worker is not None else [])]
        places = [worker.at for worker in workers]
        return {place[0] for place in places if place is not None and now - place[1] > self._stuck_after_s}

    def is_exhausted(self) -> bool:
        """Whether nobody reads any more: every thread hangs, and no more are started."""
        return len(self._left) >= MOST_STUCK and self._is_stuck(self._worker)

    def is_waiting(self, job: Job) -> bool:
        """Whether a process is asked for and not fully answered yet."""
        return job in self._waiting

    def stop(self) -> None:
        """End the thread after what it is at; one that hangs is left to the end of dstop."""
        self._stopped = True
        if self._worker is not None:
            self._inbox.put(None)
            self._worker.thread.join(self._stuck_after_s)

    def threads(self) -> list[threading.Thread]:
        """Give the threads that live, stuck ones too."""
        workers = [*self._left, *([self._worker] if self._worker is not None else [])]
        return [worker.thread for worker in workers if worker.thread.is_alive()]

    def work(self, worker: _Worker) -> None:
        """Read one process after the other: the body of the thread."""
        while not worker.retired and not self._stopped:
            stat = self._inbox.get()
            if stat is None:
                return
            job = Job(stat.pid, stat.start_ticks)
            worker.at = (job, time.monotonic())
            last: ProcessFacts | None = None
            error: Exception | None = None
            try:
                for last in self._read(stat):
                    self._outbox.put(Answer(job, last, last=False))
                    worker.at = (job, time.monotonic())
            except Exception as caught:  # noqa: BLE001 - it is raised again where somebody sees it
                error = caught
            worker.at = None
            self._outbox.put(Answer(job, last, last=True, error=error))

    def _next(self, remaining_s: float) -> Answer:
        if remaining_s > 0 and self._waiting:
            return self._outbox.get(timeout=min(remaining_s, _LOOK_S))
        return self._outbox.get_nowait()

    def _may_come(self) -> bool:
        """Whether waiting has a point: somebody works on something that does not hang."""
        return bool(self._waiting - self.stuck()) and not self._is_stuck(self._worker)

    def _is_stuck(self, worker: _Worker | None) -> bool:
        place = None if worker is None else worker.at
        return place is not None and time.monotonic() - place[1] > self._stuck_after_s

    def _replace_stuck(self) -> None:
        """Leave a thread that hangs behind and start another; those that came back make room."""
        self._left = [worker for worker in self._left if worker.at is not None and worker.thread.is_alive()]
        if self._worker is None or self._stopped or not self._is_stuck(self._worker):
            return
        if len(self._left) < MOST_STUCK:
            self._worker.retired = True
            self._left.append(self._worker)
            self._start()

    def _start(self) -> None:
        self._worker = _Worker(self)
        self._worker.thread.start()
