"""What is the program's and no screen's: frames, pause, themes, saving, the palette, trouble, the end."""

from __future__ import annotations

from dataclasses import replace

import pytest
from stage import Scene, playing
from textual.command import CommandPalette

from dstop.draw.palette import theme_for
from dstop.errors import SettingsError
from dstop.model.event import Event, EventKind
from dstop.settings import Settings
from dstop.ui.app import LEAST_INTERVAL_S, MOST_INTERVAL_S, THEMES
from dstop.ui.widgets.line_view import styles_of
from dstop.ui.widgets.prompt import FilterPrompt

QUICK = Scene(past_s=2)


def nothing(settings):
    """Save to nowhere."""
    del settings


async def test_the_first_frame_is_there_at_once():
    """What was read before the screen came up is on it, without waiting for the next reading."""
    async with playing(QUICK) as (stage, _):
        assert "484586" in stage.text()
        assert stage.poller.pokes == 0


async def test_the_newest_frame_wins():
    """Of frames that come faster than they can be drawn, the last is the one that is shown."""
    async with playing(QUICK) as (stage, pilot):
        for _ in range(5):
            stage.clock_s += 1
            stage.poller.give(stage.monitor.step())
        await pilot.pause()
        assert stage.app.frame.sample.taken_at_ns == stage.now_ns()


async def test_a_pause_holds_the_frame_until_it_ends():
    """While paused no reading is shown, the last line says so, and the keys still work."""
    async with playing(QUICK) as (stage, pilot):
        await pilot.press("p")
        held = stage.app.frame
        await stage.step(pilot, 3)
        assert stage.app.frame is held
        await pilot.press("M")
        assert stage.overview.view.sort == "mem"
        assert " paused " in stage.lines()[-1]
        await pilot.press("p")
        await stage.step(pilot)
        assert stage.app.frame is not held
        assert " paused " not in stage.lines()[-1]


async def test_the_interval_has_ends():
    """Slower and faster double and halve it, no further than makes sense; the monitor learns of it."""
    async with playing(QUICK) as (stage, pilot):
        await pilot.press(*["minus"] * 5)
        assert stage.poller.interval_s == stage.monitor.interval_s == LEAST_INTERVAL_S
        assert f"every {LEAST_INTERVAL_S:g} s" in stage.text()
        await pilot.press(*["plus"] * 10)
        assert stage.poller.interval_s == stage.monitor.interval_s == MOST_INTERVAL_S


async def test_f2_goes_round_all_themes():
    """Every theme comes once, looks different, and is worn by the close-ups too."""
    async with playing(QUICK) as (stage, pilot):
        seen, grounds = [], []
        for _ in THEMES:
            await pilot.press("f2")
            seen.append(stage.app.theme_name)
            assert stage.overview.canvas._theme == (stage.app.theme_name, False)
            await pilot.press("enter")
            assert stage.app.screen.canvas._theme[0] == stage.app.theme_name
            grounds.append(styles_of(stage.app.theme_name)["head"])
            await pilot.press("escape")
        assert sorted(seen) == sorted(THEMES)
        assert seen[-1] == "dark"
        assert len(set(map(str, grounds))) == len(THEMES)


async def test_a_theme_changed_over_a_close_up_is_worn_below():
    """The screen that was covered comes back in the new theme."""
    async with playing(QUICK) as (stage, pilot):
        await pilot.press("enter", "f2", "escape")
        assert stage.overview.canvas._theme[0] == "light"


async def test_saving_writes_what_is_on_the_screen():
    """Theme, interval, sort, mode, filter and grouping as they are now; the rest as it was."""
    saved = []
    scene = replace(QUICK, settings=Settings(readonly=True))
    async with playing(scene, save=saved.append) as (stage, pilot):
        await pilot.press("M", "f", "J", "plus", "f2", "slash", *"train", "enter", "W")
        assert "settings saved" in stage.text()
    assert saved == [
        Settings(
            readonly=True, sort="mem", mode="full", group="job", interval_s=2, theme="light", filter="train"
        )
    ]


async def test_settings_that_cannot_be_saved_say_why():
    """A directory that is read-only is a sentence in the last line."""

    def refuse(settings):
        raise SettingsError(f"no room for {settings.theme}", fix="make some")

    async with playing(QUICK, save=refuse) as (stage, pilot):
        await pilot.press("W")
        assert "no room for dark: make some" in stage.text()


async def test_without_a_place_to_save_to_it_says_so():
    """A screen that was started without a configuration file does not pretend."""
    async with playing(QUICK) as (stage, pilot):
        await pilot.press("W")
        assert "settings are not saved here" in stage.text()


async def test_the_palette_opens_and_finds_a_command():
    """Ctrl-P, a few letters, Enter."""
    async with playing(QUICK) as (stage, pilot):
        await pilot.press("ctrl+p")
        assert isinstance(stage.app.screen, CommandPalette)
        await pilot.press(*"group by job")
        await pilot.pause(0.3)
        await pilot.press("down", "enter")
        await pilot.pause(0.1)
        assert stage.app.screen is stage.overview
        assert stage.overview.view.group == "job"


