"""Signals: asked about first, sent to exactly the process that was shown, and only where that is allowed."""

from __future__ import annotations

import signal
from dataclasses import replace

import pytest
from stage import Scene, playing
from twins import RecordingHands

from dstop.settings import Settings
from dstop.ui.screens.process import ProcessScreen
from dstop.ui.screens.signal import CHOICES, SignalScreen
from dstop.view.rows import ProcessRow

QUICK = Scene(past_s=2)


def started(stage, pid):
    """Give the start time that the screen knows of a process."""
    return next(row.facts.started_at_s for row in stage.app.frame.sample.processes if row.pid == pid)


@pytest.mark.parametrize(
    ("key", "number"), [("T", signal.SIGTERM), ("K", signal.SIGKILL), ("I", signal.SIGINT)]
)
async def test_yes_sends_it_with_the_start_time_that_was_shown(key, number):
    """PID, start time and number reach the hands once; the status line says what was done."""
    hands = RecordingHands()
    async with playing(QUICK, hands=hands) as (stage, pilot):
        await pilot.press(key)
        assert not hands.sent
        await pilot.press("y")
        assert hands.sent == [(484586, started(stage, 484586), number)]
        assert f"{number.name} sent to 1 process" in stage.text()
        await pilot.press("y")
        assert len(hands.sent) == 1


@pytest.mark.parametrize("answer", ["n", "escape"])
async def test_no_sends_nothing(answer):
    """The question goes and a later y finds none."""
    hands = RecordingHands()
    async with playing(QUICK, hands=hands) as (stage, pilot):
        await pilot.press("T", answer)
        assert "nothing was sent" in stage.text()
        await pilot.press("y")
        assert not hands.sent


async def test_all_tagged_processes_get_it_each_once():
    """Tags make the choice, in rows or sorted away; a process on several cards gets one signal."""
    hands = RecordingHands()
    async with playing(QUICK, hands=hands, size=(120, 40)) as (stage, pilot):
        frame = stage.app.frame
        twice = replace(frame.sample.processes[0], gpu_index=7)
        sample = replace(frame.sample, processes=(*frame.sample.processes, twice))
        await stage.give(pilot, replace(frame, sample=sample))
        await pilot.press("N")
        while stage.overview.selection.index < len(stage.overview._rows) - 1:
            row = stage.overview.current
            wanted = isinstance(row, ProcessRow) and row.process.pid in {484586, 484588, 484590}
            await pilot.press("space" if wanted else "down")
        assert "4 tagged" in stage.text()
        await pilot.press("M", "T")
        assert "and 1 more?" in stage.text()
        await pilot.press("y")
        assert sorted(pid for pid, _, _ in hands.sent) == [484586, 484588, 484590]
        assert "sent to 3 processes" in stage.text()


async def test_a_process_that_is_another_now_is_refused_and_told():
    """The reason that the hands give stands in the status line; the others still get theirs."""
    hands = RecordingHands(refuse={484586})
    async with playing(QUICK, hands=hands) as (stage, pilot):
        await pilot.press("space", "space", "T", "y")
        assert "is not the one that was shown: nothing was sent" in stage.text()
        assert [pid for pid, _, _ in hands.sent] == [484587]


@pytest.mark.parametrize("key", ["T", "K", "I", "f9"])
async def test_readonly_refuses_every_way(key):
    """No question and no menu, only the reason."""
    hands = RecordingHands()
    scene = replace(QUICK, settings=Settings(readonly=True))
    async with playing(scene, hands=hands) as (stage, pilot):
        await pilot.press(key)
        assert "read-only: no signals are sent" in stage.text()
        assert stage.app.screen is stage.overview
        await pilot.press("y")
        assert not hands.sent


@pytest.mark.parametrize("key", ["T", "f9"])
async def test_a_source_without_processes_refuses(key):
    """A recording has nobody to send to."""
    async with playing(QUICK, hands=None) as (stage, pilot):
        await pilot.press(key)
        assert "there are no processes behind this source" in stage.text()


async def test_a_simulated_process_gets_nothing():
    """The demo asks as the real thing does, and then says that it is none."""
    async with playing(QUICK) as (stage, pilot):
        await pilot.press("K", "y")
        assert "process 484586 is simulated: nothing was sent" in stage.text()


