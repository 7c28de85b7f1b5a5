"""The live screen over a recording: labelled, with keys that jump, and nothing of this machine on it."""

from __future__ import annotations

import time
from contextlib import asynccontextmanager

import pytest
from stage import CSS, HandFedPoller
from test_help import keys_in
from test_sizes import is_whole

from dstop.draw.help import PLAY_KEYS
from dstop.draw.line import plain
from dstop.errors import SourceError
from dstop.model.gpu import Xid
from dstop.monitor import Monitor
from dstop.monitor.player import Player
from dstop.settings import Settings
from dstop.sources.demo.guests import DemoGuests
from dstop.sources.demo.source import DemoSource
from dstop.sources.replay.guests import ReplayGuests
from dstop.sources.replay.recording import Recording
from dstop.sources.replay.source import ReplaySource
from dstop.sources.replay.writer import RecordingWriter
from dstop.testing import FakeSource, make_gpu, make_sample
from dstop.testing.build import TAKEN_AT_S
from dstop.ui.app import DstopApp
from dstop.ui.keys import OVERVIEW_BINDINGS, PLAY_BINDINGS, REPLAY_KEYS
from dstop.ui.poller import Poller
from dstop.ui.replay_app import ReplayApp
from dstop.view.arrange import View

SIZE = (120, 40)
XID_S = 50
NAMED = {
    "[": "left_square_bracket", "]": "right_square_bracket", "{": "left_curly_bracket", "}": "right_curly_bracket",
    "(": "left_parenthesis", ")": "right_parenthesis", "^": "circumflex_accent", "$": "dollar_sign",
}  # fmt: skip


class _App(ReplayApp):
    CSS_PATH = CSS


def _write(path, monitor, steps, after=lambda: None):
    writer = RecordingWriter(str(path), step_s=1.0)
    for _ in range(steps):
        writer.add(monitor.step())
        after()
    writer.close()
    monitor.close()
    return str(path)


@pytest.fixture
def tape(tmp_path):
    """A hundred seconds, in which a card reports an Xid and, at the end, the driver goes."""
    xid = (Xid(code=79, at_ns=(TAKEN_AT_S + XID_S) * 10**9),)
    steps = [
        make_sample(
            (make_gpu(0, xids=xid if second >= XID_S else ()), make_gpu(1)),
            2,
            taken_at_ns=(TAKEN_AT_S + second) * 10**9,
        )
        for second in range(90)
    ]
    steps += [SourceError("no driver", fix="load it")] * 10
    monitor = Monitor(FakeSource(steps), interval_s=1.0, now_ns=lambda: (TAKEN_AT_S + 90) * 10**9)
    return _write(tmp_path / "tape.dstop", monitor, len(steps))


class _Set:
    """A replay on the screen, without a thread."""

    def __init__(self, path):
        self.now_s = 0.0
        source = ReplaySource(Recording(path))
        guests = ReplayGuests(source)
        self.player = Player(source, guests=guests, clock=lambda: self.now_s)
        self.poller = HandFedPoller(self.player, 1.0)
        self.poller.give(self.player.step())
        self.app = _App(self.poller, Settings(), view=View(), theme="dark", guests=guests, incidents=tuple)

    async def press(self, pilot, *keys):
        """Press keys, and let a frame be made if one was asked for."""
        pokes = self.poller.pokes
        await pilot.press(*keys)
        if self.poller.pokes != pokes:
            self.poller.give(self.player.step())
        await pilot.pause()

    async def wait(self, pilot, seconds):
        """Let time go by, a frame a second."""
        for _ in range(seconds):
            self.now_s += 1
            if not self.poller.paused:
                self.poller.give(self.player.step())
        await pilot.pause()

    def text(self):
        """What is on the screen."""
        return "\n".join(plain(line) for line in self.app.screen.canvas._lines)

    def title(self):
        """The first line."""
        return self.text().splitlines()[0]


@asynccontextmanager
async def replaying(path, size=SIZE):
    """Show a recording."""
    play = _Set(path)
    async with play.app.run_test(size=size) as pilot:
        await pilot.pause()
        yield play, pilot


def _moment(second):
    return time.strftime("REPLAY %Y-%m-%d %H:%M:%S", time.gmtime(TAKEN_AT_S + second))


async def test_it_is_labelled_and_plays(tape):
    """The title says that it is a replay, of when, and where in it we are."""
    async with replaying(tape) as (play, pilot):
        assert f" {_moment(0)} 0s/1:39 " in play.title()
        await play.wait(pilot, 7)
        assert f" {_moment(7)} 7s/1:39 " in play.title()
        assert "Xid" not in play.text()


@pytest.mark.parametrize(
    ("keys", "second"),
    [
        (("right_square_bracket",), 10),
        (("right_curly_bracket",), 60),
        (("right_curly_bracket", "left_square_bracket"), 50),
        (("right_curly_bracket", "right_square_bracket", "left_curly_bracket"), 10),
        (("left_square_bracket",), 0),
        (("right_parenthesis",), XID_S),
        (("dollar_sign", "left_parenthesis", "left_parenthesis"), XID_S),
        (("ctrl+end", "ctrl+home"), 0),
        (("dollar_sign", "circumflex_accent"), 0),
        (("dollar_sign",), 99),
    ],
    ids=["[", "}", "}[", "}]{", "at the begin", ")", "$((", "ctrl", "$^", "$"],
)
async def test_its_keys_jump(tape, keys, second):
    """Each key leads to its place, as the title says."""
    async with replaying(tape) as (play, pilot):
        for key in keys:
            await play.press(pilot, key)
        assert _moment(second) in play.title()


