"""The hooks of a recording: their answers are there; anything more would have had to be asked then."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from dstop.errors import AttachError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dstop.model.guest import Guest, ProcessId
    from dstop.model.segment import ModelFacts, SegmentMap, Site
    from dstop.sources.replay.source import ReplaySource


class ReplayGuests:
    """Guests of the moment that was read last.

    Args:
        source: the replay.
    """

    def __init__(self, source: ReplaySource) -> None:
        self._source = source

    def ask(self, processes: Iterable[ProcessId]) -> None:
        """Do nothing: all answers are there."""

    def answers(self, *, patience_s: float = 0.05) -> Mapping[ProcessId, Guest]:  # noqa: ARG002 - nothing here is slow
        """Give the answers that were recorded."""
        moment = self._source.moment
        return {} if moment is None else {guest.id: guest for guest in moment.guests}

    def attach(self, process: ProcessId) -> str:
        """Refuse.

        Raises:
            AttachError: always.
        """
        raise AttachError(
            f"process {process.pid} is recorded: there is nothing to attach to",
            fix="dstop on the machine itself can",
        )

    def detach(self, process: ProcessId) -> None:
        """Refuse, as `attach` does."""
        self._refuse(process, "hook to let go of")

    def segments(self, process: ProcessId) -> SegmentMap:
        """Refuse: a map is taken when somebody looks at it."""
        self._refuse(process, "segment map")

    def sites(self, process: ProcessId, *, most: int = 50) -> tuple[Site, ...]:
        """Refuse, as `segments` does."""
        del most
        self._refuse(process, "list of who allocated")

    def summary(self, process: ProcessId, device_index: int) -> str:
        """Refuse, as `segments` does."""
        del device_index
        self._refuse(process, "memory summary")

    def facts(self, process: ProcessId) -> ModelFacts:
        """Refuse: what its model should hold was worked out then, and is in the rows."""
        self._refuse(process, "count of modules")

    def record(self, process: ProcessId, *, on: bool) -> None:
        """Refuse, as `attach` does."""
        del on
        self._refuse(process, "allocation to record")

    def snapshot(self, process: ProcessId, path: str, *, traces: bool = True) -> int:
        """Refuse, as `segments` does; nothing is written."""
        del path, traces
        self._refuse(process, "memory snapshot")

    def close(self) -> None:
        """Let go of nothing."""

    def _refuse(self, process: ProcessId, what: str) -> NoReturn:
        raise AttachError(
            f"process {process.pid} is recorded: this recording has no {what}",
            fix="a recording has the figures of each second alone",
        )
