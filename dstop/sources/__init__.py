"""Where samples come from. Every source is a peer of every other: the driver, the demo, a recording."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from dstop.model.sample import Sample

LAZY_FIELDS = frozenset({"pcie", "nvlink", "activity"})
"""What costs too much to read unless somebody looks at it."""


class Source(Protocol):
    """A machine that can be read. One thread reads; `close` may come from another."""

    def read(self, *, patience_s: float = 0.5) -> Sample:
        """Give the newest figures, waiting at most `patience_s` for a driver that is slow.

        A GPU that did not answer in time comes with its last figures and its age in `stale_s`.

        Raises:
            SourceError: when nothing at all can be read; the next call tries again from the start.
        """
        ...

    def watch(self, fields: AbstractSet[str]) -> None:
        """Read these costly fields (of `LAZY_FIELDS`) from the next sample on, and no others."""
        ...

    def close(self) -> None:
        """Let go of the driver; safe to call twice, and never waits for a call that hangs."""
        ...
