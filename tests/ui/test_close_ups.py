"""The screens of one process, of one card, of the log: what they show, and how one moves in them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from stage import Scene, playing
from twins import RecordingHands

from dstop.sources.hands import ProcessDetail
from dstop.ui.screens.events import EventScreen
from dstop.ui.screens.gpu import GpuScreen
from dstop.ui.screens.help import HelpScreen
from dstop.ui.screens.process import ProcessScreen
from dstop.ui.screens.signal import SignalScreen

QUICK = Scene(past_s=4)
OPENED_BY = {"question_mark": HelpScreen, "l": EventScreen, "enter": ProcessScreen, "g": GpuScreen}
LOW = (80, 10)


class DeadHands(RecordingHands):
    """A process that has gone before anybody could read it."""

    def detail(self, pid, started_at_s):
        """Give the reason there is nothing."""
        del pid, started_at_s
        return ProcessDetail(unavailable={"environment": "permission denied: it is root's"})


@pytest.mark.parametrize("opened", OPENED_BY)
@pytest.mark.parametrize("key", ["escape", "backspace", "enter"])
async def test_one_key_leads_back(opened, key):
    """Every close-up closes with Esc, Backspace or Enter, and the table is as it was."""
    async with playing(QUICK, size=LOW) as (stage, pilot):
        await pilot.press("down", opened)
        assert type(stage.app.screen) is OPENED_BY[opened]
        await pilot.press(key)
        assert stage.app.screen is stage.overview
        assert stage.overview.selection.index == 1


@pytest.mark.parametrize("opened", OPENED_BY)
async def test_every_scrolling_key_scrolls(opened):
    """Lines, screens and ends, by arrows, vim's and less's keys; never past an end."""
    async with playing(replace(QUICK, past_s=120), size=LOW) as (stage, pilot):
        await pilot.press(opened)
        await stage.read_to_the_end(pilot)
        screen = stage.app.screen
        page = LOW[1] - 3
        for key, top in (
            ("up", 0), ("down", 1), ("j", 2), ("k", 1), ("up", 0), ("pagedown", page), ("pageup", 0),
            ("ctrl+f", page), ("ctrl+b", 0), ("space", page), ("home", 0),
        ):  # fmt: skip
            await pilot.press(key)
            assert screen.top == top, key
        await pilot.press("end")
        assert screen.top == screen._count - (LOW[1] - 2)
        assert f"{screen._count} of {screen._count}" in stage.lines()[-1]
        bottom = screen.top
        await pilot.press("down", "pagedown")
        assert screen.top == bottom


@pytest.mark.parametrize("opened", [*OPENED_BY, "f9"])
async def test_the_wheel_scrolls_three_lines(opened):
    """Three lines a notch, in a menu three choices."""
    from textual import events  # the pilot has no wheel

    async with playing(replace(QUICK, past_s=120), size=LOW, hands=RecordingHands()) as (stage, pilot):
        await pilot.press(opened)
        await stage.read_to_the_end(pilot)
        screen = stage.app.screen

        def at():
            return screen.cursor if isinstance(screen, SignalScreen) else screen.top

        for kind, expected in (
            (events.MouseScrollDown, 3),
            (events.MouseScrollUp, 0),
            (events.MouseScrollUp, 0),
        ):
            screen.post_message(
                kind(None, x=5, y=5, delta_x=0, delta_y=1, button=0, shift=False, meta=False, ctrl=False)
            )
            await pilot.pause()
            assert at() == expected


async def test_a_close_up_follows_its_process():
    """New frames bring new figures and longer graphs."""
    async with playing(QUICK, size=(120, 40)) as (stage, pilot):
        await pilot.press("enter")
        await stage.read_to_the_end(pilot)
        await stage.step(pilot)
        before = stage.text()
        assert "484586  train.py  on GPU 0" in before
        assert "peak" in before
        await stage.step(pilot, 3)
        assert "age          1:12" in stage.text()
        assert stage.text() != before


async def test_only_the_open_process_is_watched():
    """Its history comes with the frames while it is open, and no longer."""
    async with playing(QUICK) as (stage, pilot):
        await pilot.press("enter")
        await stage.step(pilot)
        assert [key.pid for key in stage.app.frame.watched] == [484586]
        await pilot.press("escape")
        await stage.step(pilot)
        assert not stage.app.frame.watched


async def test_a_process_that_ends_says_so_and_keeps_its_last_reading():
    """The title turns into a warning; memory, graphs and command line stay to be read."""
    async with playing(Scene(at_s=149.5, past_s=60), size=(120, 40)) as (stage, pilot):
        await pilot.press("M", "home", "enter")
        await stage.read_to_the_end(pilot)
        await stage.step(pilot)
        assert "484589  train.py  on GPU 3" in stage.text()
        await stage.step(pilot, 4)
        text = stage.text()
        assert "484589 has ended; this is its last reading" in text
        assert "no history yet" not in text
        assert "peak 67.8G" in text
        assert "--empty-cache-every" in text


async def test_another_process_with_its_pid_is_not_taken_for_it():
    """A process that got the PID of one that ended has another start time, and is not shown as it."""
    async with playing(QUICK) as (stage, pilot):
        await pilot.press("enter")
        frame = stage.app.frame
        first = frame.sample.processes[0]
        other = replace(
            first, facts=replace(first.facts, started_at_s=first.facts.started_at_s + 5, command="other")
        )
        rows = (other, *frame.sample.processes[1:])
        await stage.give(pilot, replace(frame, sample=replace(frame.sample, processes=rows)))
        assert "484586 has ended" in stage.text()
        assert "other" not in stage.lines()[0]


async def test_the_environment_is_shown_first_when_asked_for_and_secrets_are_not():
    """`e` opens at the environment, in the order of names; a value that looks secret is a row of dots."""
    async with playing(QUICK, size=LOW, hands=RecordingHands()) as (stage, pilot):
        await pilot.press("e")
        await stage.read_to_the_end(pilot)
        text = stage.text()
        assert "environment (values that look secret are redacted)" in text
        assert "WANDB_API_KEY=••• (redacted)" in text
        assert text.index("HOME=") < text.index("RANK=") < text.index("WANDB_API_KEY=")
        await pilot.press("home", "e")
        assert "HOME=/home/deepa" in stage.text()


async def test_an_environment_that_cannot_be_read_says_why():
    """The reason stands where the variables would."""
    async with playing(QUICK, size=(80, 50), hands=DeadHands()) as (stage, pilot):
        await pilot.press("enter")
        await stage.read_to_the_end(pilot)
        assert "– permission denied: it is root's" in stage.text()


async def test_a_source_without_processes_has_no_environment():
    """A recording shows what it knows and promises nothing."""
    async with playing(QUICK, size=(80, 50), hands=None) as (stage, pilot):
        await pilot.press("enter")
        await pilot.pause()
        assert "environment" not in "\n".join(stage.lines()[1:-1])
        assert "reading …" not in stage.text()


async def test_left_and_right_go_from_card_to_card():
    """Past the last comes the first; vim's keys do the same."""
    async with playing(QUICK, size=(120, 40)) as (stage, pilot):
        await pilot.press("g")
        for key, index in (("right", 1), ("l", 2), ("h", 1), ("left", 0), ("left", 7), ("right", 0)):
            await pilot.press(key)
            assert f" GPU {index}  H100 80GB HBM3" in stage.lines()[0]


