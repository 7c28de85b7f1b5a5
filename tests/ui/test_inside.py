"""The inside of a PyTorch process on the screen: attaching, asking, refusing, and never waiting for it."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace

import pytest
from pictures import typed
from stage import Scene, playing
from twins import RecordingHands

from dstop.errors import AttachError
from dstop.model.guest import ProcessId
from dstop.settings import Settings
from dstop.sources.demo import DemoSource
from dstop.sources.demo.guests import DemoGuests
from dstop.testing import FakeGuests, make_guest, make_process
from dstop.ui.keys import OVERVIEW_KEYS
from dstop.ui.screens.inside import (
    InsideScreen,
    ModelScreen,
    RankScreen,
    SegmentScreen,
    SiteScreen,
    SummaryScreen,
)
from dstop.ui.screens.overview import OverviewScreen
from dstop.ui.screens.process import ProcessScreen

QUICK = Scene(past_s=4)
BIG = (120, 45)
NOTEBOOK, STRANGER, PROBE = ("4", "down", "enter"), ("2", "down", "enter"), ("2", "end", "enter")
MOST_LOOKS = 500


async def until(pilot, condition):
    """Wait for what a thread is about to bring."""
    for _ in range(MOST_LOOKS):
        if condition():
            return
        await asyncio.sleep(0.01)
        await pilot.pause()
    assert condition()


async def pressed(stage, pilot, *keys):
    """Press keys, and wait for every answer on the way."""
    for key in keys:
        await pilot.press(key)
        await stage.read_to_the_end(pilot)


async def test_a_guest_shows_its_allocator_under_its_facts():
    """Bar, figures, graphs with peaks and versions, at a glance on a small terminal."""
    async with playing(Scene(at_s=140)) as (stage, pilot):
        await pressed(stage, pilot, "4", "enter")
        await stage.step(pilot, 2)
        text = stage.text()
        assert "PyTorch's memory on cuda:3 = GPU 3" in text
        assert "▇▇▇▄▄▄" in text.replace(" ", "")
        assert " allocated 30." in text
        assert "alloc retries        3" in text
        await pilot.press("pagedown")
        assert "PyTorch 2.9.1+cu130 (CUDA 13.0)" in stage.text()


async def test_the_figures_of_a_guest_move():
    """Every frame has the newest answer."""
    async with playing(QUICK) as (stage, pilot):
        await pressed(stage, pilot, "enter")
        await stage.step(pilot)
        before = stage.lines()[9:14]
        await stage.step(pilot)
        assert stage.lines()[9:14] != before


@pytest.mark.parametrize(
    ("key", "screen", "says"),
    [
        ("m", SegmentScreen, "largest request that fits without cudaMalloc"),
        ("a", SiteScreen, "allocations are not recorded: H records them"),
        ("s", SummaryScreen, "simulated: no process is behind these numbers"),
        ("o", RankScreen, "RETRIES"),
        ("M", ModelScreen, "module FullyShardedDataParallel"),
    ],
)
async def test_each_key_opens_its_close_up_and_esc_leads_back(key, screen, says):
    """Map, stacks, summary, ranks, model: one key there, one key back."""
    async with playing(QUICK, size=BIG) as (stage, pilot):
        await pressed(stage, pilot, "enter", key)
        assert type(stage.app.screen) is screen
        assert says in stage.text()
        assert "asking" not in stage.text()
        await pilot.press("escape")
        assert isinstance(stage.app.screen, ProcessScreen)


async def test_the_odd_rank_is_marked():
    """Before it runs out of memory, rank 3 has reserved far more than the others."""
    async with playing(Scene(at_s=146, past_s=10), size=BIG) as (stage, pilot):
        await pressed(stage, pilot, "enter", "o")
        assert " *3   3  484589" in stage.text()
        assert "* rank 3: reserved" in stage.text()


async def test_recording_is_turned_on_and_off_by_a_key():
    """With it on, the stacks stand under one's own code; with it off again, the key is named."""
    async with playing(QUICK, size=BIG) as (stage, pilot):
        await pressed(stage, pilot, "enter", "H")
        await until(pilot, lambda: "allocations are recorded from now on" in stage.text())
        await stage.step(pilot)
        await pressed(stage, pilot, "a")
        assert "/home/deepa/v2lite/train.py:214 training_step" in stage.text()
        await pressed(stage, pilot, "H")
        await until(pilot, lambda: "not recorded any more" in stage.text())
        await stage.step(pilot)
        await pressed(stage, pilot, "r")
        assert "H records them" in stage.text()


