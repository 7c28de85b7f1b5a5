"""What can be asked of the PyTorch processes of a source: their allocators at every step, and more of one close up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dstop.model.guest import Guest, ProcessId
    from dstop.model.segment import ModelFacts, SegmentMap, Site


class Guests(Protocol):
    """The hooks in the processes of one machine.

    `ask` and `answers` belong to the thread that reads samples and never wait for a process. All others may be called
    from any thread, take as long as the process does, and raise DstopError with what is wrong and what to do.
    """

    def ask(self, processes: Iterable[ProcessId]) -> None:
        """Send this step's request to every hook among these processes; look for hooks not yet known, now and then."""
        ...

    def answers(self, *, patience_s: float = 0.05) -> Mapping[ProcessId, Guest]:
        """Give the newest answer of every hook; one that is late comes with its last figures and `stale_s`."""
        ...

    def attach(self, process: ProcessId) -> str:
        """Bring the hook into a process that has none; says how it came in."""
        ...

    def detach(self, process: ProcessId) -> None:
        """Have the hook restore what it changed and leave."""
        ...

    def segments(self, process: ProcessId) -> SegmentMap:
        """Give the segment map."""
        ...

    def sites(self, process: ProcessId, *, most: int = 50) -> tuple[Site, ...]:
        """Give the stacks that hold the most, biggest first; empty where allocations are not recorded."""
        ...

    def summary(self, process: ProcessId, device_index: int) -> str:
        """Give `torch.cuda.memory_summary` of a device."""
        ...

    def facts(self, process: ProcessId) -> ModelFacts:
        """Count the modules and optimizers of the process: holds its GIL for a moment."""
        ...

    def record(self, process: ProcessId, *, on: bool) -> None:
        """Have allocations recorded with their stacks from now on, or stop what dstop began."""
        ...

    def snapshot(self, process: ProcessId, path: str, *, traces: bool = True) -> int:
        """Write a memory snapshot to a new file (gzip when its name ends in `.gz`); gives its size in bytes."""
        ...

    def close(self) -> None:
        """Let go of every hook, and leave them where they are; safe to call twice."""
        ...