@pytest.mark.parametrize("keys", [("U", "home"), ("end",)], ids=["a group", "nobody's memory"])
async def test_a_row_that_is_no_process_gets_nothing(keys):
    """A signal to a group or to memory of nobody is not a thing."""
    hands = RecordingHands()
    async with playing(replace(QUICK, at_s=180), hands=hands) as (stage, pilot):
        if keys == ("end",):
            await pilot.press("M", "R")
            row = next(y for y, row in enumerate(stage.overview._rows) if not isinstance(row, ProcessRow))
            stage.overview._go(row)
        else:
            await pilot.press(*keys)
        await pilot.press("T")
        assert "no process under the cursor" in stage.text()
        await pilot.press("y")
        assert not hands.sent


@pytest.mark.parametrize("place", range(len(CHOICES)))
async def test_the_menu_asks_about_the_chosen_signal(place):
    """Down, Enter, y: the chosen signal is the one that is sent."""
    hands = RecordingHands()
    async with playing(QUICK, hands=hands) as (stage, pilot):
        await pilot.press("f9", *["down"] * place, "enter")
        name = CHOICES[place][0]
        assert f"send {name} to 484586" in stage.text()
        await pilot.press("y")
        assert hands.sent == [(484586, started(stage, 484586), getattr(signal, name).value)]


async def test_the_menu_keeps_its_choice_in_sight():
    """On a low terminal the list scrolls with the choice, and Home and End find its ends."""
    async with playing(QUICK, size=(60, 6), hands=RecordingHands()) as (stage, pilot):
        await pilot.press("f9")
        for key in ("end", "home", *["down"] * 6, "pagedown", "pageup", "end"):
            await pilot.press(key)
            screen = stage.app.screen
            assert isinstance(screen, SignalScreen)
            assert CHOICES[screen.cursor][0] in stage.text()
        assert screen.cursor == len(CHOICES) - 1


async def test_escape_leaves_the_menu_without_a_question():
    """A menu that was only looked at does nothing."""
    hands = RecordingHands()
    async with playing(QUICK, hands=hands) as (stage, pilot):
        await pilot.press("f9", "down", "escape", "y")
        assert stage.app.screen is stage.overview
        assert not hands.sent


async def test_a_close_up_asks_on_the_first_screen():
    """T in the close-up leads back to the table, where the question stands."""
    hands = RecordingHands()
    async with playing(QUICK, hands=hands) as (stage, pilot):
        await pilot.press("enter", "T")
        assert stage.app.screen is stage.overview
        assert "send SIGTERM to 484586" in stage.text()
        await pilot.press("y")
        assert [pid for pid, _, _ in hands.sent] == [484586]


async def test_a_close_up_of_the_dead_sends_nothing():
    """What has ended gets no signal, not even by a question."""
    hands = RecordingHands()
    async with playing(QUICK, hands=hands) as (stage, pilot):
        await pilot.press("enter")
        frame = stage.app.frame
        await stage.give(pilot, replace(frame, sample=replace(frame.sample, processes=())))
        await pilot.press("T")
        assert isinstance(stage.app.screen, ProcessScreen)
        assert "has ended: there is nothing to send to" in stage.text()
        await pilot.press("escape", "y")
        assert not hands.sent


async def test_a_hostile_name_reaches_no_terminal():
    """Escape codes in the name of a process are blanks in the question about it."""
    async with playing(QUICK, hands=RecordingHands()) as (stage, pilot):
        frame = stage.app.frame
        first = frame.sample.processes[0]
        evil = replace(first, facts=replace(first.facts, command="\x1b]0;owned\x07\x1b[2Jpython\n"))
        await stage.give(pilot, replace(frame, sample=replace(frame.sample, processes=(evil,))))
        await pilot.press("T")
        assert "owned" in stage.text()
        assert all(line.isprintable() for line in stage.lines())


@pytest.mark.parametrize(
    "keys", [("f2",), ("p",), ("plus",), ("slash", "x", "enter"), ("X",), ("question_mark", "escape")]
)
async def test_a_question_that_cannot_be_read_any_more_cannot_be_answered(keys):
    """Whatever takes its place in the status line drops it: y alone never sends."""
    hands = RecordingHands()
    async with playing(QUICK, hands=hands) as (stage, pilot):
        await pilot.press("T", *keys)
        asked = "?  y: yes" in stage.text()
        await pilot.press("y")
        assert bool(hands.sent) == asked
