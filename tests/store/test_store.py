"""The flight recorder's file: nothing lost that was acknowledged, whatever happens to it."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dstop.errors import StoreError
from dstop.model.event import Event, EventKind
from dstop.model.past import PastIncident
from dstop.store.connect import connect, default_file
from dstop.store.prune import bytes_in_use
from dstop.store.reader import Reader
from dstop.store.schema import MIGRATIONS, VERSION
from dstop.store.tiers import Tier
from dstop.store.writer import Writer
from dstop.testing import make_gpu, make_sample
from dstop.testing.build_guest import make_allocator

T0 = 1_800_000_000
GIB = 2**30
CARD = "GPU-0000"


class Clock:
    """A wall clock that somebody may set, and a steady one beside it."""

    def __init__(self):
        self.wall_s, self.steady_s = float(T0), 100.0

    def sleep(self, seconds):
        """Let time go by."""
        self.wall_s += seconds
        self.steady_s += seconds

    def writer(self, path, **options):
        """Open a recorder that lives by these clocks."""
        return Writer(
            str(path), wall_ns=lambda: int(self.wall_s * 1e9), steady_s=lambda: self.steady_s, **options
        )

    def sample(self, used=40 * GIB, busy=50.0, **fields):
        """Give a reading of one card with one process, now."""
        gpu = make_gpu(0, uuid=CARD, memory_used_bytes=used, utilization_gpu_pct=busy)
        return replace(make_sample((gpu,), 1), taken_at_ns=int(self.wall_s * 1e9), **fields)


def record(clock, writer, seconds, **reading):
    """Read once a second and write each ten."""
    for second in range(seconds):
        writer.add(clock.sample(**reading))
        clock.sleep(1)
        if second % 10 == 9:
            assert writer.flush()


def test_what_was_recorded_is_read_at_every_resolution(tmp_path):
    """A minute of seconds is there second by second, and as one minute with its mean and its peak."""
    clock = Clock()
    writer = clock.writer(tmp_path / "r")
    for second in range(60):
        writer.add(clock.sample(used=(70 if second == 33 else 10) * GIB))
        clock.sleep(1)
    assert writer.close()
    with Reader(str(tmp_path / "r")) as reader:
        assert reader.span() == (T0, T0 + 59)
        past = reader.card(CARD, T0, T0 + 59)
        assert (past.step_s, len(past.points)) == (1, 60)
        assert past.points[33].memory_bytes == 70 * GIB
        assert past.points[0].busy_pct == 50.0
        minute = sqlite3.connect(tmp_path / "r").execute(
            "SELECT readings, memory_sum / memory_count, memory_most FROM gpu_point JOIN bucket "
            "ON bucket.id = bucket WHERE tier = 2"
        )
        assert minute.fetchall() == [(60, 11 * GIB, 70 * GIB)]


def test_the_past_falls_to_the_resolution_that_is_left(tmp_path):
    """When the seconds are gone, the ten-second buckets answer; nothing is older than what is kept."""
    tiers = (Tier(step_s=1, keep_s=30), Tier(step_s=10, keep_s=100), Tier(step_s=60, keep_s=600))
    clock = Clock()
    writer = clock.writer(tmp_path / "r", tiers=tiers)
    record(clock, writer, 300)
    with Reader(str(tmp_path / "r"), tiers) as reader:
        late = reader.card(CARD, T0 + 275, T0 + 299)
        early = reader.card(CARD, T0 + 210, T0 + 299)
        first = reader.card(CARD, T0, T0 + 299)
    assert (late.step_s, len(late.points)) == (1, 25)
    assert (early.step_s, len(early.points)) == (10, 9)
    assert (first.step_s, len(first.points)) == (60, 5)


def test_two_writers_of_one_file_add_up(tmp_path):
    """Two recorders at once: neither loses a reading of its own, and an event is written once."""
    clock = Clock()
    one, two = clock.writer(tmp_path / "r"), clock.writer(tmp_path / "r")
    event = Event(at_ns=T0 * 10**9, kind=EventKind.XID, text="Xid 79", gpu_index=0)
    later = replace(event, at_ns=T0 * 10**9 + 400_000_000)
    one.add(clock.sample(used=10 * GIB), [event])
    two.add(clock.sample(used=30 * GIB), [later])
    assert one.flush()
    assert two.flush()
    with Reader(str(tmp_path / "r")) as reader:
        (point,) = reader.card(CARD, T0, T0).points
        assert (point.memory_bytes, point.memory_most_bytes) == (20 * GIB, 30 * GIB)
        assert [found.text for found in reader.events(T0, T0)] == ["Xid 79"]


_KILLED = """
import sys, time
from dataclasses import replace
from dstop.store.writer import Writer
from dstop.testing import make_gpu, make_sample
writer = Writer(sys.argv[1])
second = int(sys.argv[2])
while True:
    gpu = make_gpu(0, uuid="GPU-0000")
    writer.add(replace(make_sample((gpu,), 1), taken_at_ns=second * 10**9))
    if writer.flush():
        print(second, flush=True)
    second += 1
