"""Hypothesis strategies for what a driver, a process and a terminal may be confronted with.

The values break no type, but they respect nobody's layout: any text, any size, anything absent. Text may hold
what a parser would have cleaned, because a face must stand even behind a source that forgot to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from hypothesis import strategies as st

from dstop.model.event import Event, EventKind
from dstop.model.frame import Frame, GpuHistory, OwnCost, Problem
from dstop.model.gpu import THROTTLE_REASONS, Activity, Gpu, MigInstance, Xid
from dstop.model.host import Host
from dstop.model.process import GpuProcess, ProcessFacts
from dstop.model.sample import Sample
from dstop.model.unattributed import Unattributed

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn, SearchStrategy

_T = TypeVar("_T")
_HUGE = 2**63 - 1
_LAST_SECOND = 4_000_000_000
_NASTY = (
    "",
    " ",
    "\x1b[31mred\x1b[0m",
    "\x1b]0;title\x07",
    "line\nbreak\ttab\rreturn\x00nul",
    "[bold]markup[/bold] [/] [@click=app.quit]x[/]",
    "训练.py",
    "学習ジョブ ﾃｽﾄ",
    "🔥🚀👩‍👩‍👧‍👦🏳️‍🌈",
    "مرحبا עברית \u202eevil\u2066",
    "e\u0301\u0323 zero\u200bwidth\u200d \ufeff",
    "\ud7ff\ue000\ufffd\U0010ffff",
    "x" * 3000,
    "-" * 80 + "│" * 40,
)
_REASONS = ("not supported", "GPU is lost", "no permission: run as root", "训练 \x1b[1m", "r" * 400)


def hostile_text() -> SearchStrategy[str]:
    """Give text that breaks naive faces: escapes, markup, wide letters, both directions, great length."""
    return st.sampled_from(_NASTY) | st.text(max_size=40) | st.sampled_from(("train.py", "VLLM::EngineCore"))


def gpus(index: int | None = None) -> SearchStrategy[Gpu]:
    """Give cards with any field absent or huge; of one index when it is given."""
    at = st.integers(0, 63) if index is None else st.just(index)
    count, percent, text = _count(), _percent(), _maybe(hostile_text())
    small, flag = _maybe(st.integers(0, 10_000)), _maybe(st.booleans())
    return st.builds(
        Gpu,
        index=at,
        uuid=text,
        name=text,
        pci_bus_id=text,
        fault=st.none() | st.none() | hostile_text(),
        stale_s=st.just(0.0) | st.floats(0, 1e6),
        **dict.fromkeys(_BYTES, count),
        **dict.fromkeys(_PERCENTS, percent),
        **dict.fromkeys(_SMALL, small),
        **dict.fromkeys(_FLAGS, flag),
        **dict.fromkeys(("compute_mode", "compute_capability", "virtualization"), text),
        unified_memory=st.booleans(),
        throttle_reasons=_maybe(
            st.lists(st.sampled_from(sorted(THROTTLE_REASONS.values())), unique=True).map(tuple)
        ),
        mig=_tuples(_instances(), 3),
        xids=_tuples(st.builds(Xid, code=st.integers(0, 2**31), at_ns=_moments()), 3),
        activity=_maybe(st.builds(Activity, **dict.fromkeys(Activity.__slots__, percent))),
        unavailable=_unavailable((*_BYTES, *_PERCENTS, *_SMALL, *_FLAGS)),
    )


def processes(gpu_index: int | None = None) -> SearchStrategy[GpuProcess]:
    """Give process rows with anything absent, any name, any command line; on one card when it is given."""

    @st.composite
    def row(draw: DrawFn) -> GpuProcess:
        facts = draw(_facts())
        return GpuProcess(
            gpu_index=draw(st.integers(0, 63)) if gpu_index is None else gpu_index,
            pid=facts.pid,
            gpu_uuid=draw(_maybe(hostile_text())),
            type=draw(st.sampled_from(("C", "G", "C+G", "M"))),
            gpu_memory_bytes=draw(_count()),
            sm_pct=draw(_percent()),
            memory_pct=draw(_percent()),
            encoder_pct=draw(_percent()),
            decoder_pct=draw(_percent()),
            gpu_instance_id=draw(_maybe(st.integers(0, 14))),
            compute_instance_id=draw(_maybe(st.integers(0, 7))),
            facts=facts,
            cpu_pct=draw(_maybe(st.floats(0, 1e6))),
            rss_bytes=draw(_count()),
            state=draw(_maybe(st.sampled_from("RSDTZI"))),
            unavailable=draw(_unavailable(("gpu_memory_bytes", "sm_pct", "cpu_pct", "rss_bytes"))),
        )

    return row()


def samples(*, most_gpus: int = 10, most_processes: int = 12) -> SearchStrategy[Sample]:
    """Give machines: cards in index order, rows with unique keys on cards that are there."""

    @st.composite
    def sample(draw: DrawFn) -> Sample:
        indices = sorted(draw(st.sets(st.integers(0, 63), max_size=most_gpus)))
        cards = tuple(draw(gpus(index)) for index in indices)
        rows = _rows(draw, indices, most_processes) if indices else ()
        lost = draw(_tuples(_lost(indices), 3)) if indices else ()
        text = _maybe(hostile_text())
        return Sample(
            taken_at_ns=draw(_moments()),
            host=draw(_hosts()),
            driver_version=draw(text),
            cuda_version=draw(text),
            gpus=cards,
            processes=rows,
            unattributed=lost,
            notices=draw(_tuples(hostile_text(), 3)),
            simulated=draw(text),
        )

    return sample()


def frames(*, most_gpus: int = 10, most_processes: int = 12) -> SearchStrategy[Frame]:
    """Give refreshes: histories with gaps, for some of the cards, and any event and problem."""

    @st.composite
    def frame(draw: DrawFn) -> Frame:
        sample = draw(samples(most_gpus=most_gpus, most_processes=most_processes))
        shown = [gpu.index for gpu in sample.gpus if draw(st.booleans())]
        return Frame(
            sample=sample,
            step_s=draw(st.floats(0.01, 3600)),
            history={index: draw(_histories()) for index in shown},
            events=draw(_tuples(_events(), 6)),
            cost=draw(_maybe(st.builds(OwnCost, cpu_pct=st.floats(0, 1e4), rss_bytes=st.integers(0, _HUGE)))),
            problem=draw(
                _maybe(
                    st.builds(
                        Problem, message=hostile_text(), fix=_maybe(hostile_text()), since_ns=_moments()
                    )
                )
            ),
        )

    return frame()


_BYTES = (
    "memory_total_bytes",
    "memory_used_bytes",
    "memory_reserved_bytes",
    "memory_free_bytes",
    "power_mw",
    "power_limit_mw",
    "energy_mj",
    "pcie_tx_bytes_s",
    "pcie_rx_bytes_s",
    "nvlink_tx_bytes_s",
    "nvlink_rx_bytes_s",
    "ecc_corrected",
    "ecc_uncorrected",
)
_PERCENTS = ("utilization_gpu_pct", "utilization_memory_pct", "encoder_pct", "decoder_pct")
_SMALL = (
    "temperature_c",
    "temperature_memory_c",
    "temperature_slowdown_c",
    "clock_sm_mhz",
    "clock_sm_max_mhz",
    "clock_memory_mhz",
    "fan_pct",
    "performance_state",
    "pcie_generation",
    "pcie_width",
)
_FLAGS = ("remapped_rows_pending", "remapped_rows_failed", "persistence_mode", "mig_enabled")


def _maybe(strategy: SearchStrategy[_T]) -> SearchStrategy[_T | None]:
    return st.none() | strategy


def _tuples(strategy: SearchStrategy[_T], most: int) -> SearchStrategy[tuple[_T, ...]]:
    return st.lists(strategy, max_size=most).map(tuple)


def _count() -> SearchStrategy[int | None]:
    """Give a figure of any size a 64-bit counter can have, often one of a real card's."""
    return _maybe(st.integers(0, 200 * 2**30) | st.sampled_from((0, 1, 1023, 1024, _HUGE)))


