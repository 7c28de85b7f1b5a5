"""A player takes a monitor through a recording: the same findings at the same places, and no jump is an event."""

from __future__ import annotations

from contextlib import contextmanager

import pytest

from dstop.doctor.live import Watch
from dstop.errors import RecordingError, SourceError
from dstop.model.event import EventKind
from dstop.model.finding import Finding, Severity
from dstop.model.gpu import Xid
from dstop.monitor import Monitor
from dstop.monitor.player import LONGEST_GAP_S, WARM_STEPS, Player
from dstop.sources.demo.guests import DemoGuests
from dstop.sources.demo.source import DemoSource
from dstop.sources.replay.file import HEADER_BYTES
from dstop.sources.replay.guests import ReplayGuests
from dstop.sources.replay.recording import Recording
from dstop.sources.replay.source import ReplaySource
from dstop.sources.replay.writer import RecordingWriter
from dstop.testing import FakeSource, make_gpu, make_process, make_sample
from dstop.testing.build import TAKEN_AT_S

STEPS = 400


class _Clock:
    def __init__(self):
        self.now_s = 0.0

    def __call__(self):
        return self.now_s


def _recorded(path, monitor, steps, clock=None, *, append=False):
    writer = RecordingWriter(str(path), step_s=1.0, append=append)
    frames = []
    for _ in range(steps):
        frames.append(monitor.step())
        writer.add(frames[-1])
        if clock is not None:
            clock.now_s += 1
    writer.close()
    monitor.close()
    return frames


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """The demo with everything that breaks in it, recorded, and the frames as the faces had them."""
    path = tmp_path_factory.mktemp("player") / "demo.dstop"
    clock = _Clock()
    source = DemoSource(clock, broken=True, gpus=4)
    monitor = Monitor(source, interval_s=1.0, guests=DemoGuests(source))
    return str(path), _recorded(path, monitor, STEPS, clock)


@contextmanager
def _playing(path, **options):
    source = ReplaySource(Recording(str(path)))
    clock = _Clock()
    player = Player(source, guests=ReplayGuests(source), clock=clock, **options)
    player.pass_s = lambda seconds: setattr(clock, "now_s", clock.now_s + seconds)
    try:
        yield player
    finally:
        player.close()


def at(second):
    """Give a moment, in seconds after that of all built values."""
    return (TAKEN_AT_S + second) * 10**9


def _all(player):
    while (frame := player.step_one()) is not None:
        yield frame


def test_a_replay_finds_what_was_found(demo):
    """Samples, hooks, histories, events and findings are those of the recorded monitor, step by step."""
    path, frames = demo
    with _playing(path) as player:
        played = list(_all(player))
    assert len(played) == len(frames)
    for was, now in zip(frames, played, strict=True):
        assert now.sample == was.sample
        assert now.guests == was.guests
        assert now.history == was.history
        assert now.events == was.events
        assert now.findings == was.findings
    assert len({frozenset(finding.rule for finding in frame.findings) for frame in frames}) > 1
    assert EventKind.XID in {event.kind for event in frames[-1].events}


def test_the_speed_makes_no_difference_to_what_happens(demo):
    """Played sixty times as fast, the log is the same; only fewer frames are shown."""
    path, frames = demo
    with _playing(path, speed=30.0) as player:
        shown = [player.step()]
        while not shown[-1].replay.ended:
            player.pass_s(1.0)
            shown.append(player.step())
    assert len(shown) < len(frames) / 20
    assert shown[-1].events == frames[-1].events
    assert shown[-1].findings == frames[-1].findings


def test_it_plays_by_the_clock(demo):
    """A second here is a second there, twice as fast at speed 2; the place is told."""
    path, _ = demo
    with _playing(path) as player:
        begin = player.step().replay
        assert (begin.passed_s, begin.length_s, begin.ended) == (0.0, STEPS - 1.0, False)
        for _ in range(3):
            player.pass_s(0.5)
            frame = player.step()
        assert frame.replay.passed_s == pytest.approx(1.5)
        assert frame.sample.taken_at_ns == begin.begin_ns + 10**9
        assert player.faster(1) == 2.0
        player.pass_s(1.0)
        assert player.step().replay.passed_s == pytest.approx(3.5)


def test_who_stood_still_goes_on_where_that_was(demo):
    """An hour in the background is not an hour of the recording."""
    path, _ = demo
    with _playing(path) as player:
        player.step()
        player.pass_s(3600.0)
        assert player.step().replay.passed_s == pytest.approx(2.0)


def test_a_jump_is_no_event(demo):
    """Far on and back again: no process has started or ended for it, and the log is the one of then."""
    path, frames = demo
    with _playing(path) as player:
        player.step()
        player.seek_by(300)
        there = player.step()
        assert there.sample == frames[300].sample
        assert there.events == frames[300].events
        player.seek_by(-250)
        back = player.step()
        assert back.sample == frames[50].sample
        assert back.events == frames[50].events
        assert back.history == frames[50].history


