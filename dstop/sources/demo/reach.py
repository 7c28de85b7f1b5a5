"""The Reach of the demo's programs: what their parents were started with; they have no files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.sources.demo.neighbours import server_line

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dstop.model.guest import ProcessId
    from dstop.sources.demo.source import DemoSource


class DemoReach:
    """Answers for the moment that the demo was read last."""

    def __init__(self, source: DemoSource) -> None:
        self._source = source

    def parents(self, process: ProcessId) -> tuple[tuple[str, ...], ...]:
        """Give the command line of the server that an engine belongs to."""
        rows = self._source.newest()[0].processes
        row = next((row for row in rows if row.id == process), None)
        return (server_line(row.facts),) if row is not None and row.facts.framework == "vllm" else ()

    def environ(self, process: ProcessId) -> Mapping[str, str]:  # noqa: ARG002 - as the protocol has it
        """Give nothing."""
        return {}

    def read(self, process: ProcessId, path: str, most_bytes: int) -> bytes:  # noqa: ARG002 - as the protocol has it
        """Find no file.

        Raises:
            FileNotFoundError: always.
        """
        raise FileNotFoundError(2, "a simulated program has no files")
