"""The hooks in the demo's programs: what each would answer, and whom one can get a hook into."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.errors import AttachError
from dstop.model.guest import Guest, ProcessId
from dstop.model.segment import ModelFacts
from dstop.sources.demo.segments import segment_map
from dstop.sources.demo.stacks import rank_facts, rank_sites
from dstop.sources.demo.summary import summary_text
from dstop.units import GIB, MIB

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dstop.model.allocator import Allocator
    from dstop.model.process import GpuProcess
    from dstop.model.segment import SegmentMap, Site
    from dstop.sources.demo.source import DemoSource

_HOOK_VERSION = 1
_NO_HOOK = "press A, or start it with dstop run"
_GRAPHS_BYTES = 1_140 * MIB
"""What the CUDA graphs of a vLLM engine keep in a pool of their own."""
_TURNED_OVER_BYTES_S = 11 * GIB


class DemoGuests:
    """Guests of the demo: ranks carry a hook from their start (`dstop run`); others can be attached to, or refuse.

    Args:
        source: the demo; figures are of the moment that it was read last.
    """

    def __init__(self, source: DemoSource) -> None:
        self._source = source
        self._how: dict[ProcessId, str | None] = {}
        """How a hook came in that came later, and None for one that has left."""
        self._recording: dict[ProcessId, bool] = {}

    def ask(self, processes: Iterable[ProcessId]) -> None:
        """Do nothing: all answers are there."""

    def answers(self, *, patience_s: float = 0.05) -> Mapping[ProcessId, Guest]:  # noqa: ARG002 - nothing here is slow
        """Give the answers of the moment that was read last."""
        sample, seconds = self._source.newest()
        found: dict[ProcessId, Guest] = {}
        for row in sample.processes:
            how = self._way_in(row)
            if how is not None:
                allocator = self._source.allocator_of(row, seconds)
                if allocator is not None:
                    found[row.id] = self._guest(row, allocator, how, sample.taken_at_ns)
        return found

    def attach(self, process: ProcessId) -> str:
        """Let a hook into a PyTorch program.

        Raises:
            AttachError: for all others, with the reason that they would have.
        """
        row = self._row(process)
        if row.facts.user is None:
            raise AttachError(
                f"process {process.pid} is in another PID namespace",
                fix="run dstop on the host, or its container with --pid=host",
            )
        if self._source.allocator_of(row, self._source.newest()[1]) is None:
            raise AttachError(
                f"process {process.pid} ({row.facts.command}) is not a Python program",
                fix="only programs that run PyTorch have an allocator to look at",
            )
        self._how[process] = self._way_in(row) or "ptrace"
        return self._how[process] or ""

    def detach(self, process: ProcessId) -> None:
        """Let the hook leave.

        Raises:
            AttachError: when there is none.
        """
        self._device(process)
        self._how[process] = None
        self._recording.pop(process, None)

    def segments(self, process: ProcessId) -> SegmentMap:
        """Give the segment map, that adds up to the figures."""
        allocator, row = self._device(process)
        served = row.facts.framework == "vllm"
        return segment_map(
            allocator,
            seed=process.pid,
            taken_at_ns=self._source.newest()[0].taken_at_ns,
            private_bytes=_GRAPHS_BYTES if served else 0,
        )

    def sites(self, process: ProcessId, *, most: int = 50) -> tuple[Site, ...]:
        """Give the stacks, while allocations are recorded."""
        allocator, row = self._device(process)
        if not self._recording.get(process, False):
            return ()
        return rank_sites(allocator, row.facts.world_size or 1)[:most]

    def summary(self, process: ProcessId, device_index: int) -> str:
        """Give the table.

        Raises:
            AttachError: when the process has no such device.
        """
        allocator, row = self._device(process)
        if device_index != allocator.index:
            raise AttachError(f"process {process.pid} uses cuda:{allocator.index} alone")
        age_s = self._source.newest()[0].taken_at_ns / 1e9 - (row.facts.started_at_s or 0.0)
        return summary_text(allocator, turned_over=int(max(0.0, age_s) * _TURNED_OVER_BYTES_S))

    def facts(self, process: ProcessId) -> ModelFacts:
        """Give the model of a rank; a notebook has none, and a server keeps its own to itself."""
        _, row = self._device(process)
        if row.facts.job is None or row.facts.framework != "pytorch":
            return ModelFacts(unavailable={"models": "no torch.nn.Module is alive in this process"})
        return rank_facts(row.facts.world_size or 1)

    def record(self, process: ProcessId, *, on: bool) -> None:
        """Begin or stop to record."""
        self._device(process)
        self._recording[process] = on

    def snapshot(self, process: ProcessId, path: str, *, traces: bool = True) -> int:  # noqa: ARG002 - nothing is written
        """Refuse: there is nothing to write.

        Raises:
            AttachError: always.
        """
        self._device(process)
        raise AttachError(
            f"process {process.pid} is simulated: it has no snapshot to give, and nothing was written",
            fix="attach to a process of yours",
        )

    def close(self) -> None:
        """Let go of nothing."""

    def _way_in(self, row: GpuProcess) -> str | None:
        born_with = "run" if row.facts.rank is not None and row.facts.framework == "pytorch" else None
        return self._how.get(row.id, born_with)

    def _guest(self, row: GpuProcess, allocator: Allocator, how: str, taken_at_ns: int) -> Guest:
        facts = row.facts
        ours = facts.framework == "pytorch" and facts.rank is not None
        started = allocator.reserved_bytes != 0
        return Guest(
            pid=row.pid,
            started_at_s=facts.started_at_s,
            taken_at_ns=taken_at_ns,
            hook_version=_HOOK_VERSION,
            how=how,
            python_version="3.12.11",
            torch_version="2.9.1+cu130" if facts.framework == "pytorch" else "2.8.0+cu128",
            cuda_version="13.0" if facts.framework == "pytorch" else "12.8",
            cuda_initialized=True,
            backend="native",
            allocator_conf="expandable_segments:False" if ours else None,
            rank=facts.rank,
            local_rank=facts.local_rank,
            world_size=facts.world_size,
            devices=(allocator,) if started else (),
            history=self._recording.get(row.id, False),
            black_box=True,
            incidents=allocator.num_ooms or 0,
        )

    def _row(self, process: ProcessId) -> GpuProcess:
        rows = self._source.newest()[0].processes
        row = next((row for row in rows if row.id == process), None)
        if row is None:
            raise AttachError(f"process {process.pid} has ended")
        return row

    def _device(self, process: ProcessId) -> tuple[Allocator, GpuProcess]:
        """Give the allocator of a process with a hook, and its row."""
        row = self._row(process)
        allocator = self._source.allocator_of(row, self._source.newest()[1])
        if allocator is None or self._way_in(row) is None:
            raise AttachError(f"process {process.pid} carries no hook", fix=_NO_HOOK)
        return allocator, row