def test_what_stands_where_one_jumps_to_is_found(demo):
    """A finding that has lasted for less than the warm-up is there after a jump, as if one had watched."""
    path, frames = demo
    number = next(place for place, frame in enumerate(frames) if frame.findings and place > WARM_STEPS + 20)
    with _playing(path) as player:
        player.step()
        player.seek_by(number)
        found = {(finding.rule, finding.gpu_index) for finding in player.step().findings}
    assert found & {(finding.rule, finding.gpu_index) for finding in frames[number].findings}


def test_a_short_way_on_is_played(demo):
    """Ten seconds on keep what is remembered: nothing is begun anew."""
    path, frames = demo
    with _playing(path) as player:
        player.step()
        for _ in range(20):
            player.seek_by(10)
            frame = player.step()
    assert frame.history == frames[200].history
    assert frame.events == frames[200].events


def test_jumps_add_up_and_stay_within(demo):
    """Three keys before the next frame are three jumps; before the beginning and behind the end there is nothing."""
    path, _ = demo
    with _playing(path) as player:
        player.step()
        for _ in range(3):
            player.seek_by(10)
        assert player.step().replay.passed_s == 30
        player.seek_by(-1000)
        assert player.step().replay.passed_s == 0
        player.seek_by(10_000)
        end = player.step().replay
        assert (end.passed_s, end.ended) == (STEPS - 1, True)
        player.seek_end(last=False)
        assert player.step().replay.passed_s == 0
        player.seek_end(last=True)
        assert player.step().replay.ended


def test_the_end_stands(demo):
    """Behind the last moment it is shown on and on, and one can go back."""
    path, frames = demo
    with _playing(path) as player:
        player.step()
        player.seek_end(last=True)
        player.step()
        player.pass_s(5.0)
        frame = player.step()
        assert (frame.sample, frame.replay.ended) == (frames[-1].sample, True)
        assert player.step_one() is None
        player.seek_by(-10)
        assert player.step().sample == frames[-11].sample


def test_a_jump_to_what_matters(tmp_path):
    """Forward and back it stops where something of weight was told, and says where there is no more."""
    path = tmp_path / "xids.dstop"
    graves = (5, 31, 32, 180)
    xids = tuple(Xid(code=31, at_ns=at(second)) for second in graves)
    steps = [
        make_sample(
            (make_gpu(0, xids=tuple(xid for xid in xids if xid.at_ns <= at(second))),),
            1,
            taken_at_ns=at(second),
        )
        for second in range(200)
    ]
    _recorded(path, Monitor(FakeSource(steps), interval_s=1.0), len(steps))
    with _playing(path) as player:
        player.step()
        seen = []
        for forward in (True,) * 5 + (False,) * 5:
            player.seek_weight(forward=forward)
            replay = player.step().replay
            xid = "Xid 31" in replay.notice
            seen.append(round(replay.passed_s) if xid else replay.notice)
    nothing = "nothing of weight is recorded {} this"
    assert seen == [
        *graves,
        nothing.format("after"),
        32,
        31,
        5,
        nothing.format("before"),
        nothing.format("before"),
    ]


def _hot(scene):
    """A rule of a plugin: a card is hot."""
    return [
        Finding(
            rule="XX1", cause="hot", severity=Severity.WARNING, badge="HOT", says="hot", gpu_index=gpu.index
        )
        for gpu in scene.sample.gpus
        if gpu.temperature_c > 80
    ]


def test_a_finding_is_of_weight_and_rules_of_plugins_are_asked(tmp_path):
    """Where a finding began one is taken to, and it is found again, also by a rule that is not dstop's."""
    path = tmp_path / "hot.dstop"
    steps = [
        make_sample((make_gpu(0, temperature_c=90 if second >= 40 else 50),), 1, taken_at_ns=at(second))
        for second in range(60)
    ]
    rules = [(Watch("XX1", "none"), _hot)]
    _recorded(path, Monitor(FakeSource(steps), interval_s=1.0, more_rules=lambda: rules), len(steps))
    with _playing(path, more_rules=lambda: rules) as player:
        assert player.step().findings == ()
        player.seek_weight(forward=True)
        frame = player.step()
    assert (frame.replay.passed_s, frame.replay.notice) == (40.0, "hot")
    assert [finding.rule for finding in frame.findings] == ["XX1"]


def _outage(path, begin=30, seconds=20):
    gone = SourceError("no driver", fix="load it")
    steps = [make_sample(1, 1, taken_at_ns=at(second)) for second in range(begin)]
    steps += [gone] * seconds
    steps += [make_sample(1, 1, taken_at_ns=at(begin + seconds + second)) for second in range(10)]
    return _recorded(path, Monitor(FakeSource(steps), interval_s=1.0, now_ns=lambda: at(begin)), len(steps))


