"""The filter, while it is typed and after."""

from __future__ import annotations

from dataclasses import replace

from pictures import typed
from stage import Scene, playing

from dstop.ui.widgets.prompt import FilterPrompt
from dstop.view.rows import ProcessRow

QUICK = Scene(past_s=2)


def users(stage):
    """Give whose rows are shown."""
    return {row.process.facts.user for row in stage.overview._rows if isinstance(row, ProcessRow)}


async def test_the_table_follows_while_one_types():
    """Each character narrows or widens the rows; the prompt shows what was typed."""
    async with playing(QUICK) as (stage, pilot):
        await pilot.press("slash", *typed("user:alice"))
        await pilot.pause()
        assert users(stage) == {"alice"}
        assert stage.lines()[-1].startswith(" user:alice")
        await pilot.press(*["backspace"] * len("user:alice"))
        await pilot.pause()
        assert users(stage) == {"deepa", "alice", "serve", "root", None}


async def test_enter_keeps_the_filter_and_the_last_line_shows_it():
    """The prompt goes, the rows stay narrowed, and the keys work again."""
    async with playing(QUICK) as (stage, pilot):
        await pilot.press("slash", *typed("user:alice"), "enter")
        await pilot.pause()
        assert not stage.overview.query(FilterPrompt)
        assert " filter user:alice " in stage.lines()[-1]
        assert users(stage) == {"alice"}
        await stage.step(pilot)
        assert users(stage) == {"alice"}
        await pilot.press("escape")
        await pilot.pause()
        assert len(users(stage)) > 1
        assert "filter user:alice" not in stage.text()


async def test_escape_in_the_prompt_drops_the_filter():
    """What was typed is forgotten, and one escape more does not end anything."""
    async with playing(QUICK) as (stage, pilot):
        await pilot.press("slash", *typed("user:alice"), "escape")
        await pilot.pause()
        assert not stage.overview.query(FilterPrompt)
        assert len(users(stage)) > 1
        await pilot.press("escape")
        await pilot.pause()
        assert stage.app.is_running


async def test_a_wrong_filter_says_so_and_changes_nothing():
    """The rows stay those of the last filter that could be read; Enter leaves the prompt open to mend it."""
    async with playing(QUICK, size=(120, 30)) as (stage, pilot):
        await pilot.press("slash", *typed("user:alice"))
        await pilot.pause()
        before = stage.overview._rows
        await pilot.press(*typed(" mem>10Q"), "enter")
        await pilot.pause()
        assert stage.overview._rows == before
        assert "'10Q' is no value of mem" in stage.lines()[-2]
        assert stage.lines()[-1].startswith(" user:alice mem>10Q")
        await pilot.press("backspace", *typed("G"), "enter")
        await pilot.pause()
        assert not stage.overview.query(FilterPrompt)
        assert users(stage) == {"alice"}
        assert "no value" not in stage.text()


async def test_the_prompt_begins_with_the_filter_there_is():
    """A filter is changed, not typed again."""
    async with playing(QUICK) as (stage, pilot):
        await pilot.press("slash", *typed("user:ali"), "enter", "slash", *typed("ce"), "enter")
        await pilot.pause()
        assert stage.overview.filter_text == "user:alice"


async def test_letters_in_the_prompt_are_letters():
    """What quits, pauses or kills elsewhere is text while a filter is typed."""
    async with playing(QUICK) as (stage, pilot):
        await pilot.press("slash", *"qpTKzl?123")
        await pilot.pause()
        assert stage.app.is_running
        assert not stage.app.paused
        assert stage.overview.query_one(FilterPrompt).value == "qpTKzl?123"


async def test_the_rows_can_be_walked_and_seen_while_one_types():
    """The arrows move the cursor, and the prompt hides no row: all that the table shows is above it."""
    async with playing(QUICK) as (stage, pilot):
        await pilot.press("slash", "down", "down")
        await pilot.pause()
        assert stage.overview.selection.index == 2
        for _ in range(20):
            await pilot.press("down")
            await pilot.pause()
        marked = stage.overview._drawn.marked
        assert str(stage.overview.current.process.pid) in stage.lines()[marked]


async def test_a_second_slash_opens_no_second_prompt():
    """There is one prompt at most, however it was asked for."""
    async with playing(QUICK) as (stage, pilot):
        await pilot.press("f4", "f4")
        await pilot.pause()
        stage.overview.action_filter()
        await pilot.pause()
        assert len(stage.overview.query(FilterPrompt)) == 1


async def test_a_field_name_is_completed():
    """What the completion offers is taken with the right arrow."""
    async with playing(QUICK) as (stage, pilot):
        await pilot.press("slash", *"fram")
        await pilot.pause()
        await pilot.pause(0.05)
        await pilot.press("right")
        await pilot.pause()
        assert stage.overview.query_one(FilterPrompt).value.startswith("framework")


async def test_a_filter_stays_while_frames_come():
    """A row that begins to match appears, one that matches no longer goes."""
    async with playing(QUICK, size=(120, 30)) as (stage, pilot):
        await pilot.press("slash", *typed("mem>70G"), "enter")
        await pilot.pause()
        assert not stage.overview._rows
        frame = stage.app.frame
        first = frame.sample.processes[0]
        grown = replace(first, gpu_memory_bytes=75 * 2**30)
        rows = (grown, *frame.sample.processes[1:])
        await stage.give(pilot, replace(frame, sample=replace(frame.sample, processes=rows)))
        assert [row.process.pid for row in stage.overview._rows] == [first.pid]