"""


def test_what_was_acknowledged_outlives_a_kill(tmp_path):
    """A recorder that is killed at any moment has lost nothing that it said was written."""
    for round_ in range(3):
        start = T0 + 1_000_000 * round_
        command = [sys.executable, "-c", _KILLED, str(tmp_path / "r"), str(start)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
            said = [int(child.stdout.readline()) for _ in range(20 + 7 * round_)]
            child.send_signal(signal.SIGKILL)
            said += [int(line) for line in child.stdout.read().splitlines() if line.strip()]
        with Reader(str(tmp_path / "r")) as reader:
            kept = {point.at_s for point in reader.card(CARD, start, start + 999_999).points}
        assert set(said) <= kept


def test_a_full_disk_is_said_and_what_waits_is_written_when_there_is_room(tmp_path):
    """Nothing can be written for a while: the reason is there, and then every reading is."""
    clock = Clock()
    writer = clock.writer(tmp_path / "r")
    record(clock, writer, 10)
    (pages,) = writer._file.execute("PRAGMA page_count").fetchone()
    writer._file.execute(f"PRAGMA max_page_count = {pages}")
    refused = 0
    for _ in range(400):
        writer.add(clock.sample())
        clock.sleep(1)
        refused += not writer.flush() and writer.trouble is not None and "full" in writer.trouble
        if refused:
            break
    assert refused
    assert writer.flush(), writer.trouble  # the limit went with the connection: there is room again
    assert writer.trouble is None
    with Reader(str(tmp_path / "r")) as reader:
        seconds = int(clock.wall_s) - T0
        assert len(reader.card(CARD, T0, T0 + seconds).points) == seconds


def test_a_disk_that_stays_full_costs_bounded_memory_and_the_gap_is_written_down(tmp_path, monkeypatch):
    """The oldest seconds are given up, and how many is an event once something can be written."""
    monkeypatch.setattr("dstop.store.writer.MOST_WAITING_S", 20)
    clock = Clock()
    writer = clock.writer(tmp_path / "r")
    blocker = sqlite3.connect(tmp_path / "r", isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    writer._file.execute("PRAGMA busy_timeout = 0")
    for _ in range(50):
        writer.add(clock.sample())
        clock.sleep(1)
    assert not writer.flush()
    assert "locked" in writer.trouble
    blocker.execute("ROLLBACK")
    assert writer.flush()
    with Reader(str(tmp_path / "r")) as reader:
        assert len(reader.card(CARD, T0 + 30, T0 + 99).points) == 20
        assert len(reader.card(CARD, T0, T0 + 99).points) == 5  # in steps of ten seconds it is all there
        texts = [event.text for event in reader.events(T0, T0 + 99)]
    assert texts == ["30 s are known in coarser steps alone: nothing could be written"]


@pytest.mark.parametrize("harm", ["not a database", "torn header", "torn page"])
def test_a_damaged_file_is_set_aside_and_recording_goes_on(tmp_path, harm):
    """What is left of it can still be looked at; the new file says what happened."""
    clock = Clock()
    path = tmp_path / "r"
    writer = clock.writer(path)
    record(clock, writer, 30)
    assert writer.close()
    whole = bytearray(path.read_bytes())
    if harm == "not a database":
        whole[:] = b"all work and no play\n" * 1000
    elif harm == "torn header":
        whole[16:100] = b"\xff" * 84
    else:
        whole[4096:] = b"\x7f" * (len(whole) - 4096)
    path.write_bytes(whole)
    for companion in ("-wal", "-shm"):
        Path(f"{path}{companion}").unlink(missing_ok=True)
    writer = clock.writer(path)
    for _ in range(3):
        writer.add(clock.sample())
        writer.flush()
        clock.sleep(1)
    assert writer.close()
    assert list(tmp_path.glob("r.damaged-*"))
    with Reader(str(path)) as reader:
        assert any("set aside" in event.text for event in reader.events(T0, T0 + 1000))
        assert len(reader.card(CARD, T0, T0 + 1000).points) == 3


def test_a_clock_that_jumps_ahead_makes_nothing_old(tmp_path):
    """Set ten years ahead and back: both times are kept, and both jumps are events."""
    clock = Clock()
    writer = clock.writer(tmp_path / "r")
    record(clock, writer, 20)
    clock.wall_s += 10 * 365 * 86_400
    record(clock, writer, 20)
    clock.wall_s -= 10 * 365 * 86_400
    record(clock, writer, 20)
    with Reader(str(tmp_path / "r")) as reader:
        assert len(reader.card(CARD, T0, T0 + 100).points) == 40
        first, last = reader.span()
        assert (first, last > T0 + 86_400) == (T0, True)
        texts = [event.text for event in reader.events(T0, T0 + 11 * 365 * 86_400)]
    assert [text.split(" by ")[0] for text in sorted(texts)] == [
        "the clock was set back",
        "the clock was set forward",
    ]


def test_a_clock_that_goes_back_over_recorded_time_adds_to_it(tmp_path):
    """The same seconds twice (summer time set by hand): their readings are one bucket, none is refused."""
    clock = Clock()
    writer = clock.writer(tmp_path / "r")
    record(clock, writer, 20, used=10 * GIB)
    clock.wall_s -= 20
    record(clock, writer, 20, used=30 * GIB)
    with Reader(str(tmp_path / "r")) as reader:
        points = reader.card(CARD, T0, T0 + 19).points
    assert {point.memory_bytes for point in points} == {20 * GIB}


def test_the_file_keeps_to_its_bytes(tmp_path):
    """Sixteen cards with many short-lived processes: the finest buckets go first, the coarse ones stay."""
    clock = Clock()
    limit = 800_000
    writer = clock.writer(tmp_path / "r", most_bytes=limit)
    for second in range(120):
        sample = make_sample(16, 8)
        fresh = tuple(
            replace(
                process,
                facts=replace(
                    process.facts, pid=10_000 * (second // 20) + place, started_at_s=float(T0 + second // 20)
                ),
            )
            for place, process in enumerate(sample.processes)
        )
        writer.add(replace(sample, processes=fresh, taken_at_ns=int(clock.wall_s * 1e9)))
        clock.sleep(1)
        if second % 10 == 9:
            assert writer.flush()
    assert bytes_in_use(writer._file) <= limit
    tiers = dict(writer._file.execute("SELECT tier, count(*) FROM bucket GROUP BY tier").fetchall())
    assert tiers[0] < 120
    assert tiers[2] >= 2


def test_processes_are_remembered_with_what_they_held(tmp_path):
    """Who was on the card, the biggest first, with its allocator's peak where it had the hook."""
    clock = Clock()
    writer = clock.writer(tmp_path / "r")
    sample = clock.sample()
    process = replace(
        sample.processes[0],
        gpu_memory_bytes=30 * GIB,
        allocator=make_allocator(0, allocated_bytes=20 * GIB, reserved_bytes=25 * GIB),
    )
    writer.add(replace(sample, processes=(process,)))
    assert writer.close()
    with Reader(str(tmp_path / "r")) as reader:
        (found,) = reader.processes(CARD, T0, T0)
    facts = process.facts
    assert (found.pid, found.command, found.user) == (facts.pid, facts.command, facts.user)
    assert (found.memory_most_bytes, found.allocated_most_bytes) == (30 * GIB, 20 * GIB)
    assert (found.first_s, found.last_s) == (T0, T0)


