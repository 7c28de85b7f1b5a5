"""The hooks in the processes of this machine: asked at every step, and close up when somebody wants to know."""

from __future__ import annotations

import select
import threading
import time
from typing import TYPE_CHECKING

from dstop.errors import AttachError
from dstop.pytorch.search import AGAIN_S, BUDGET_S, Search

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from dstop.model.guest import Guest, ProcessId
    from dstop.model.segment import ModelFacts, SegmentMap, Site
    from dstop.pytorch.line import Line

MOST_LINES = 512
"""Each takes a descriptor, of which a program usually has 1024; those beyond say why they have no figures."""
BANNED_S = 60.0
"""A hook that sends what it was not asked is left alone this long."""


class LiveGuests:
    """The Guests of real processes.

    Args:
        root: where the process file system is.
        clock: monotonic seconds.
        defer: steps to let pass before hooks are looked for: the first screen does not wait for that.
        search_s: what a step may take to look for hooks.
        most: how many hooks are asked; each takes a descriptor.
    """

    def __init__(
        self,
        root: str = "/proc",
        *,
        clock: Callable[[], float] = time.monotonic,
        defer: int = 0,
        search_s: float = BUDGET_S,
        most: int = MOST_LINES,
    ) -> None:
        self._root = root
        self._most = most
        self._defer = defer
        self._clock = clock
        self._search = Search(root, clock, search_s)
        self._lines: dict[ProcessId, Line] = {}
        self._too_many: set[ProcessId] = set()
        """Those with a hook that is not asked, because there are too many."""
        self._lock = threading.Lock()
        self._attached: dict[ProcessId, bool] = {}
        """Those that somebody attached to, whether a card lists them or not; False until they were looked for."""

    def ask(self, processes: Iterable[ProcessId]) -> None:
        """Ask every hook among these processes, and those attached to; look for new ones within a few milliseconds."""
        if self._defer > 0:
            self._defer -= 1
            return
        wanted = {*processes, *self._to_look_for()}
        for process in [process for process in self._lines if process not in wanted]:
            self._drop(process)
        self._too_many &= wanted
        now_s = self._clock()
        for line in list(self._lines.values()):
            self._safely(line, line.ask, now_s)
        for process, connection in self._search.found(wanted - self._lines.keys()):
            from dstop.pytorch.line import Line  # noqa: PLC0415 - most machines have no hook

            if len(self._lines) >= self._most:
                connection.close()
                self._too_many.add(process)
                continue
            self._too_many.discard(process)
            line = self._lines[process] = Line(process, connection, now_s)
            self._safely(line, line.ask, now_s)

    def answers(self, *, patience_s: float = 0.05) -> Mapping[ProcessId, Guest]:
        """Give the newest answer of every hook; those that were late at the last step are not waited for."""
        end_s = self._clock() + patience_s
        poll = select.poll()
        at: dict[int, Line] = {}
        for line in self._lines.values():
            if line.is_waiting:
                at[line.fileno()] = line
                poll.register(line.fileno(), select.POLLIN)
        left_s = patience_s if any(not line.is_late for line in at.values()) else 0.0
        while at:
            ready = poll.poll(max(0.0, left_s) * 1000)
            for descriptor, _ in ready:
                line = at[descriptor]
                self._safely(line, line.take, self._clock())
                if line.process not in self._lines or not line.is_waiting:
                    poll.unregister(descriptor)
                    del at[descriptor]
            left_s = end_s - self._clock()
            if not ready or left_s <= 0:
                break
            if all(line.is_late for line in at.values()):
                left_s = 0.0
        now_s = self._clock()
        answers = {process: line.answer(now_s) for process, line in self._lines.items()}
        for process in self._too_many:
            answers[process] = _unasked(process, self._most)
        return answers

    def attach(
        self, process: ProcessId, *, timeout_s: float | None = None, without_torch: bool = False
    ) -> str:
        """Bring the hook in; from then on it is asked at every step, also where no card lists the process."""
        from dstop.pytorch import close_up  # noqa: PLC0415 - for who looks closer
        from dstop.pytorch.attach import WaitingForGilError  # noqa: PLC0415 - the same

        try:
            how = close_up.attach(
                process, self._root, timeout_s=timeout_s or close_up.ATTACH_S, without_torch=without_torch
            )
        except WaitingForGilError:
            self._expect(process)  # it is in, and comes up by itself
            raise
        self._expect(process)
        return how

    def detach(self, process: ProcessId) -> None:
        """Have the hook restore what it changed and leave."""
        from dstop.pytorch import close_up  # noqa: PLC0415 - for who looks closer

        close_up.ask(process, "detach", root=self._root)
        with self._lock:
            self._attached.pop(process, None)

    def segments(self, process: ProcessId) -> SegmentMap:
        """Give the segment map."""
        from dstop.pytorch import close_up  # noqa: PLC0415 - for who looks closer
        from dstop.pytorch.parse.segments import parse_segments  # noqa: PLC0415 - the same

        return parse_segments(close_up.ask(process, "segments", root=self._root, timeout_s=close_up.LONG_S))

    def sites(self, process: ProcessId, *, most: int = 50) -> tuple[Site, ...]:
        """Give the stacks that hold the most, biggest first."""
        from dstop.pytorch import close_up  # noqa: PLC0415 - for who looks closer
        from dstop.pytorch.parse.segments import parse_sites  # noqa: PLC0415 - the same

        reply = close_up.ask(process, "sites", root=self._root, timeout_s=close_up.LONG_S, most=most)
        return parse_sites(reply)[:most]

    def summary(self, process: ProcessId, device_index: int) -> str:
        """Give `torch.cuda.memory_summary` of a device."""
        from dstop.pytorch import close_up  # noqa: PLC0415 - for who looks closer
        from dstop.pytorch.parse.segments import parse_summary  # noqa: PLC0415 - the same

        return parse_summary(close_up.ask(process, "summary", root=self._root, device=device_index))

    def facts(self, process: ProcessId) -> ModelFacts:
        """Count the modules and optimizers of the process."""
        from dstop.pytorch import close_up  # noqa: PLC0415 - for who looks closer
        from dstop.pytorch.parse.facts import parse_facts  # noqa: PLC0415 - the same

        return parse_facts(close_up.ask(process, "facts", root=self._root, timeout_s=close_up.LONG_S))

    def record(self, process: ProcessId, *, on: bool) -> None:
        """Have allocations recorded with their stacks, or stop what dstop began."""
        from dstop.pytorch import close_up  # noqa: PLC0415 - for who looks closer

        close_up.ask(process, "history", root=self._root, enabled=on)

    def snapshot(self, process: ProcessId, path: str, *, traces: bool = True) -> int:
        """Write a memory snapshot to a new file of dstop's; gives its size in bytes."""
        from dstop.pytorch import close_up  # noqa: PLC0415 - for who looks closer

        return close_up.save_snapshot(process, path, traces=traces, root=self._root)

    def close(self) -> None:
        """Let go of every hook."""
        for process in list(self._lines):
            self._drop(process)

    def _expect(self, process: ProcessId) -> None:
        with self._lock:
            self._attached[process] = False

    def _to_look_for(self) -> Iterator[ProcessId]:
        """Give the processes attached to; a fresh one is looked at in this step, one that is gone is forgotten."""
        with self._lock:
            attached = list(self._attached.items())
            for process, _ in attached:
                self._attached[process] = True
        for process, looked in attached:
            if not looked:
                self._search.look_soon(process)
            yield process

    def _safely(self, line: Line, call: Callable[[float], None], now_s: float) -> None:
        """Talk to a hook; one that hangs up is looked for again later, one that talks nonsense much later."""
        from dstop.pytorch.line import HungUp  # noqa: PLC0415 - as above

        try:
            call(now_s)
        except HungUp:
            self._drop(line.process)
            self._search.wait(line.process, AGAIN_S)
            self._forget_if_gone(line.process)
        except AttachError:
            self._drop(line.process)
            self._search.wait(line.process, BANNED_S)

    def _forget_if_gone(self, process: ProcessId) -> None:
        from dstop.pytorch import close_up  # noqa: PLC0415 - when a hook has left

        try:
            close_up.check_same(process, self._root)
        except AttachError:
            with self._lock:
                self._attached.pop(process, None)

    def _drop(self, process: ProcessId) -> None:
        self._lines.pop(process).close()


def _unasked(process: ProcessId, most: int) -> Guest:
    from dstop.model.guest import Guest  # noqa: PLC0415 - seldom

    why = f"dstop asks {most} hooks at every step, and no more: watch fewer with --only, --user or --pid"
    return Guest(
        pid=process.pid,
        started_at_s=process.started_at_s,
        unavailable={"devices": why, "torch_version": why},
    )