def _percent() -> SearchStrategy[float | None]:
    return _maybe(st.floats(0, 100) | st.sampled_from((0, 100, 100.4, 1e9)))


def _moments() -> SearchStrategy[int]:
    return st.integers(0, _LAST_SECOND * 10**9)


def _unavailable(names: tuple[str, ...]) -> SearchStrategy[dict[str, str]]:
    return st.dictionaries(st.sampled_from(names), st.sampled_from(_REASONS), max_size=5)


def _instances() -> SearchStrategy[MigInstance]:
    return st.builds(
        MigInstance,
        gpu_instance_id=st.integers(0, 14),
        compute_instance_id=st.integers(0, 7),
        uuid=_maybe(hostile_text()),
        profile=_maybe(st.sampled_from(("1g.10gb", "3g.40gb", "1g.5gb+me")) | hostile_text()),
        **dict.fromkeys(_BYTES[:4], _count()),
    )


def _facts() -> SearchStrategy[ProcessFacts]:
    text, number = _maybe(hostile_text()), _maybe(st.integers(0, 100_000))
    return st.builds(
        ProcessFacts,
        pid=st.integers(1, 2**22) | st.just(2**31 - 1),
        started_at_s=_maybe(st.floats(0, _LAST_SECOND)),
        cmdline=_tuples(hostile_text(), 6),
        **dict.fromkeys(("ppid", "uid", "rank", "local_rank", "world_size"), number),
        **dict.fromkeys(("user", "command", "container", "job", "framework", "model"), text),
        labels=st.dictionaries(hostile_text(), hostile_text(), max_size=2),
        unavailable=_unavailable(("command", "user", "started_at_s", "cmdline")),
    )


def _hosts() -> SearchStrategy[Host]:
    sizes = ("memory_total_bytes", "memory_used_bytes", "swap_total_bytes", "swap_used_bytes")
    return st.builds(
        Host,
        name=hostile_text(),
        cpu_count=_maybe(st.integers(1, 4096)),
        cpu_pct=_percent(),
        load_1=_maybe(st.floats(0, 1e6)),
        uptime_s=_maybe(st.floats(0, 1e10)),
        container=_maybe(hostile_text()),
        **dict.fromkeys(sizes, _count()),
    )


def _rows(draw: DrawFn, indices: list[int], most: int) -> tuple[GpuProcess, ...]:
    on_one = st.sampled_from(indices).flatmap(processes)
    return tuple(draw(st.lists(on_one, max_size=most, unique_by=lambda row: row.key)))


def _lost(indices: list[int]) -> SearchStrategy[Unattributed]:
    return st.builds(
        Unattributed, gpu_index=st.sampled_from(indices), bytes=st.integers(0, _HUGE), cause=hostile_text()
    )


def _histories() -> SearchStrategy[GpuHistory]:
    values = _tuples(_percent(), 200)
    return st.builds(GpuHistory, **dict.fromkeys(GpuHistory.__slots__, values))


def _events() -> SearchStrategy[Event]:
    return st.builds(
        Event,
        at_ns=_moments(),
        kind=st.sampled_from(EventKind),
        text=hostile_text(),
        gpu_index=_maybe(st.integers(0, 63)),
        pid=_maybe(st.integers(1, 2**22)),
    )