def test_black_boxes_are_remembered_once(tmp_path):
    """Where an incident lies is kept beyond the incident itself, however often it is found."""
    clock = Clock()
    writer = clock.writer(tmp_path / "r")
    incident = PastIncident(path="/incidents/a", at_ns=T0 * 10**9, title="out of memory", pid=7)
    for _ in range(2):
        writer.note([incident])
        assert writer.flush()
    with Reader(str(tmp_path / "r")) as reader:
        assert reader.incidents(T0, T0) == (incident,)
        assert reader.incidents(T0 + 1, T0 + 2) == ()


def test_a_silent_card_is_no_zero(tmp_path):
    """A card that is lost has points without figures: unknown is not nothing."""
    clock = Clock()
    writer = clock.writer(tmp_path / "r")
    lost = make_gpu(0, uuid=CARD, fault="fell off the bus")
    writer.add(replace(make_sample((lost,), 0), taken_at_ns=T0 * 10**9))
    assert writer.close()
    with Reader(str(tmp_path / "r")) as reader:
        (point,) = reader.card(CARD, T0, T0).points
    assert (point.memory_bytes, point.busy_pct, point.power_mw) == (None, None, None)


@pytest.mark.parametrize("version", range(VERSION + 1))
def test_a_file_of_every_version_is_brought_to_this_one(tmp_path, version):
    """What an older dstop wrote is still there afterwards, and new readings join it."""
    path = tmp_path / "r"
    old = sqlite3.connect(path)
    for number in range(version):
        old.executescript(MIGRATIONS[number])
    old.execute(f"PRAGMA user_version = {version}")
    if version:
        old.execute("INSERT INTO event (at_ns, kind, text) VALUES (?, 'xid', 'of old')", (T0 * 10**9,))
        old.execute("INSERT INTO bucket (tier, at_s) VALUES (0, ?)", (T0,))
        old.execute("INSERT INTO gpu (uuid, place) VALUES (?, 0)", (CARD,))
        old.execute(
            "INSERT INTO gpu_point (bucket, gpu, readings, memory_count, memory_sum, memory_most, busy_count, "
            "busy_sum, power_count, power_sum) VALUES (1, 1, 1, 1, 7, 7, 0, 0, 0, 0)"
        )
    old.commit()
    old.close()
    clock = Clock()
    clock.sleep(5)
    writer = clock.writer(path)
    writer.add(clock.sample(used=9))
    assert writer.close()
    with Reader(str(path)) as reader:
        kept = [point.memory_most_bytes for point in reader.card(CARD, T0, T0 + 9).points]
        assert kept == ([7, 9] if version else [9])
        assert [event.text for event in reader.events(T0, T0)] == (["of old"] if version else [])