async def test_it_jumps_while_it_stands_still(tape):
    """Paused, a jump shows the new place and stands there."""
    async with replaying(tape) as (play, pilot):
        await play.press(pilot, "p")
        await play.press(pilot, "right_square_bracket")
        await play.wait(pilot, 5)
        assert _moment(10) in play.title()
        assert " paused " in play.text()


async def test_plus_and_minus_are_the_speed(tape):
    """Faster and slower are said in the title; how often the screen is drawn stays."""
    async with replaying(tape) as (play, pilot):
        await play.press(pilot, "plus")
        await play.press(pilot, "plus")
        await play.wait(pilot, 2)
        assert f"{_moment(10)} 10s/1:39 ×5 " in play.title()
        assert play.poller.interval_s == 1.0
        for _ in range(4):
            await play.press(pilot, "minus")
        assert "×0.25 " in play.title()


async def test_what_was_grave_is_told_and_in_the_log(tape):
    """When the Xid comes by, it is said as on the live screen, and the log has it."""
    async with replaying(tape) as (play, pilot):
        await play.press(pilot, "right_curly_bracket")
        await play.press(pilot, "left_square_bracket")
        await play.press(pilot, "l")
        assert "GPU 0 is no" not in play.text()
        assert "reported Xid 79" in play.text()
        assert _moment(50) in play.title()


async def test_nothing_more_is_said(tape):
    """At the last thing of weight, the key says that there is no more."""
    async with replaying(tape) as (play, pilot):
        await play.press(pilot, "dollar_sign")
        await play.press(pilot, "right_parenthesis")
        assert "nothing of weight is recorded after this" in play.text()
        assert " END " in play.title()


async def test_an_outage_has_the_age_of_then(tape):
    """Old figures are as old as they were, by the recording's clock."""
    async with replaying(tape) as (play, pilot):
        await play.press(pilot, "dollar_sign")
        assert "figures are 9s old: no driver: load it" in play.text()


@pytest.mark.parametrize("key", ["F", "l", "d", "question_mark", "g", "enter"])
async def test_every_screen_is_labelled(tape, key):
    """Wherever one looks, the title says that it is not now."""
    async with replaying(tape) as (play, pilot):
        await play.press(pilot, key)
        assert _moment(0) in play.title()
        assert is_whole(play)


async def test_this_machine_is_not_on_it(tape):
    """No flight recorder, no crash and no signal of this machine: they would be taken for those of then."""
    async with replaying(tape) as (play, pilot):
        await play.press(pilot, "g")
        await play.press(pilot, "t")
        assert "this is a replay: the flight recorder" in play.text()
        await play.press(pilot, "escape")
        await play.press(pilot, "T")
        assert "there are no processes behind this source" in play.text()


async def test_the_help_has_its_keys(tape):
    """The keys of a recording come first in the help, and each of them is bound."""
    bound = {key for keys, _ in (*PLAY_BINDINGS, *OVERVIEW_BINDINGS) for key in keys.split(",")} | {
        "p", "plus", "minus", "l", "F", "q", "question_mark",
    }  # fmt: skip
    named = {NAMED.get(key, key) for text, _ in (*PLAY_KEYS, *REPLAY_KEYS) for key in keys_in(text)}
    assert named <= bound
    async with replaying(tape) as (play, pilot):
        await play.press(pilot, "question_mark")
        assert "in this recording" in play.text().splitlines()[1]


def test_no_key_of_a_recording_has_another_meaning():
    """They are free on the first screen and in the app."""
    taken = {key for keys, _ in OVERVIEW_BINDINGS for key in keys.split(",")}
    taken |= {key for each in DstopApp.BINDINGS for key in each.key.split(",")}
    assert not taken & {key for keys, _ in PLAY_BINDINGS for key in keys.split(",")}


async def test_the_inside_of_a_process_is_what_was_recorded(tmp_path):
    """The allocator's figures and graphs are there; what would have to be asked is refused with the reason."""
    clock = [0.0]
    source = DemoSource(lambda: clock[0])
    monitor = Monitor(source, interval_s=1.0, guests=DemoGuests(source))

    def later():
        clock[0] += 1

    path = _write(tmp_path / "demo.dstop", monitor, 40, later)
    async with replaying(path) as (play, pilot):
        await play.press(pilot, "right_square_bracket")
        await play.press(pilot, "enter")
        await play.wait(pilot, 2)
        assert "SIMULATED" in play.title()
        assert "allocated" in play.text()
        await play.press(pilot, "m")
        for _ in range(200):
            await pilot.pause(0.01)
            if not play.app.screen.waiting:
                break
        assert "this recording has no segment map" in play.text()


@pytest.mark.parametrize("width", [20, 40, 60, 80, 100, 200])
async def test_it_fits(tape, width):
    """At every width each line is as wide as the screen, on the first screen and on another."""
    async with replaying(tape, size=(width, 24)) as (play, pilot):
        assert is_whole(play)
        await play.press(pilot, "l")
        assert is_whole(play)


def test_a_poller_steps_once_while_paused(tape):
    """What a key asks for is shown although frames stand still, and then they stand again."""
    player = Player(ReplaySource(Recording(tape)))
    poller = Poller(lambda: player, 0.05)
    frames = []
    poller.start()
    try:
        assert poller.first_frame(10.0) is not None
        poller.connect(frames.append, frames.append)
        poller.paused = True
        player.seek_by(30)
        poller.poke(even_paused=True)
        deadline = time.monotonic() + 10
        while not any(frame.replay.passed_s == 30 for frame in frames) and time.monotonic() < deadline:
            time.sleep(0.01)
        count = len(frames)
        assert frames[-1].replay.passed_s == 30
        time.sleep(0.2)
        assert len(frames) == count
    finally:
        poller.stop()