async def test_costly_counters_are_read_while_a_card_is_open_and_no_longer():
    """PCIe, NVLink and GPM figures come one reading after the card was opened, and cease with it."""
    async with playing(QUICK, size=(120, 40)) as (stage, pilot):
        assert stage.app.frame.sample.gpus[0].pcie_tx_bytes_s is None
        await pilot.press("g")
        await stage.step(pilot)
        assert stage.app.frame.sample.gpus[0].pcie_tx_bytes_s is not None
        assert "SM active, occupancy" in stage.text()
        await pilot.press("escape")
        await stage.step(pilot)
        assert stage.app.frame.sample.gpus[0].pcie_tx_bytes_s is None


async def test_a_card_that_is_gone_says_so():
    """A card that left the machine is named, and the screen stays."""
    async with playing(QUICK) as (stage, pilot):
        await pilot.press("g")
        frame = stage.app.frame
        await stage.give(pilot, replace(frame, sample=replace(frame.sample, gpus=frame.sample.gpus[1:])))
        assert "this GPU is not in the machine any more" in stage.text()
        await pilot.press("right")
        assert isinstance(stage.app.screen, GpuScreen)


@pytest.mark.parametrize("opened", ["enter", "g", "l"])
async def test_a_close_up_says_that_the_driver_is_gone(opened):
    """Old figures are never shown without their age, on any screen."""
    async with playing(QUICK) as (stage, pilot):
        await pilot.press(opened)
        stage.lose_the_driver("the driver does not answer", "look at dmesg")
        await stage.step(pilot, 3)
        assert "figures are 2s old: the driver does not answer: look at dmesg" in stage.lines()[1]
        stage.curtain.problem = None
        await stage.step(pilot)
        assert "figures are" not in stage.lines()[1]


async def test_a_close_up_says_that_time_stands_still():
    """Paused is paused on every screen."""
    async with playing(QUICK) as (stage, pilot):
        await pilot.press("enter", "p")
        assert " paused " in stage.lines()[-1]


async def test_the_log_has_notices_and_the_newest_first():
    """What is to be known of how the figures are read stands on top of what happened."""
    async with playing(Scene(at_s=180, past_s=60), size=(120, 30)) as (stage, pilot):
        await pilot.press("l")
        lines = stage.lines()
        assert "process of another PID namespace: run with --pid=host" in lines[1]
        times = [line[1:9] for line in lines[2:-1] if line.strip()]
        assert len(times) > 8
        assert times == sorted(times, reverse=True)
        await pilot.press("l")
        assert stage.app.screen is stage.overview