def test_a_file_of_a_newer_dstop_is_refused_and_left_alone(tmp_path):
    """Neither the recorder nor a reader touches what it does not understand."""
    path = tmp_path / "r"
    newer = sqlite3.connect(path)
    newer.execute(f"PRAGMA user_version = {VERSION + 1}")
    newer.commit()
    newer.close()
    before = path.read_bytes()
    with pytest.raises(StoreError, match="newer dstop"):
        Writer(str(path))
    with pytest.raises(StoreError, match="newer dstop"):
        Reader(str(path))
    assert path.read_bytes() == before


def test_there_is_nothing_to_read_where_nothing_was_recorded(tmp_path):
    """The sentence says how to start."""
    with pytest.raises(StoreError) as refused:
        Reader(str(tmp_path / "nothing"))
    assert "dstop recorder" in str(refused.value)


def test_the_file_is_its_users_own(tmp_path):
    """Command lines and user names are in it: nobody else may read it."""
    path = tmp_path / "state" / "dstop" / "r"
    connect(str(path)).close()
    assert path.stat().st_mode & 0o077 == 0
    assert path.parent.stat().st_mode & 0o077 == 0


def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path):
    """A directory in its way is said with its name and the next step."""
    (tmp_path / "r").mkdir()
    with pytest.raises(StoreError) as refused:
        Writer(str(tmp_path / "r"))
    assert "--file" in str(refused.value)


def test_the_usual_place_is_that_of_xdg():
    """DSTOP_RECORDING is the user's wish; else the state directory, and a relative one is ignored."""
    assert default_file({"DSTOP_RECORDING": "/a/b"}) == "/a/b"
    assert default_file({"XDG_STATE_HOME": "/s", "HOME": "/h"}) == "/s/dstop/recording.sqlite3"
    assert default_file({"XDG_STATE_HOME": "s", "HOME": "/h"}) == "/h/.local/state/dstop/recording.sqlite3"


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2**40) | st.none()), min_size=1, max_size=30))
def test_sums_are_those_of_the_readings_however_they_are_cut(tmp_path_factory, readings):
    """Whenever it is flushed, a bucket's mean and maximum are those of all its readings."""
    path = tmp_path_factory.mktemp("store") / "r"
    clock = Clock()
    writer = clock.writer(path)
    for flushes, used in readings:
        writer.add(clock.sample(used=used))
        clock.sleep(0.01)
        if flushes == 0:
            assert writer.flush()
    assert writer.close()
    known = [used for _, used in readings if used is not None]
    with Reader(str(path)) as reader:
        points = reader.card(CARD, T0, T0 + 1).points
    most = max(
        (point.memory_most_bytes for point in points if point.memory_most_bytes is not None), default=None
    )
    assert most == (max(known) if known else None)
    if len(points) == 1 and known:
        assert points[0].memory_bytes == pytest.approx(sum(known) / len(known))


def test_reading_does_not_write(tmp_path):
    """A reader of a whole file cannot change it."""
    clock = Clock()
    writer = clock.writer(tmp_path / "r")
    record(clock, writer, 10)
    with Reader(str(tmp_path / "r")) as reader, pytest.raises(sqlite3.OperationalError):
        reader._file.execute("DELETE FROM bucket")
    with Reader(str(tmp_path / "r")) as reader:
        assert len(reader.card(CARD, T0, T0 + 9).points) == 10
