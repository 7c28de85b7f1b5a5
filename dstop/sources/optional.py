"""A source that may have no driver: what looks into a process is of use where nothing can be said of its card."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from dstop.errors import SourceError
from dstop.model.sample import Sample

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from dstop.model.host import Host
    from dstop.sources import Source


class OptionalDriver:
    """Reads a source; while that has never had a sample, gives the host alone and says why."""

    def __init__(self, source: Source) -> None:
        from dstop.sources.procfs.host import HostReader  # noqa: PLC0415 - read late, as every source does

        self._source = source
        self._host = HostReader()
        self._has_been_read = False

    def read(self, *, patience_s: float = 0.5) -> Sample:
        """Give the sample, or one without GPUs.

        Raises:
            SourceError: when a driver that was there is gone.
        """
        try:
            sample = self._source.read(patience_s=patience_s)
        except SourceError as error:
            if self._has_been_read:
                raise
            return _without_driver(self._host.read(), str(error))
        self._has_been_read = True
        return sample

    def watch(self, fields: AbstractSet[str]) -> None:
        """Pass on which costly fields are looked at."""
        self._source.watch(fields)

    def close(self) -> None:
        """Close the source."""
        self._source.close()


def _without_driver(host: Host, reason: str) -> Sample:
    return Sample(taken_at_ns=time.time_ns(), host=host, notices=(f"no figures of any GPU: {reason}",))
