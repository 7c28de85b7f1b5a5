"""A source that says what the test tells it to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.model.sample import Sample

if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Set as AbstractSet


class FakeSource:
    """Replays samples and failures in order; at the end it stays with the last one, or starts again.

    Args:
        steps: what each `read` gives, or raises when it is an exception. At least one.
        loop: begin again after the last step.
    """

    def __init__(self, steps: Iterable[Sample | Exception], *, loop: bool = False) -> None:
        self._steps = tuple(steps)
        if not self._steps:
            raise ValueError("a fake source needs at least one sample or exception")
        self._loop = loop
        self.reads = 0
        """How often it was read."""
        self.watched: frozenset[str] = frozenset()
        """What was asked for last."""
        self.patience_s: float | None = None
        """What the last read was willing to wait."""
        self.closed = False

    def read(self, *, patience_s: float = 0.5) -> Sample:
        """Give the next sample, or raise the next failure."""
        self.patience_s = patience_s
        last = len(self._steps) - 1
        number = self.reads % len(self._steps) if self._loop else min(self.reads, last)
        self.reads += 1
        step = self._steps[number]
        if isinstance(step, Sample):
            return step
        raise step

    def watch(self, fields: AbstractSet[str]) -> None:
        """Remember what was asked for."""
        self.watched = frozenset(fields)

    def close(self) -> None:
        """Remember that nobody needs it any more."""
        self.closed = True
