"""The replay against real recordings: reserved bytes at every segment event, and where every block lies."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from dstop.snapshot.replay.baseline import compare
from dstop.snapshot.replay.begin import begin_of
from dstop.snapshot.replay.plan import plan_of
from dstop.snapshot.replay.run import carry_out
from dstop.snapshot.study import DeviceStudy, studies_of
from dstop.snapshot.values import Action

if TYPE_CHECKING:
    from collections.abc import Callable

    from dstop.snapshot.values import Snapshot, Trace

FOLDER = Path(__file__).parents[1] / "recordings"
NAMES = tuple(sorted(path.name.removesuffix(".pickle.gz") for path in FOLDER.glob("*.pickle.gz")))
WITHOUT_REQUESTS = {"segments-only"}
FRESH = tuple(name for name in NAMES if name not in WITHOUT_REQUESTS | {"ring-cut", "oom-first"})
"""Recorded from the start."""


@pytest.mark.parametrize("name", NAMES)
def test_reserved_bytes_are_right_at_every_segment_event(
    name: str, recording: Callable[[str], Snapshot]
) -> None:
    """Within one percent, which is what verdicts promise; the rules are exact where the past is known."""
    for study in studies_of(recording(name)):
        fidelity = study.replayed.fidelity
        assert bool(fidelity.why_not) == (name in WITHOUT_REQUESTS)
        assert fidelity.worst_error <= 0.01
        if name in FRESH:
            assert fidelity.worst_error == 0
            assert fidelity.segment_events > 0


@pytest.mark.parametrize("name", FRESH)
def test_every_block_lies_where_it_lay(name: str, recording: Callable[[str], Snapshot]) -> None:
    """The model takes the very block that torch took, in every request of the recording."""
    for study in studies_of(recording(name)):
        plan = study.replayed.plan
        assert plan.rules.oldest_first == (name != "training-2.8")
        assert compare(study, plan).elsewhere == 0


def _cut(snapshot: Snapshot, share: float) -> Snapshot:
    """Give the snapshot that a smaller ring would have been: its first events are gone."""
    (trace,) = snapshot.traces
    first = int(len(trace) * share)
    columns = {name: getattr(trace, name)[first:] for name in trace.__slots__ if name != "device"}
    return replace(snapshot, traces=(_with(trace, columns),))


def _with(trace: Trace, columns: dict[str, object]) -> Trace:
    return replace(trace, **columns)  # type: ignore[arg-type]


def _live_at(study: DeviceStudy, position: int) -> dict[int, int]:
    """Give the blocks that the model has in use at a position, by address, following the whole ring."""
    lives = study.lives
    alive = (lives.begin < position) & (lives.end >= position)
    return dict(zip(lives.address[alive].tolist(), lives.requested[alive].tolist(), strict=True))


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
@pytest.mark.parametrize("name", ["expandable", "ragged", "split-roundup", "streams", "training-2.8"])
def test_the_past_is_counted_back(name: str, share: float, recording: Callable[[str], Snapshot]) -> None:
    """A ring that begins in the middle: segments and blocks of its beginning are those that the whole ring has then."""
    snapshot = recording(name)
    whole, part = DeviceStudy(snapshot, 0), DeviceStudy(_cut(snapshot, share), 0)
    position = int(whole.events * share)
    begin = begin_of(part, plan_of(part).rules)
    assert begin.reserved_bytes == int(whole.reserved[position])
    alive = _live_at(whole, position)
    found = dict(zip(begin.address.tolist(), part.lives.requested[begin.rows].tolist(), strict=True))
    assert found == alive
    assert part.replayed.fidelity.worst_error <= 0.01


def test_blocks_of_the_past_have_their_remainders(recording: Callable[[str], Snapshot]) -> None:
    """What was not split off a block is its own, also where the block was freed in the ring."""
    snapshot = _cut(recording("ragged"), 0.5)
    study = DeviceStudy(snapshot, 0)
    begin = begin_of(study, plan_of(study).rules)
    held = [each for each in begin.held if not each.small]
    ends = begin.address + begin.size
    for each in held:
        inside = np.flatnonzero((begin.address >= each.address) & (begin.address < each.address + each.size))
        edges = [each.address, *(int(edge) for row in inside for edge in (begin.address[row], ends[row]))]
        edges.append(each.address + each.size)
        gaps = [last - first for first, last in zip(edges[::2], edges[1::2], strict=True)]
        assert all(gap == 0 or gap > 1 << 20 for gap in gaps)


def test_a_recording_that_fails_fails_again(recording: Callable[[str], Snapshot]) -> None:
    """Under its own rules and the capacity that it shows, the failed request does not fit, and no earlier one fails."""
    for name in ("oom-first", "oom-forward", "oom-fragmented"):
        study = DeviceStudy(recording(name), 0)

        replayed = study.replayed
        outcome = carry_out(replayed.plan, replayed.plan.rules, replayed.capacity, anew=False)
        assert outcome.short_event == study.failures[0].event
        trace = study.snapshot.trace_of(0)
        assert trace is not None
        assert trace.action[outcome.short_event] == Action.OOM