async def test_a_process_without_a_hook_offers_the_way_in_and_asks_first():
    """A asks; n changes nothing; y attaches, and the next frame has the figures."""
    async with playing(QUICK, size=(80, 50)) as (stage, pilot):
        await pressed(stage, pilot, *NOTEBOOK)
        assert "press A to see the allocator inside, or start it with dstop run" in stage.text()
        assert " A attach " in stage.lines()[-1]
        await pilot.press("A")
        assert "attach to 2914377" in stage.lines()[-1]
        assert "y: yes   n: no" in stage.lines()[-1]
        await pilot.press("n")
        assert "not attached" in stage.lines()[-1]
        await pilot.press("y")
        await stage.step(pilot)
        assert "PyTorch's memory" not in stage.text()
        await pilot.press("A", "y")
        await until(pilot, lambda: "attached to 2914377 (ptrace)" in stage.text())
        await stage.step(pilot)
        assert "PyTorch's memory on cuda:0 = GPU 3" in stage.text()
        assert "was attached (ptrace)" in stage.text()


async def test_escape_answers_the_question_with_no_and_stays():
    """The first Esc drops the question, the second leads back."""
    async with playing(QUICK) as (stage, pilot):
        await pressed(stage, pilot, *NOTEBOOK, "A", "escape")
        assert isinstance(stage.app.screen, ProcessScreen)
        assert "not attached" in stage.lines()[-1]
        await pilot.press("escape")
        assert isinstance(stage.app.screen, OverviewScreen)


async def test_detaching_takes_the_figures_away():
    """The hook leaves, and the way in is offered again."""
    async with playing(QUICK, size=BIG) as (stage, pilot):
        await pressed(stage, pilot, "enter", "D")
        await until(pilot, lambda: "detached from 484586" in stage.text())
        await stage.step(pilot)
        assert "PyTorch's memory" not in stage.text()
        assert "press A" in stage.text()


@pytest.mark.parametrize(
    ("keys", "says", "fix"),
    [
        (STRANGER, "process 77612 is in another PID namespace", "run dstop on the host"),
        (PROBE, "is not a Python program", "only programs that run PyTorch"),
    ],
)
async def test_a_refusal_says_what_is_wrong_and_what_to_do(keys, says, fix):
    """Both stand on the screen until something else is asked for."""
    async with playing(QUICK, size=BIG) as (stage, pilot):
        await pressed(stage, pilot, *keys, "A", "y")
        await until(pilot, lambda: fix in stage.text())
        assert says in stage.text()
        await stage.step(pilot, 2)
        assert fix in stage.text()


async def test_read_only_changes_nothing_in_a_process():
    """Attaching, detaching and recording are refused with a sentence; looking and writing a file are not."""
    scene = Scene(past_s=4, settings=Settings(readonly=True))
    async with playing(scene, size=BIG) as (stage, pilot):
        await pressed(stage, pilot, "enter")
        for key in ("A", "D", "H"):
            await pilot.press(key)
            assert "read-only: nothing is changed in a process" in stage.lines()[-1]
            stage.app.say("")
        await pilot.press("w")
        assert "snapshot-484586-" in stage.text()
        await pressed(stage, pilot, "escape", "m")
        assert isinstance(stage.app.screen, SegmentScreen)


async def test_a_source_without_guests_says_so():
    """A recording has no processes to look into, and offers no way in."""
    async with playing(QUICK, size=BIG, guests=None) as (stage, pilot):
        await pressed(stage, pilot, "enter")
        assert "press A" not in stage.text()
        assert "attach" not in stage.lines()[-1]
        for key in ("A", "m", "D", "H", "w", "S"):
            await pilot.press(key)
            assert "there are no processes behind this source" in stage.lines()[-1]
            stage.app.say("")


async def test_without_a_hook_there_is_nothing_to_ask():
    """Each key says what would help."""
    async with playing(QUICK, size=BIG) as (stage, pilot):
        await pressed(stage, pilot, *NOTEBOOK)
        for key in ("m", "a", "s", "M", "H", "D", "w", "S"):
            await pilot.press(key)
            assert "2914377 carries no hook: A attaches one" in stage.lines()[-1]
            stage.app.say("")
        await pilot.press("o")
        assert "2914377 is not one of several ranks" in stage.lines()[-1]