async def test_every_command_of_the_palette_runs():
    """Each does something that can be seen, and none fails."""
    async with playing(QUICK, save=nothing) as (stage, pilot):
        commands = list(stage.app.get_system_commands(stage.app.screen))
        assert len({command.title for command in commands}) == len(commands) > 12
        for command in commands:
            if command.title == "Quit":
                continue
            before = stage.text(), stage.overview.view, stage.app.theme_name
            command.callback()
            await pilot.pause()
            changed = stage.text(), stage.overview.view, stage.app.theme_name
            assert changed != before, command.title
            while stage.app.screen is not stage.overview or stage.overview.query(FilterPrompt):
                await pilot.press("escape")
        assert stage.app.is_running
        next(command for command in commands if command.title == "Quit").callback()
        await pilot.pause()
        assert stage.app._exit


async def test_a_driver_that_goes_is_told_and_heals():
    """The last figures stay under a line that says why they are old; it goes when figures come again."""
    async with playing(QUICK, size=(120, 40)) as (stage, pilot):
        stage.lose_the_driver("the driver does not answer", "look at dmesg")
        await stage.step(pilot, 8)
        assert "figures are 7s old: the driver does not answer: look at dmesg" in stage.lines()[1]
        assert "484586" in stage.text()
        stage.curtain.problem = None
        await stage.step(pilot)
        assert "figures are" not in stage.lines()[1]
        await pilot.press("l")
        assert "figures come again after 8s" in stage.text()
        assert "no new figures: the driver does not answer" in stage.text()


async def test_grave_news_is_told_once_without_being_asked():
    """A card with an Xid is worth a sentence in the last line; a notice that is there is not talked over."""
    async with playing(Scene(at_s=328, past_s=2)) as (stage, pilot):
        frame = stage.app.frame
        event = Event(at_ns=stage.now_ns(), kind=EventKind.XID, text="GPU 6 reported Xid 79")
        await pilot.press("f2")
        await stage.give(pilot, replace(frame, events=(*frame.events, event)))
        assert "theme light" in stage.lines()[-1]
        stage.app.say("")
        again = replace(event, at_ns=event.at_ns + 1, text="GPU 5 reported Xid 79")
        await stage.give(pilot, replace(frame, events=(*frame.events, event, again)))
        assert "GPU 5 reported Xid 79" in stage.lines()[-1]


async def test_a_bug_in_the_reader_ends_the_program_with_its_reason():
    """The screen never stands still on old numbers: the failure is kept for whoever started it."""
    bug = ZeroDivisionError("a bug of ours")
    async with playing(QUICK) as (stage, pilot):
        stage.poller.fail(bug)
        await pilot.pause()
    assert stage.app.failure is bug
    assert stage.app.return_code == 1
    assert stage.poller.stopped


@pytest.mark.parametrize("key", ["q", "f10", "ctrl+c"])
@pytest.mark.parametrize("opened", [None, "question_mark", "l", "enter", "g", "f9"])
async def test_quitting_works_from_every_screen(key, opened):
    """One key ends it, with a good exit code and the driver let go of."""
    async with playing(QUICK) as (stage, pilot):
        if opened is not None:
            await pilot.press(opened)
        await pilot.press(key)
        await pilot.pause()
        assert stage.app._exit
    assert stage.app.return_code == 0
    assert stage.poller.stopped


async def test_ctrl_c_quits_out_of_the_prompt_and_signals_nobody():
    """In a prompt too Ctrl-C means leave."""
    async with playing(QUICK) as (stage, pilot):
        await pilot.press("slash", *"tr", "ctrl+c")
        await pilot.pause()
        assert stage.app._exit


async def test_no_color_means_no_colour(monkeypatch):
    """Under NO_COLOR the theme is mono, and no cell has a colour of its own."""
    monkeypatch.setenv("NO_COLOR", "1")
    theme = theme_for("auto", {"NO_COLOR": "1"})
    assert theme == "mono"
    async with playing(Scene(at_s=149.5, past_s=5, theme=theme)) as (stage, _):
        strips = [stage.overview.canvas.render_line(y) for y in range(24)]
        for segment in (segment for strip in strips for segment in strip):
            style = segment.style
            assert style is None or all(
                colour is None or colour.is_default for colour in (style.color, style.bgcolor)
            )


@pytest.mark.parametrize("keys", [(), ("enter",), ("g",), ("question_mark",), ("l",), ("t",), ("J",)])
async def test_ascii_means_ascii(keys):
    """With --ascii every cell of every screen is one that any terminal has."""
    scene = Scene(at_s=149.5, past_s=30, settings=Settings(ascii=True))
    async with playing(scene, size=(120, 40)) as (stage, pilot):
        await pilot.press(*keys)
        await stage.read_to_the_end(pilot)
        assert stage.text().isascii()


async def test_the_bell_rings_once_for_each_time_an_alert_asks():
    """A frame says how often bells were asked for so far; one that says the same as before is silent."""
    async with playing(QUICK) as (stage, pilot):
        rang = []
        stage.app.bell = lambda: rang.append(stage.app.frame.bells)
        for bells in (0, 1, 1, 3):
            stage.clock_s += 1
            stage.poller.give(replace(stage.monitor.step(), bells=bells))
            await pilot.pause()
        assert rang == [1, 3]
