"""What each field of a value may hold, as Hypothesis strategies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from hypothesis import strategies as st

from dstop.model.allocator import Allocator, AllocatorHistory
from dstop.model.event import Event, EventKind
from dstop.model.frame import OwnCost, Problem
from dstop.model.gpu import THROTTLE_REASONS, Activity, MigInstance, Xid
from dstop.model.guest import Guest
from dstop.model.process import ProcessFigure

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

_T = TypeVar("_T")
HUGE = 2**63 - 1
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
    "train.py",
    "VLLM::EngineCore",
)
_REASONS = ("not supported", "GPU is lost", "no permission: run as root", "训练 \x1b[1m", "r" * 400)


def maybe(strategy: SearchStrategy[_T]) -> SearchStrategy[_T | None]:
    """Let a value be absent."""
    return st.none() | strategy


def tuples(strategy: SearchStrategy[_T], most: int) -> SearchStrategy[tuple[_T, ...]]:
    """Give up to `most` values."""
    return st.lists(strategy, max_size=most).map(tuple)


TEXT = st.sampled_from(_NASTY) | st.text(max_size=20)
MAYBE_TEXT = maybe(TEXT)
INDEX = st.integers(0, 63)
PID = st.integers(1, 2**22) | st.just(2**31 - 1)
MOMENT = st.integers(0, _LAST_SECOND * 10**9)
_COUNT = maybe(st.integers(0, 200 * 2**30) | st.sampled_from((0, 1, 1023, 1024, HUGE)))
PERCENT: SearchStrategy[float | None] = maybe(st.floats(0, 100) | st.sampled_from((0, 100, 100.4, 1e9)))
_SMALL = maybe(st.integers(0, 10_000))
_FLAG = maybe(st.booleans())
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
_SMALLS = (
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
_SIZED = st.sampled_from((*_BYTES, *_SMALLS))
_INSTANCE = st.builds(
    MigInstance,
    gpu_instance_id=st.integers(0, 14),
    compute_instance_id=st.integers(0, 7),
    uuid=MAYBE_TEXT,
    profile=maybe(st.sampled_from(("1g.10gb", "3g.40gb", "1g.5gb+me")) | TEXT),
    memory_total_bytes=_COUNT,
    memory_used_bytes=_COUNT,
    memory_reserved_bytes=_COUNT,
    memory_free_bytes=_COUNT,
)
GPU_FIELDS: dict[str, SearchStrategy[Any]] = {
    **dict.fromkeys(_BYTES, _COUNT),
    **dict.fromkeys(_PERCENTS, PERCENT),
    **dict.fromkeys(_SMALLS, _SMALL),
    **dict.fromkeys(
        ("remapped_rows_pending", "remapped_rows_failed", "persistence_mode", "mig_enabled"), _FLAG
    ),
    **dict.fromkeys(("uuid", "name", "pci_bus_id", "fault", "compute_mode", "virtualization"), MAYBE_TEXT),
    "stale_s": st.floats(0, 1e6),
    "unified_memory": st.booleans(),
    "throttle_reasons": maybe(tuples(st.sampled_from(sorted(THROTTLE_REASONS.values())), 6)),
    "mig": tuples(_INSTANCE, 3),
    "xids": tuples(st.builds(Xid, code=st.integers(0, 2**31), at_ns=MOMENT), 3),
    "activity": maybe(
        st.builds(Activity, sm_pct=PERCENT, sm_occupancy_pct=PERCENT, tensor_pct=PERCENT, dram_pct=PERCENT)
    ),
    "unavailable": st.dictionaries(
        st.sampled_from((*_BYTES, *_SMALLS)), st.sampled_from(_REASONS), max_size=5
    ),
}
_ALLOCATOR_FIGURES = (
    "requested_bytes",
    "allocated_bytes",
    "active_bytes",
    "reserved_bytes",
    "inactive_split_bytes",
    "peak_allocated_bytes",
    "peak_reserved_bytes",
    "num_alloc_retries",
    "num_ooms",
)
ALLOCATOR = st.builds(
    Allocator,
    index=INDEX,
    gpu_uuid=MAYBE_TEXT,
    **dict.fromkeys(_ALLOCATOR_FIGURES, _COUNT),
    stats=st.dictionaries(TEXT, st.integers(0, HUGE), max_size=3),
    unavailable=st.dictionaries(st.sampled_from(_ALLOCATOR_FIGURES), st.sampled_from(_REASONS), max_size=3),
)
_LINE = tuples(_COUNT, 5)
ALLOCATOR_HISTORY = st.builds(
    AllocatorHistory,
    **dict.fromkeys(("requested_bytes", "allocated_bytes", "active_bytes", "reserved_bytes"), _LINE),
)
GUEST_FIELDS: dict[str, SearchStrategy[Any]] = {
    "stale_s": maybe(st.floats(0, 1e6)),
    "hook_version": _SMALL,
    **dict.fromkeys(
        ("how", "python_version", "torch_version", "cuda_version", "backend", "allocator_conf"), MAYBE_TEXT
    ),
    **dict.fromkeys(("rank", "local_rank", "world_size"), _SMALL),
    **dict.fromkeys(("cuda_initialized", "history", "black_box"), st.booleans()),
    "incidents": st.integers(0, 100),
    "taken_at_ns": MOMENT,
    "devices": tuples(ALLOCATOR, 3),
    "unavailable": st.dictionaries(
        st.sampled_from(("devices", "torch_version", "rank")), st.sampled_from(_REASONS)
    ),
}
GUEST = st.builds(Guest, pid=PID, **GUEST_FIELDS)
FIGURE = st.builds(ProcessFigure, name=TEXT, value=maybe(st.floats(-1e18, 1e18)), why=MAYBE_TEXT)
ROW_FIELDS: dict[str, SearchStrategy[Any]] = {
    "gpu_uuid": MAYBE_TEXT,
    "type": st.sampled_from(("C", "G", "C+G", "M")),
    "gpu_memory_bytes": _COUNT,
    "rss_bytes": _COUNT,
    **dict.fromkeys(("sm_pct", "memory_pct", "encoder_pct", "decoder_pct"), PERCENT),
    **dict.fromkeys(("gpu_instance_id", "compute_instance_id"), maybe(st.integers(0, 14))),
    "cpu_pct": maybe(st.floats(0, 1e6)),
    "state": maybe(st.sampled_from("RSDTZI")),
    "allocator": maybe(ALLOCATOR),
    "figures": tuples(FIGURE, 3),
    "unavailable": st.dictionaries(
        st.sampled_from(("gpu_memory_bytes", "sm_pct", "cpu_pct", "rss_bytes")), st.sampled_from(_REASONS)
    ),
}
FACTS_FIELDS: dict[str, SearchStrategy[Any]] = {
    "started_at_s": maybe(st.floats(0, _LAST_SECOND)),
    "cmdline": tuples(TEXT, 5),
    **dict.fromkeys(("ppid", "uid", "rank", "local_rank", "world_size"), _SMALL),
    **dict.fromkeys(("user", "command", "container", "job", "framework", "model"), MAYBE_TEXT),
    "labels": st.dictionaries(TEXT, TEXT, max_size=2),
    "unavailable": st.dictionaries(
        st.sampled_from(("command", "user", "started_at_s", "cmdline")), st.sampled_from(_REASONS)
    ),
}
HOST_FIELDS: dict[str, SearchStrategy[Any]] = {
    "cpu_count": maybe(st.integers(1, 4096)),
    "cpu_pct": PERCENT,
    "load_1": maybe(st.floats(0, 1e6)),
    "uptime_s": maybe(st.floats(0, 1e10)),
    "container": MAYBE_TEXT,
    **dict.fromkeys(
        ("memory_total_bytes", "memory_used_bytes", "swap_total_bytes", "swap_used_bytes"), _COUNT
    ),
}
EVENT = st.builds(
    Event,
    at_ns=MOMENT,
    kind=st.sampled_from(EventKind),
    text=TEXT,
    gpu_index=maybe(INDEX),
    pid=maybe(PID),
)
COST = maybe(st.builds(OwnCost, cpu_pct=st.floats(0, 1e4), rss_bytes=st.integers(0, HUGE)))
PROBLEM = maybe(st.builds(Problem, message=TEXT, fix=MAYBE_TEXT, since_ns=MOMENT))
