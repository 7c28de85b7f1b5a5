"""Replies of a hook made values: whatever comes out of a watched process is hostile until it has been here.

A figure that is wrong becomes None with its reason; only a reply that is of another shape altogether is an AttachError.
"""

from __future__ import annotations

from dstop.pytorch.parse.facts import parse_facts
from dstop.pytorch.parse.guest import parse_hello, parse_stats
from dstop.pytorch.parse.segments import parse_segments, parse_sites, parse_summary
from dstop.pytorch.parse.stats import flat_stats

__all__ = [
    "flat_stats",
    "parse_facts",
    "parse_hello",
    "parse_segments",
    "parse_sites",
    "parse_stats",
    "parse_summary",
]
