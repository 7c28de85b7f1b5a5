"""For whoever tests dstop or a plugin: values to start from, a source that replays, the laws of the data.

Public: the names below stay. The strategies need Hypothesis, and load it when one of them is first named.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.testing.build import make_facts, make_frame, make_gpu, make_process, make_sample
from dstop.testing.build_footprint import make_expectation
from dstop.testing.build_guest import (
    make_allocator,
    make_allocator_history,
    make_guest,
    make_segment_map,
    make_sites,
)
from dstop.testing.fake_guests import FakeGuests
from dstop.testing.fakes import FakeSource
from dstop.testing.laws import broken_laws, check_sample, check_source

if TYPE_CHECKING:
    from dstop.testing.hostile import frames, gpus, guests, hostile_text, processes, samples
    from dstop.testing.rules import check_rule

__all__ = [
    "FakeGuests",
    "FakeSource",
    "broken_laws",
    "check_rule",
    "check_sample",
    "check_source",
    "frames",
    "gpus",
    "guests",
    "hostile_text",
    "make_allocator",
    "make_allocator_history",
    "make_expectation",
    "make_facts",
    "make_frame",
    "make_gpu",
    "make_guest",
    "make_process",
    "make_sample",
    "make_segment_map",
    "make_sites",
    "processes",
    "samples",
]


def __getattr__(name: str) -> object:
    """Load the strategies, and all rules, when they are named: a plugin's plain tests need neither."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415 - only once a strategy is asked for

    module = "rules" if name == "check_rule" else "hostile"
    found: object = getattr(import_module(f"dstop.testing.{module}"), name)
    return found
