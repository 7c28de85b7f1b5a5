"""The one loop body of every face: read, remember, say what changed, hand out a Frame."""

from __future__ import annotations

from dstop.monitor.loop import Monitor

__all__ = ["Monitor"]