def guest_of(stage):
    """Give an answer that is of the first row of the demo."""
    row = stage.app.frame.sample.processes[0]
    return make_guest(row.pid, started_at_s=row.facts.started_at_s)


async def test_a_snapshot_is_written_where_one_says(tmp_path):
    """The prompt has a name ready; Enter writes, Esc does not."""
    guests = FakeGuests()
    async with playing(QUICK, size=BIG, guests=guests) as (stage, pilot):
        frame = replace(stage.app.frame, guests={guest_of(stage).id: guest_of(stage)})
        await stage.give(pilot, frame)
        await pressed(stage, pilot, "enter", "w")
        assert "snapshot-484586-" in stage.text()
        await pilot.press("escape")
        await until(pilot, lambda: "no snapshot was written" in stage.lines()[-1])
        assert not guests.calls
        await pilot.press("w", "ctrl+u", "ctrl+k", *typed(str(tmp_path / "a.gz")), "enter")
        await until(pilot, lambda: guests.calls)
        name, process, (path, _) = guests.calls[0]
        assert (name, process.pid, path) == ("snapshot", 484586, str(tmp_path / "a.gz"))
        await until(pilot, lambda: "wrote" in stage.lines()[-1])


class StuckGuests(FakeGuests):
    """Hooks that answer when the test lets them."""

    def __init__(self):
        super().__init__()
        self.go = threading.Event()
        self.asks = 0

    def segments(self, process):
        """Wait, as a process in a long C call has one wait."""
        self.asks += 1
        self.go.wait(30)
        return super().segments(process)


async def test_a_stuck_process_never_stops_the_screen():
    """While it is asked, keys work and frames come; it is asked once, however often one presses."""
    guests = StuckGuests()
    async with playing(QUICK, size=BIG, guests=guests) as (stage, pilot):
        guest = guest_of(stage)
        await stage.give(pilot, replace(stage.app.frame, guests={guest.id: guest}))
        await pressed(stage, pilot, "enter")
        await pilot.press("m")
        await until(pilot, lambda: guests.asks == 1)
        assert "asking 484586 …" in stage.text()
        await pilot.press("r", "r", "down", "up")
        assert guests.asks == 1
        assert "484586 has not answered yet" in stage.lines()[-1]
        await pilot.press("question_mark", "escape")
        guests.go.set()
        await until(pilot, lambda: "cuda:0" in stage.text())
        assert "asking" not in stage.text()


async def test_an_answer_that_comes_too_late_disturbs_nobody():
    """The screen that asked is gone by then."""
    guests = StuckGuests()
    async with playing(QUICK, size=BIG, guests=guests) as (stage, pilot):
        guest = guest_of(stage)
        await stage.give(pilot, replace(stage.app.frame, guests={guest.id: guest}))
        await pressed(stage, pilot, "enter")
        await pilot.press("m", "escape", "escape")
        guests.go.set()
        await until(pilot, lambda: not any(thread.name == "dstop-ask" for thread in threading.enumerate()))
        assert stage.app.screen is stage.overview
        assert stage.app._exception is None


async def test_a_close_up_that_is_refused_says_why_and_asks_again():
    """What is wrong, what to do; `r` tries again."""
    guests = FakeGuests(refusals={484586: AttachError("484586 does not answer", fix="wait for its C call")})
    async with playing(QUICK, size=BIG, guests=guests) as (stage, pilot):
        guest = guest_of(stage)
        await stage.give(pilot, replace(stage.app.frame, guests={guest.id: guest}))
        await pressed(stage, pilot, "enter", "m")
        assert "484586 does not answer" in stage.lines()[1]
        assert "wait for its C call" in stage.lines()[2]
        await pressed(stage, pilot, "r")
        assert [name for name, _, _ in guests.calls] == ["segments", "segments"]


class BrokenGuests(FakeGuests):
    """A bug of ours."""

    def facts(self, process):
        """Fail as no error of a user does."""
        raise ZeroDivisionError(process)


