"""A simulated training server: for newcomers, screenshots and tests, and labelled so on every face."""

from __future__ import annotations

from dstop.sources.demo.source import EPOCH_S, SIMULATED, DemoSource

__all__ = ["EPOCH_S", "SIMULATED", "DemoSource"]