def test_an_outage_is_replayed_with_its_age(tmp_path):
    """The words of then, and an age by the recording's clock, whenever it is played."""
    path = tmp_path / "outage.dstop"
    _outage(path)
    with _playing(path) as player:
        frames = list(_all(player))
    problem = frames[35].problem
    assert (problem.message, problem.since_ns) == ("no driver", at(30))
    assert frames[35].replay.at_ns - problem.since_ns == 5 * 10**9
    kinds = [event.kind for event in frames[-1].events]
    assert kinds == [EventKind.DRIVER_GONE, EventKind.DRIVER_BACK]
    assert "after 20s" in frames[-1].events[-1].text


def test_a_jump_into_an_outage_shows_what_was_last_known(tmp_path):
    """A long outage has no figures: those before it are shown, as old."""
    path = tmp_path / "outage.dstop"
    frames = _outage(path, seconds=2 * WARM_STEPS)
    with _playing(path) as player:
        player.step()
        player.seek_by(2 * WARM_STEPS)
        frame = player.step()
    assert frame.problem.message == "no driver"
    assert frame.sample == frames[29].sample


def test_a_hole_is_not_waited_for(tmp_path):
    """Hours in which nothing was recorded pass in ten seconds, and nothing ended or started there."""
    path = tmp_path / "hole.dstop"
    for hour, append in ((0, False), (1, True)):
        pids = range(4000 + hour, 4002 + hour)
        steps = [
            make_sample(
                1,
                0,
                taken_at_ns=at(3600 * hour + second),
                processes=tuple(make_process(0, pid) for pid in pids),
            )
            for second in range(5)
        ]
        _recorded(path, Monitor(FakeSource(steps), interval_s=1.0), len(steps), append=append)
    with _playing(path) as player:
        frame = player.step()
        waited = 0
        while frame.replay.passed_s < 3600:
            player.pass_s(1.0)
            frame = player.step()
            waited += 1
        assert waited == 4 + LONGEST_GAP_S
        assert frame.events == ()


def test_a_damaged_half_minute_is_gone_round(tmp_path):
    """One bad block does not end a replay: what follows it is shown, and the gap is told."""
    path = tmp_path / "damaged.dstop"
    steps = [make_sample((make_gpu(0),), 1, taken_at_ns=at(second)) for second in range(95)]
    _recorded(path, Monitor(FakeSource(steps), interval_s=1.0), len(steps))
    recording = Recording(str(path))
    second = recording._headers[1]
    recording.close()
    content = bytearray(path.read_bytes())
    content[second.offset + 20] ^= 0xFF
    path.write_bytes(content)
    with _playing(path) as player:
        frames = list(_all(player))
        assert "damaged" in frames[-1].replay.notice
        assert [frame.sample.taken_at_ns for frame in frames][-1] == at(94)
        assert len({frame.sample.taken_at_ns for frame in frames}) == 95 - second.moments
        player.seek_by(-(94 - 40))
        assert player.step().sample.taken_at_ns == at(62)


def test_a_damaged_end_is_left_out(tmp_path):
    """Where the last block cannot be read, the recording ends before it, also for who jumps to its end at once."""
    path = tmp_path / "damaged.dstop"
    steps = [make_sample((make_gpu(0),), 1, taken_at_ns=at(second)) for second in range(95)]
    _recorded(path, Monitor(FakeSource(steps), interval_s=1.0), len(steps))
    content = bytearray(path.read_bytes())
    content[-5] ^= 0xFF
    path.write_bytes(content)
    for jumps in (True, False):
        with _playing(path) as player:
            frame = player.step()
            if jumps:
                player.seek_end(last=True)
                frame = player.step()
            else:
                *_, frame = _all(player)
        assert frame.sample.taken_at_ns == at(92)
        assert (frame.replay.ended, "damaged" in frame.replay.notice) == (True, True)
        assert frame.replay.end_ns == at(92)


def test_a_recording_of_which_nothing_can_be_read_is_an_error(tmp_path):
    """Where no block is whole there is nothing to show."""
    path = tmp_path / "damaged.dstop"
    _recorded(path, Monitor(FakeSource([make_sample(1, 1)]), interval_s=1.0), 1)
    content = bytearray(path.read_bytes())
    content[18 + HEADER_BYTES + 20] ^= 0xFF
    path.write_bytes(content)
    with _playing(path) as player, pytest.raises(RecordingError, match="damaged"):
        player.step()


def test_a_process_that_is_opened_at_the_end_has_its_past(demo):
    """What is watched from now on is in the next frame, also when nothing more is played."""
    path, frames = demo
    row = frames[-1].sample.processes[0]
    with _playing(path) as player:
        player.step()
        player.seek_end(last=True)
        assert player.step().watched == {}
        player.watch_process((row.key,))
        player.pass_s(1.0)
        assert len(player.step().watched[row.key].gpu_memory_bytes) == WARM_STEPS
