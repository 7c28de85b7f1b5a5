"""The names of the page: the table is `dstop.model.metric`, so that the fleet, which only reads, can have it too."""

from __future__ import annotations

from dstop.model.metric import BY_NAME, GPU, METRICS, MIG, OTHER, PERSON, ROW, Kind, Metric

__all__ = ["BY_NAME", "GPU", "METRICS", "MIG", "OTHER", "PERSON", "ROW", "Kind", "Metric"]
