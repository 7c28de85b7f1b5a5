"""Our writer against prometheus-client's: the same families, the same bytes."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import exposition
from prometheus_client.openmetrics import exposition as library
from prometheus_client.utils import floatToGoString

from dstop.export.metrics.library import registry_of
from dstop.export.metrics.moment import Counts, Moment
from dstop.export.metrics.page import page
from dstop.export.metrics.text import number, openmetrics, plain
from dstop.model.event import EventKind
from dstop.testing import frames, make_allocator, make_expectation, make_process, make_sample
from dstop.units import GIB

from .pages import moment


@given(st.integers(0, 2**70) | st.integers(0, 10**8) | st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_is_the_librarys(value):
    """Whole or not, short or long; nought alone has no sign."""
    assert number(value) == (floatToGoString(value) if value else "0.0")


@given(frame=frames())
@settings(deadline=None, max_examples=60)
def test_the_bytes_are_the_librarys(frame):
    """Whatever a machine holds, in both formats."""
    found = page(Moment(frame=frame, age_s=1.5))
    registry = registry_of(lambda: found)
    assert openmetrics(found) == library.generate_latest(registry)
    assert plain(found) == exposition.generate_latest(registry)


def test_the_bytes_are_the_librarys_on_a_full_page():
    """Every kind of family: counters, names, allocators, expectations."""
    row = make_process(
        0, 1, allocator=make_allocator(0), expectation=make_expectation(GIB, 2 * GIB, 3 * GIB, live=GIB)
    )
    sample = make_sample(1, 0)
    sample = make_sample(sample.gpus, 0, processes=(row,))
    found = page(moment(sample, counts=Counts(events={EventKind.XID: 1}), cpu_s=1.25, read_s=0.01))
    registry = registry_of(lambda: found)
    assert openmetrics(found) == library.generate_latest(registry)
    assert plain(found) == exposition.generate_latest(registry)
    assert {family.metric.kind for family in found} == {"gauge", "counter", "info"}


def test_the_registry_gives_some_by_name():
    """`name[]=` asks for a few families; the registry knows all there can be."""
    registry = registry_of(lambda: page(moment()))
    some = registry.restricted_registry(["dstop_gpu_info", "dstop_events_total"])
    assert [family.name for family in some.collect()] == ["dstop_gpu", "dstop_events"]
