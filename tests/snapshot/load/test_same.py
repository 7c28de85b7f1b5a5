"""The fast reader gives what unpickling gives, whatever wrote the file."""

from __future__ import annotations

import gzip
import io
import pickle
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dstop.snapshot.load import read_snapshot
from dstop.snapshot.load.columns import Events
from dstop.snapshot.load.lane import Lane
from dstop.snapshot.load.parse import parse

from .pickles import CppPickler, event, frames, snapshot, training

if TYPE_CHECKING:
    from dstop.snapshot.values import Snapshot

WRITERS = {
    "2": lambda data: pickle.dumps(data, 2),
    "3": lambda data: pickle.dumps(data, 3),
    "4": lambda data: pickle.dumps(data, 4),
    "5": lambda data: pickle.dumps(data, 5),
    "python-4": lambda data: pickle._dumps(data, 4),
    "python-2": lambda data: pickle._dumps(data, 2),
    "cpp": lambda data: CppPickler().dumps(data),
    "gzip-4": lambda data: gzip.compress(pickle.dumps(data, 4), 1),
    "two-members": lambda data: _two_members(pickle.dumps(data, 4)),
    "again": lambda data: pickle.dumps(pickle.loads(pickle.dumps(data, 4)), 4),  # noqa: S301 - our own
}