async def test_a_bug_behind_a_question_ends_the_app():
    """A screen that waits for ever for a thread that is gone would be a lie."""
    guests = BrokenGuests()
    async with playing(QUICK, size=BIG, guests=guests) as (stage, pilot):
        guest = guest_of(stage)
        await stage.give(pilot, replace(stage.app.frame, guests={guest.id: guest}))
        await pressed(stage, pilot, "enter")
        await pilot.press("M")
        await until(pilot, lambda: stage.app.failure is not None)
        assert isinstance(stage.app.failure, ZeroDivisionError)


async def test_a_process_without_a_row_has_a_screen_too():
    """`dstop attach PID` shows what the hook says where no card lists the process; Esc goes to all."""
    alone = ProcessId(77, 5.0)
    guest = make_guest(77, started_at_s=5.0)
    async with playing(replace(QUICK, open_pid=alone), size=BIG, guests=FakeGuests()) as (stage, pilot):
        assert isinstance(stage.app.screen, ProcessScreen)
        assert "77  on no GPU that the driver lists" in stage.lines()[0]
        assert "press A" in stage.text()
        await stage.give(pilot, replace(stage.app.frame, guests={alone: guest}))
        assert "PyTorch's memory on cuda:0" in stage.text()
        await pressed(stage, pilot, "T")
        assert "signals are sent to rows" in stage.lines()[-1]
        await pressed(stage, pilot, "m")
        assert isinstance(stage.app.screen, InsideScreen)
        await pilot.press("escape", "escape")
        assert stage.app.screen is stage.overview
        assert OVERVIEW_KEYS[0][1] in stage.lines()[-1]


async def test_a_process_that_gets_its_row_later_gets_its_graphs_too():
    """The first frame may come before the driver lists the process."""
    async with playing(QUICK) as (stage, pilot):
        row = stage.app.frame.sample.processes[0]
        empty = replace(stage.app.frame, sample=replace(stage.app.frame.sample, processes=()))
        await stage.give(pilot, empty)
        stage.app.open_pid(row.id)
        await pilot.pause()
        assert "on no GPU that the driver lists" in stage.lines()[0]
        await stage.step(pilot, 3)
        assert "train.py  on GPU 0" in stage.lines()[0]
        await pilot.press("end", "pageup")
        await stage.step(pilot)
        assert [key.gpu_index for key in stage.app.frame.watched] == [0]
        assert "no history yet" not in stage.text()


async def test_an_ended_process_keeps_its_last_allocator():
    """How its memory stood when it ended is what one wants to see."""
    async with playing(Scene(at_s=149.5, past_s=60), size=BIG) as (stage, pilot):
        await pressed(stage, pilot, "4", "enter")
        await stage.step(pilot, 5)
        assert "484589 has ended" in stage.lines()[0]
        assert "PyTorch's memory on cuda:3 = GPU 3" in stage.text()
        assert "OOMs                 1" in stage.text()
        assert "A attach" not in stage.lines()[-1]


async def test_the_overview_tells_cached_from_used():
    """The bars of the ranks have both; that of the notebook, whom nobody asked, has one part."""
    async with playing(Scene(at_s=142)) as (stage, _):
        assert "▇▇▇▄▄▄" in stage.lines()[2]
        assert "▄▇▇" in stage.lines()[5].replace("▚", "")
    async with playing(Scene(at_s=142), guests=None) as (stage, _):
        assert "▄" not in "".join(stage.lines()[2:10])


def test_the_twin_of_the_demo_needs_nothing_but_the_demo():
    """Who reads the demo's guests first reads its first moment."""
    assert len(DemoGuests(DemoSource(lambda: 30.0)).answers()) == 8


class Hands(RecordingHands):
    """Tells who a process is, until it has ended."""

    has_ended = False

    def detail(self, pid, started_at_s):
        """Give its facts."""
        facts = make_process(0, pid, started_at_s=started_at_s, command="train.py", user="alice").facts
        facts = replace(facts, framework=None, cmdline=("python", "train.py", "--lr", "1"))
        return replace(super().detail(pid, started_at_s), facts=facts, has_ended=self.has_ended)


