"""Guests that say what the test tells them to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from dstop.model.segment import ModelFacts
from dstop.testing.build_guest import make_segment_map, make_sites

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dstop.errors import AttachError
    from dstop.model.guest import Guest, ProcessId
    from dstop.model.segment import SegmentMap, Site


class FakeGuests:
    """Replays answers and failures in order, and stays with the last; notes every call.

    Args:
        steps: what each `answers` gives, or raises when it is an exception.
        segments: what every process answers to `segments`.
        sites: what every process answers to `sites`.
        model: what every process answers to `facts`.
        recording: what every process answers to `snapshot`; empty: nothing is written.
        refusals: by PID, what any call close up raises.
    """

    def __init__(
        self,
        steps: Iterable[Iterable[Guest] | Exception] = (),
        *,
        segments: SegmentMap | None = None,
        sites: tuple[Site, ...] | None = None,
        model: ModelFacts | None = None,
        recording: bytes = b"",
        refusals: Mapping[int, AttachError] | None = None,
    ) -> None:
        self._steps = [step if isinstance(step, Exception) else tuple(step) for step in steps] or [()]
        self._segments = make_segment_map() if segments is None else segments
        self._sites = make_sites() if sites is None else sites
        self._model = ModelFacts() if model is None else model
        self._recording = recording
        self._refusals = dict(refusals or {})
        self.asked: list[tuple[ProcessId, ...]] = []
        """The processes of every `ask`."""
        self.calls: list[tuple[str, ProcessId, object]] = []
        """Every call close up: its name, its process, its argument."""
        self.patience_s: float | None = None
        """What the last `answers` was willing to wait."""
        self.closed = False

    def ask(self, processes: Iterable[ProcessId]) -> None:
        """Note who was asked."""
        self.asked.append(tuple(processes))

    def answers(self, *, patience_s: float = 0.05) -> Mapping[ProcessId, Guest]:
        """Give the next answers, or raise the next failure."""
        self.patience_s = patience_s
        step = self._steps.pop(0) if len(self._steps) > 1 else self._steps[0]
        if isinstance(step, Exception):
            raise step
        return {guest.id: guest for guest in step}

    def attach(self, process: ProcessId) -> str:
        """Say that it came in by `ptrace`."""
        self._called("attach", process)
        return "ptrace"

    def detach(self, process: ProcessId) -> None:
        """Note it."""
        self._called("detach", process)

    def segments(self, process: ProcessId) -> SegmentMap:
        """Give the map of the test."""
        self._called("segments", process)
        return self._segments

    def sites(self, process: ProcessId, *, most: int = 50) -> tuple[Site, ...]:
        """Give the sites of the test."""
        self._called("sites", process, most)
        return self._sites[:most]

    def summary(self, process: ProcessId, device_index: int) -> str:
        """Give a text that names the device."""
        self._called("summary", process, device_index)
        return f"PyTorch CUDA memory summary, device ID {device_index}"

    def facts(self, process: ProcessId) -> ModelFacts:
        """Give the model of the test."""
        self._called("facts", process)
        return self._model

    def record(self, process: ProcessId, *, on: bool) -> None:
        """Note it."""
        self._called("record", process, on)

    def snapshot(self, process: ProcessId, path: str, *, traces: bool = True) -> int:
        """Note the path, and write the recording of the test where it has one."""
        self._called("snapshot", process, (path, traces))
        if self._recording:
            Path(path).write_bytes(self._recording)
        return len(self._recording)

    def close(self) -> None:
        """Remember that nobody needs them any more."""
        self.closed = True

    def _called(self, name: str, process: ProcessId, argument: object = None) -> None:
        self.calls.append((name, process, argument))
        refusal = self._refusals.get(process.pid)
        if refusal is not None:
            raise refusal