def _two_members(data: bytes) -> bytes:
    return gzip.compress(data[: len(data) // 2]) + gzip.compress(data[len(data) // 2 :])


def plain(found: Snapshot) -> dict[str, Any]:
    """Give all that a snapshot says, without the numbers that depend on the order of reading."""
    return {
        "segments": [
            (
                *(
                    getattr(each, name)
                    for name in ("device", "address", "total_bytes", "stream", "pool", "expandable")
                ),
                found.stacks[each.stack],
                [(*block[:4], found.stacks[block.stack]) for block in each.blocks],
            )
            for each in found.segments
        ],
        "traces": [
            [
                (
                    *row[:5],
                    found.stacks[row[5]],
                    found.pools[row[6]] if row[6] >= 0 else None,
                    *map(found.texts.__getitem__, row[7:]),
                )
                for row in zip(
                    *(
                        getattr(trace, name).tolist()
                        for name in (
                            "action",
                            "address",
                            "size",
                            "stream",
                            "time_us",
                            "stack",
                            "pool",
                            "compiled",
                            "note",
                        )
                    ),
                    strict=True,
                )
            ]
            for trace in found.traces
        ],
        "settings": found.settings,
        "annotations": found.annotations,
        "names": found.names,
    }


def same(data: Any, raw: bytes) -> Snapshot:
    """Read the bytes, and compare with what the data itself would give."""
    found = read_snapshot(io.BytesIO(raw))
    assert plain(found) == plain(parse(data, Events()))
    return found


@pytest.mark.parametrize("writer", WRITERS)
def test_a_training_is_the_same_whoever_wrote_it(writer: str) -> None:
    """Some thousands of events: batches, pickle frames and references of every length occur."""
    data = training()
    found = same(data, WRITERS[writer](data))
    assert len(found.traces[0]) == 40 * 90 + 1


@pytest.mark.parametrize("writer", WRITERS)
def test_most_events_take_the_lane(writer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine is for what is odd; else a million events would take a minute."""
    taken: list[int] = []
    run = Lane.run

    def counted(self: Lane) -> Any:
        found = run(self)
        taken.append(found[1] - found[0] if found else 0)
        return found

    monkeypatch.setattr(Lane, "run", counted)
    data = training()
    read_snapshot(io.BytesIO(WRITERS[writer](data)))
    assert sum(taken) > 0.9 * len(data["device_traces"][0])


_SIZES = st.one_of(st.integers(0, 600), st.integers(0, 2**17), st.integers(0, 2**40), st.just(2**62))
_NOTES = st.sampled_from(["", "step 1", "N/A", "ü" * 20, "x" * 200])


@st.composite
def rings(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Give events of any sizes, with stacks shared and not, with and without frames and notes."""
    places = frames(300)
    shared = [places[:3], places[290:], places[100:180], []]
    made = []
    for at in range(draw(st.integers(0, 60))):
        kind = draw(
            st.sampled_from(
                ["alloc", "free_requested", "free_completed", "segment_alloc", "oom", "snapshot", "new"]
            )
        )
        stack = draw(st.sampled_from(shared))
        made.append(
            event(
                kind,
                draw(_SIZES),
                draw(_SIZES),
                at * draw(st.integers(0, 9)),
                stack if draw(st.booleans()) else list(stack),
            )
        )
        made[-1]["stream"] = draw(st.sampled_from([0, 0, 94_000_000_000_000]))
        made[-1]["user_metadata"] = draw(_NOTES)
        made[-1]["pool_id"] = draw(st.sampled_from([(0, 0), (1, 0), (0, 70_000)]))
        if draw(st.integers(0, 5)) == 0:
            made[-1]["later"] = draw(st.sampled_from([None, True, 7, "text", (1, 2)]))
        for key in ("frames", "user_metadata", "pool_id"):
            if draw(st.integers(0, 9)) == 0:
                del made[-1][key]
    return made


@given(rings(), rings(), st.sampled_from(sorted(WRITERS)))
@settings(max_examples=80, deadline=None)
def test_any_ring_is_the_same(one: list[dict[str, Any]], two: list[dict[str, Any]], writer: str) -> None:
    """Whatever order events of whatever kinds come in, on two devices."""
    data = snapshot(one)
    data["device_traces"] = [one, two]
    same(data, WRITERS[writer](data))


@pytest.mark.parametrize("piece", [1, 7, 64, 1000])
def test_the_window_may_end_anywhere(piece: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files come in pieces, and no piece ends where an event does."""
    monkeypatch.setattr("dstop.snapshot.load.source.PIECE_BYTES", piece)
    monkeypatch.setattr("dstop.snapshot.load.lane.LONGEST_EVENT_BYTES", 200)
    data = training(steps=2)
    same(data, pickle.dumps(data, 4))


def test_a_stack_of_two_thousand_frames_is_whole() -> None:
    """Recursion makes them; the pickler writes a list in batches of a thousand."""
    places = frames(2000)
    data = snapshot([event("alloc", 512, 512, at, list(places)) for at in range(3)])
    found = same(data, pickle.dumps(data, 4))
    assert len(found.stacks[int(found.traces[0].stack[2])]) == 2000


def test_a_list_of_segments_is_a_snapshot() -> None:
    """`torch.cuda.memory_snapshot()` gives no more."""
    data = snapshot([])["segments"]
    assert same(data, pickle.dumps(data, 4)).traces == ()


def test_the_history_of_old_torches_is_read() -> None:
    """1.13 and 2.0 kept who had a block beside it, newest first."""
    data = snapshot([])
    stack = frames(3)
    data["segments"][0]["blocks"] = [
        {
            "size": 1 << 20,
            "state": "active_allocated",
            "history": [{"addr": 1, "real_size": 1000, "frames": stack}],
        },
        {"size": 19 << 20, "state": "inactive"},
    ]
    block = same(data, pickle.dumps(data, 4)).segments[0].blocks[0]
    assert (block.requested_bytes, block.size_bytes) == (1000, 1 << 20)
    assert block.stack != 0


def test_what_dstop_adds_is_read() -> None:
    """Names of storages, by address."""
    data = snapshot([]) | {
        "dstop": {"storages": [[0, 4096, 512, "parameter", "w"], [0, 1, 2], ["x", 1, 2, "buffer", 3]]}
    }
    found = same(data, pickle.dumps(data, 4))
    assert [each.name for each in found.names] == ["w"]


@pytest.mark.parametrize("writer", ["4", "2", "cpp"])
def test_what_an_event_writes_the_next_one_may_refer_to(writer: str) -> None:
    """A pair and a text that several events share, written for the first time in the middle of a long run."""
    pair, note, stack = (3, 70_000), "epoch 1", frames(3)
    events = [event("alloc", 512, 512, at, list(stack)) for at in range(300)]
    shared = {"pool_id": pair, "user_metadata": note, "compile_context": note, "frames": list(stack)}
    events += [event("alloc", 512, 512, at, stack, **shared) for at in range(300, 600)]
    found = same(snapshot(events), WRITERS[writer](snapshot(events)))
    assert found.pools[int(found.traces[0].pool[-1])] == pair
