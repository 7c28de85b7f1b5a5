"""Hypothesis strategies for what a driver, a process and a terminal may be confronted with.

The values break no type, but they respect nobody's layout: any text, any size, anything absent. Text may hold
what a parser would have cleaned, because a face must stand even behind a source that forgot to.

A card or a row begins whole or empty and then differs in a few fields: that reaches as far as drawing every
field would, and several times as fast.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from dstop.model.frame import Frame, GpuHistory
from dstop.model.gpu import Gpu
from dstop.model.host import Host
from dstop.model.process import GpuProcess, ProcessFacts
from dstop.model.sample import Sample
from dstop.model.unattributed import Unattributed
from dstop.testing.build import make_facts, make_gpu, make_process
from dstop.testing.fields import (
    ALLOCATOR_HISTORY,
    COST,
    EVENT,
    FACTS_FIELDS,
    GPU_FIELDS,
    GUEST,
    HOST_FIELDS,
    HUGE,
    INDEX,
    MAYBE_TEXT,
    MOMENT,
    PERCENT,
    PID,
    PROBLEM,
    ROW_FIELDS,
    TEXT,
    tuples,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hypothesis.strategies import DrawFn, SearchStrategy

    from dstop.model.guest import Guest

_LENGTHS = (0, 1, 2, 59, 60, 200)
_HISTORY_NAMES = ("utilization_pct", "memory_pct", "power_pct", "temperature_c")


def hostile_text() -> SearchStrategy[str]:
    """Give text that breaks naive faces: escapes, markup, wide letters, both directions, great length."""
    return TEXT


def gpus(index: int | None = None) -> SearchStrategy[Gpu]:
    """Give cards with any field absent or huge; of one index when it is given."""

    @st.composite
    def card(draw: DrawFn) -> Gpu:
        at = draw(INDEX) if index is None else index
        base = make_gpu(at) if draw(st.booleans()) else Gpu(index=at)
        return replace(base, **_some(draw, GPU_FIELDS))

    return card()


def processes(gpu_index: int | None = None) -> SearchStrategy[GpuProcess]:
    """Give process rows with anything absent, any name, any command line; on one card when it is given."""

    @st.composite
    def row(draw: DrawFn) -> GpuProcess:
        at = draw(INDEX) if gpu_index is None else gpu_index
        pid = draw(PID)
        whole = draw(st.booleans())
        facts = replace(make_facts(pid) if whole else ProcessFacts(pid=pid), **_some(draw, FACTS_FIELDS))
        base = make_process(at, pid) if whole else GpuProcess(gpu_index=at, pid=pid, facts=facts)
        return replace(base, facts=facts, **_some(draw, ROW_FIELDS))

    return row()


def guests() -> SearchStrategy[Guest]:
    """Give attached processes with anything absent, figures that contradict each other, any text."""
    return GUEST


def samples(*, most_gpus: int = 9, most_processes: int = 10) -> SearchStrategy[Sample]:
    """Give machines: cards in index order, rows with unique keys on cards that are there."""

    @st.composite
    def sample(draw: DrawFn) -> Sample:
        indices = sorted(draw(st.sets(INDEX, max_size=most_gpus)))
        at = st.sampled_from(indices or [0])
        rows = st.lists(at.flatmap(processes), max_size=most_processes if indices else 0, unique_by=_key)
        lost = st.builds(Unattributed, gpu_index=at, bytes=st.integers(0, HUGE), cause=TEXT)
        return Sample(
            taken_at_ns=draw(MOMENT),
            host=replace(Host(name=draw(TEXT)), **_some(draw, HOST_FIELDS)),
            driver_version=draw(MAYBE_TEXT),
            cuda_version=draw(MAYBE_TEXT),
            gpus=tuple(draw(gpus(index)) for index in indices),
            processes=tuple(draw(rows)),
            unattributed=draw(tuples(lost, 3 if indices else 0)),
            notices=draw(tuples(TEXT, 3)),
            simulated=draw(MAYBE_TEXT),
        )

    return sample()


def frames(*, most_gpus: int = 9, most_processes: int = 10) -> SearchStrategy[Frame]:
    """Give refreshes: histories with gaps, for some of the cards, and any event and problem."""

    @st.composite
    def frame(draw: DrawFn) -> Frame:
        sample = draw(samples(most_gpus=most_gpus, most_processes=most_processes))
        shown = [gpu.index for gpu in sample.gpus if draw(st.booleans())]
        inside = [row.id for row in sample.processes if draw(st.booleans())][:2]
        return Frame(
            sample=sample,
            step_s=draw(st.floats(0.01, 3600)),
            history={index: draw(_histories()) for index in shown},
            guests={
                process: replace(draw(GUEST), pid=process.pid, started_at_s=process.started_at_s)
                for process in inside
            },
            allocator_history={process: {0: draw(ALLOCATOR_HISTORY)} for process in inside[:1]},
            events=draw(tuples(EVENT, 4)),
            cost=draw(COST),
            problem=draw(PROBLEM),
        )

    return frame()


def _key(row: GpuProcess) -> object:
    return row.key


def _some(draw: DrawFn, strategies: Mapping[str, SearchStrategy[Any]]) -> dict[str, Any]:
    """Draw values for a few of the fields."""
    names = draw(st.lists(st.sampled_from(sorted(strategies)), max_size=6, unique=True))
    return {name: draw(strategies[name]) for name in names}


@st.composite
def _histories(draw: DrawFn) -> GpuHistory:
    """Draw a few values for each line and repeat them to a length: what matters is the mix, and how long."""
    length = draw(st.sampled_from(_LENGTHS))
    lines: dict[str, tuple[float | None, ...]] = {}
    for name in _HISTORY_NAMES:
        values = draw(st.lists(PERCENT, max_size=5))
        lines[name] = tuple(values[step % len(values)] for step in range(length)) if values else ()
    unkept = draw(st.sampled_from((0, 1, 100_000)))
    return GpuHistory(
        utilization_pct=lines["utilization_pct"],
        memory_pct=lines["memory_pct"],
        power_pct=lines["power_pct"],
        temperature_c=lines["temperature_c"],
        steps=length + unkept,
    )
