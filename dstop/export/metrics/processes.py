"""The processes: what the driver and the host say, what PyTorch's allocator holds, what the model should need.

The biggest have series of their own; the rest of a card is one series, so that a fork bomb is not one in the server.
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any

from dstop.export.metrics.families import Column, distinct, per
from dstop.export.metrics.labels import labels, labels_of, word
from dstop.model import metric as m
from dstop.monitor.health import STALE_S

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from dstop.export.metrics.families import Families
    from dstop.export.metrics.labels import Labels
    from dstop.model.guest import Guest, ProcessId
    from dstop.model.process import GpuProcess

_PERCENT = 100
MOST_LABELS = MOST_FIGURES = 8
"""Of one process, as `dstop.plugin` allows; a source of a plugin may give more."""


def add_processes(
    families: Families,
    rows: Sequence[GpuProcess],
    guests: Mapping[ProcessId, Guest],
    cards: Iterable[int],
    most: int,
) -> int:
    """Enter the processes of cards that answer, and give how many rows have no series of their own.

    Args:
        families: what they are entered into.
        rows: the processes.
        guests: the newest answers of their hooks.
        cards: the indices of the cards whose lists are of now.
        most: rows that have series of their own.
    """
    here = set(cards)
    first = sorted((row for row in rows if row.gpu_index in here), key=_size, reverse=True)
    own, rest = first[:most], first[most:]
    shown = distinct((_row_labels(row), row) for row in own)
    families.add_columns(_ROW, shown)
    late = {of for of, guest in guests.items() if _is_late(guest)}
    inside = [(key, row) for key, row in shown if row.allocator is not None]
    answered = [(key, row) for key, row in inside if row.id not in late] if late else inside
    families.add_columns(_NOT_TORCH, answered)
    families.add_columns(_TORCH, [(key, row.allocator) for key, row in answered])
    known = [(key, row.expectation) for key, row in shown if row.expectation is not None]
    families.add_columns(_EXPECTED, known)
    for key, row in shown:
        families.add(m.PROCESS_NAMES, 1, _names(key, row, guests.get(row.id) if guests else None))
        _add_model(families, key, row)
        _add_labels(families, key, row)
    people = distinct((_person(key), row) for key, row in shown)
    families.add_columns(_PERSON, people)
    for key, row in people:
        _add_told(families, key, row)
    for key, row in distinct((_person(key), row) for key, row in inside):
        guest = guests.get(row.id)
        families.add(m.TORCH_STALE, None if guest is None else guest.stale_s or 0, key)
    _add_others(families, rest, sorted(here))
    return len(rest)


def _person(key: Labels) -> Labels:
    """Give the labels of the process, of those of its row on one card."""
    return labels(m.PERSON, *key.values[len(m.MIG) :])


def _size(row: GpuProcess) -> tuple[int, int, int]:
    """Order by memory; of equals, those with a hook first, then the lowest PID: who is shown should not flicker."""
    memory = -1 if row.gpu_memory_bytes is None else row.gpu_memory_bytes
    return memory, int(row.allocator is not None), -row.pid


def _row_labels(row: GpuProcess) -> Labels:
    mig = None
    if row.gpu_instance_id is not None:
        mig = f"{row.gpu_instance_id}/{row.compute_instance_id or 0}"
    facts = row.facts
    return labels(m.ROW, row.gpu_index, mig, row.pid, facts.command, facts.user, facts.job, facts.rank)


def _is_late(guest: Guest) -> bool:
    """Whether a hook has not answered for so long that its figures are history."""
    return guest.stale_s is not None and guest.stale_s >= STALE_S


def _names(key: Labels, row: GpuProcess, guest: Guest | None) -> Labels:
    facts = row.facts
    return labels_of(
        m.PROCESS_NAMES,
        *key.values,
        row.type,
        facts.world_size,
        facts.local_rank,
        facts.framework,
        facts.model,
        facts.container,
        None if guest is None else guest.torch_version,
    )


def _add_model(families: Families, key: Labels, row: GpuProcess) -> None:
    expectation = row.expectation
    if expectation is None:
        return
    phase = None if expectation.footprint is None else expectation.footprint.phase
    families.add(
        m.EXPECTED_MODEL,
        1,
        labels_of(
            m.EXPECTED_MODEL,
            *key.values,
            expectation.model,
            expectation.tier,
            phase,
            expectation.verdict,
        ),
    )


def _add_labels(families: Families, key: Labels, row: GpuProcess) -> None:
    if not row.facts.labels:
        return
    given = {word(name): text for name, text in sorted(row.facts.labels.items())[:MOST_LABELS]}
    for name, text in given.items():
        families.add(m.PROCESS_LABEL, 1, labels_of(m.PROCESS_LABEL, *key.values, name, text))


def _add_told(families: Families, key: Labels, row: GpuProcess) -> None:
    """Enter what a process tells of itself: names that only its plugin knows, so they are labels."""
    if not row.figures:
        return
    known = {word(one.name): one.value for one in row.figures[:MOST_FIGURES]}
    for name, value in known.items():
        families.add(m.PROCESS_FIGURE, value, labels_of(m.PROCESS_FIGURE, *key.values, name))


def _add_others(families: Families, rest: Sequence[GpuProcess], cards: Iterable[int]) -> None:
    """Add up what has no series: a sum with an unknown part is not known, and counters of changing sets are none."""
    for index in cards:
        mine = [row for row in rest if row.gpu_index == index]
        families.add(m.GPU_OTHERS, len(mine), labels(m.GPU, index))
        if not mine:
            continue
        key = labels(m.ROW, index, None, m.OTHER, None, None, None, None)
        sizes = [row.gpu_memory_bytes for row in mine]
        known = [size for size in sizes if size is not None]
        families.add(m.PROCESS_MEMORY, sum(known) if len(known) == len(sizes) else None, key)


def _column(metric: m.Metric, name: str) -> Column:
    get: Any = attrgetter(name)
    return Column(metric, get)


_ROW = (
    _column(m.PROCESS_MEMORY, "gpu_memory_bytes"),
    Column(m.PROCESS_BUSY, per("sm_pct", _PERCENT)),
    Column(m.PROCESS_MEMORY_BUSY, per("memory_pct", _PERCENT)),
    Column(m.PROCESS_ENCODER, per("encoder_pct", _PERCENT)),
    Column(m.PROCESS_DECODER, per("decoder_pct", _PERCENT)),
)
_PERSON = (
    Column(m.PROCESS_CPU, per("cpu_pct", _PERCENT)),
    _column(m.PROCESS_RSS, "rss_bytes"),
    _column(m.PROCESS_START, "facts.started_at_s"),
)
_NOT_TORCH = (_column(m.NOT_TORCH, "not_torch_bytes"),)
_TORCH = (
    _column(m.TORCH_REQUESTED, "requested_bytes"),
    _column(m.TORCH_ALLOCATED, "allocated_bytes"),
    _column(m.TORCH_ACTIVE, "active_bytes"),
    _column(m.TORCH_RESERVED, "reserved_bytes"),
    _column(m.TORCH_CACHED, "cached_bytes"),
    _column(m.TORCH_FRAGMENTED, "inactive_split_bytes"),
    _column(m.TORCH_PEAK_ALLOCATED, "peak_allocated_bytes"),
    _column(m.TORCH_PEAK_RESERVED, "peak_reserved_bytes"),
    _column(m.TORCH_RETRIES, "num_alloc_retries"),
    _column(m.TORCH_OOMS, "num_ooms"),
)
_EXPECTED = (
    _column(m.EXPECTED, "expected_bytes"),
    _column(m.EXPECTED_LOW, "low_bytes"),
    _column(m.EXPECTED_HIGH, "high_bytes"),
)