async def test_a_process_without_a_row_says_who_it_is_and_when_it_has_ended():
    """Command, user and framework come from the host and the hook; the end is noticed when the hook is gone."""
    alone, hands = ProcessId(77, 5.0), Hands()
    guest = make_guest(77, started_at_s=5.0)
    scene = replace(QUICK, open_pid=alone)
    async with playing(scene, size=BIG, guests=FakeGuests(), hands=hands) as (stage, pilot):
        await until(pilot, lambda: "train.py --lr 1" in stage.text())
        assert "77  train.py  on no GPU that the driver lists" in stage.lines()[0]
        assert "user         alice (" in stage.text()
        attached = replace(stage.app.frame, guests={alone: guest})
        await stage.give(pilot, attached)
        assert "framework    pytorch" in stage.text()
        await stage.give(pilot, replace(attached, guests={}))
        await until(pilot, lambda: not stage.app.screen.is_reading)
        assert "press A" in stage.text()
        await stage.give(pilot, attached)
        hands.has_ended = True
        await stage.give(pilot, replace(attached, guests={}))
        await until(pilot, lambda: "77 has ended; this is its last reading" in stage.lines()[0])
        assert "PyTorch's memory on cuda:0" in stage.text()


async def test_several_processes_lie_upon_each_other():
    """`dstop attach PID PID` opens the first; Esc leads to the next, with its graphs, and at last to all."""
    async with playing(QUICK, size=BIG) as (stage, pilot):
        first, second = stage.app.frame.sample.processes[:2]
        for row in (second, first):
            stage.app.open_pid(row.id)
        await stage.step(pilot)
        assert str(first.pid) in stage.lines()[0]
        await pilot.press("escape")
        await stage.step(pilot)
        await stage.step(pilot)
        assert str(second.pid) in stage.lines()[0]
        assert {key.pid for key in stage.app.frame.watched} == {second.pid}
        await pilot.press("escape")
        assert stage.app.screen is stage.overview


async def test_close_ups_lead_to_each_other():
    """From the map to the stacks with one key; Esc leads to the process, not through all of them."""
    async with playing(QUICK, size=BIG) as (stage, pilot):
        await pressed(stage, pilot, "enter", "m", "a")
        assert type(stage.app.screen) is SiteScreen
        await pressed(stage, pilot, "M")
        assert type(stage.app.screen) is ModelScreen
        await pressed(stage, pilot, "o")
        assert type(stage.app.screen) is RankScreen
        await pressed(stage, pilot, "s")
        assert type(stage.app.screen) is SummaryScreen
        await pilot.press("escape")
        assert isinstance(stage.app.screen, ProcessScreen)


async def test_an_ended_process_is_not_asked_anything():
    """Every key says that it has ended; none offers to attach."""
    async with playing(Scene(at_s=149.5, past_s=60), size=BIG) as (stage, pilot):
        await pressed(stage, pilot, "4", "enter")
        await stage.step(pilot, 5)
        for key in ("A", "D", "H", "w", "S", "m", "s"):
            await pilot.press(key)
            assert "484589 has ended: there is nothing to look into" in stage.lines()[-1]
            stage.app.say("")
        assert isinstance(stage.app.screen, ProcessScreen)


async def test_a_silent_process_says_why_where_it_is_asked():
    """A stopped process is called stopped; whoever waits for an answer is told that none comes."""
    guests = FakeGuests()
    async with playing(QUICK, size=BIG, guests=guests) as (stage, pilot):
        first = stage.app.frame.sample.processes[0]
        stopped = replace(first, state="T")
        rows = (stopped, *stage.app.frame.sample.processes[1:])
        guest = replace(guest_of(stage), stale_s=7.0)
        sample = replace(stage.app.frame.sample, processes=rows)
        await stage.give(pilot, replace(stage.app.frame, sample=sample, guests={guest.id: guest}))
        await pressed(stage, pilot, "enter")
        assert "has not answered since (it is stopped)" in stage.text()
        running = replace(sample, processes=(replace(first, state="R"), *rows[1:]))
        await stage.give(pilot, replace(stage.app.frame, sample=running))
        assert "(C code may hold the GIL)" in stage.text()


async def test_a_snapshot_without_a_name_is_not_written():
    """Enter on an empty line is a no."""
    guests = FakeGuests()
    async with playing(QUICK, size=BIG, guests=guests) as (stage, pilot):
        await stage.give(pilot, replace(stage.app.frame, guests={guest_of(stage).id: guest_of(stage)}))
        await pressed(stage, pilot, "enter", "w", "ctrl+u", "enter")
        assert "no snapshot was written" in stage.lines()[-1]
        assert guests.calls == []
