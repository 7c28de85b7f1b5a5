"""The cursor, tags, groups and the mouse."""

from __future__ import annotations

from dataclasses import replace

import pytest
from stage import Scene, playing
from test_sizes import assert_whole

from dstop.draw.gpu_area import GAP
from dstop.ui.screens.gpu import GpuScreen
from dstop.ui.screens.process import ProcessScreen
from dstop.view.arrange import View
from dstop.view.rows import GroupRow, ProcessRow

QUICK = Scene(past_s=2)


def pid_under_the_cursor(stage):
    """Give the PID of the row that the cursor is on."""
    assert isinstance(stage.overview.current, ProcessRow)
    return stage.overview.current.process.pid


def without(frame, *pids):
    """Give a frame in which some processes have ended."""
    rows = tuple(row for row in frame.sample.processes if row.pid not in pids)
    return replace(frame, sample=replace(frame.sample, processes=rows))


def y_of(stage, text):
    """Give the line on which a text stands."""
    return next(y for y, line in enumerate(stage.lines()) if text in line)


async def test_the_cursor_stays_on_its_process_when_rows_move():
    """Sorting the other way and new rows above leave the cursor on the process it was on."""
    async with playing(QUICK) as (stage, pilot):
        await pilot.press("down", "down", "down")
        pid = pid_under_the_cursor(stage)
        for key in ("M", "R", "P", "N", "U", "U", "J", "J", "t", "t", "less_than_sign"):
            await pilot.press(key)
            assert pid_under_the_cursor(stage) == pid
        await stage.give(pilot, without(stage.app.frame, 484586))
        assert pid_under_the_cursor(stage) == pid
        assert str(pid) in stage.lines()[stage.overview._drawn.marked]


async def test_the_cursor_keeps_its_place_when_its_process_ends():
    """The row that comes into the place is under the cursor, and the last row when there is none."""
    async with playing(QUICK) as (stage, pilot):
        await pilot.press("down")
        gone = pid_under_the_cursor(stage)
        await stage.give(pilot, without(stage.app.frame, gone))
        assert stage.overview.selection.index == 1
        assert pid_under_the_cursor(stage) != gone
        await pilot.press("end")
        last = pid_under_the_cursor(stage)
        await stage.give(pilot, without(stage.app.frame, last))
        assert stage.overview.selection.index == len(stage.overview._rows) - 1


async def test_the_cursor_is_always_in_sight():
    """However far one goes and however small the terminal gets, the marked line is the cursor's."""
    async with playing(replace(QUICK, gpus=16), size=(80, 24)) as (stage, pilot):
        for key in ("end", "pageup", "pageup", "pagedown", "home", "end"):
            await pilot.press(key)
            assert str(pid_under_the_cursor(stage)) in stage.lines()[stage.overview._drawn.marked]
        await pilot.resize_terminal(80, 14)
        await assert_whole(stage, pilot)
        assert str(pid_under_the_cursor(stage)) in stage.lines()[stage.overview._drawn.marked]


async def test_tags_stay_with_their_rows_and_go_with_them():
    """A tag follows its row through sorting, is shown by a sign, and ends with its process."""
    async with playing(QUICK) as (stage, pilot):
        await pilot.press("space", "space")
        assert "2 tagged" in stage.text()
        assert stage.text().count(" *") == 2
        await pilot.press("M", "R")
        assert "*0  484586" in stage.text()
        await stage.give(pilot, without(stage.app.frame, 484586))
        assert "1 tagged" in stage.text()
        await pilot.press("escape")
        assert "tagged" not in stage.text()


async def test_escape_undoes_one_kind_of_narrowing_after_the_other():
    """First the tags, then filter and focus, then the grouping; it never ends the program."""
    async with playing(QUICK) as (stage, pilot):
        await pilot.press("J", "3", "u", "space")
        overview = stage.overview
        assert overview.selection.tags
        await pilot.press("escape")
        assert not overview.selection.tags
        assert (overview.view.gpu_index, overview.view.group) == (2, "job")
        await pilot.press("escape")
        assert (overview.view.gpu_index, overview.view.users, overview.view.group) == (
            None,
            frozenset(),
            "job",
        )
        await pilot.press("escape")
        assert overview.view == View()
        await pilot.press("escape")
        assert stage.app.is_running


async def test_a_digit_shows_one_card_and_again_all():
    """The digit of a card narrows the rows to it; the same digit, or 0, takes that back."""
    async with playing(QUICK) as (stage, pilot):
        everything = len(stage.overview._rows)
        await pilot.press("4")
        assert {row.process.gpu_index for row in stage.overview._rows} == {3}
        assert " GPU 3 " in stage.lines()[-1]
        await pilot.press("4")
        assert len(stage.overview._rows) == everything
        await pilot.press("4", "0")
        assert len(stage.overview._rows) == everything


async def test_an_empty_table_says_why():
    """Nothing on the card in focus is another thing than nothing on the machine, or a filter that fits none."""
    async with playing(replace(QUICK, at_s=180)) as (stage, pilot):
        await pilot.press("1")
        assert "others are hidden (Esc shows all)" in stage.text()
        await pilot.press("0", "slash", *"nobody", "enter")
        assert "no process matches the filter (Esc clears it)" in stage.text()
        await pilot.press("escape")
        gone = [row.pid for row in stage.app.frame.sample.processes]
        bare = without(stage.app.frame, *gone)
        await stage.give(pilot, replace(bare, sample=replace(bare.sample, unattributed=())))
        assert "no process on a GPU" in stage.text()


async def test_a_group_folds_from_any_of_its_rows():
    """`z` on a member puts the group away and the cursor on it; again brings the members back."""
    async with playing(QUICK) as (stage, pilot):
        await pilot.press("J", "down", "down", "z")
        row = stage.overview.current
        assert isinstance(row, GroupRow)
        assert row.folded
        assert "484586" not in stage.text()
        await pilot.press("enter")
        assert "484586" in stage.text()


async def test_u_in_a_job_means_its_owner():
    """On the line of a job, `u` keeps the rows of the person it belongs to."""
    async with playing(QUICK) as (stage, pilot):
        await pilot.press("J", "home", "u")
        assert stage.overview.view.users == {"deepa"}
        assert "484586" in stage.text()


async def test_the_tree_hangs_ranks_under_their_launcher():
    """Parents that are on no GPU get lines of their own, and fold what is below them."""
    async with playing(QUICK, size=(120, 40)) as (stage, pilot):
        await pilot.press("t")
        assert y_of(stage, "tmux: server") < y_of(stage, "torchrun train.py") < y_of(stage, "484586")
        await pilot.press("home", "z")
        assert "484586" not in stage.text()


async def test_a_click_chooses_a_row_and_two_open_it():
    """The row under the mouse gets the cursor; the second click opens its process."""
    async with playing(QUICK) as (stage, pilot):
        y = y_of(stage, "484589")
        await pilot.click(offset=(20, y))
        assert pid_under_the_cursor(stage) == 484589
        await pilot.click(offset=(20, y), times=2)
        assert isinstance(stage.app.screen, ProcessScreen)
        assert stage.app.screen.process.pid == 484589


async def test_a_click_on_a_title_sorts_and_again_turns_round():
    """The column under the mouse orders the rows; clicks on no title and on a column without order do nothing."""
    async with playing(QUICK, size=(120, 40)) as (stage, pilot):
        y = stage.overview._drawn.header_y
        x = stage.lines()[y].index("MEM")
        await pilot.click(offset=(x, y))
        assert (stage.overview.view.sort, stage.overview.view.reverse) == ("mem", False)
        await pilot.click(offset=(x, y))
        assert (stage.overview.view.sort, stage.overview.view.reverse) == ("mem", True)
        before = stage.overview.view
        await pilot.click(offset=(stage.lines()[y].index("TYPE"), y))
        await pilot.click(offset=(3, 0))
        assert stage.overview.view == before


@pytest.mark.parametrize("size", [(120, 40), (200, 60), (80, 24)])
async def test_a_click_on_a_card_means_the_card_under_the_mouse(size):
    """Also in the columns further right; a second click shows all again, two open it."""
    async with playing(QUICK, size=size) as (stage, pilot):
        layout = stage.overview._drawn.layout
        width = size[0] // layout.columns
        for index in (0, 5, 7):
            y = next(
                y
                for y, line in enumerate(stage.lines())
                if f" {index} H100" in line or line.startswith(f" {index} ▇")
            )
            x = (index * layout.columns // 8) * (width + GAP // 2) + 6
            await pilot.click(offset=(x, y))
            assert stage.overview.view.gpu_index == index
            await pilot.click(offset=(x, y))
            assert stage.overview.view.gpu_index is None
        await pilot.click(offset=(x, y), times=2)
        assert isinstance(stage.app.screen, GpuScreen)
        assert stage.app.screen.index == 7


async def test_the_wheel_moves_the_cursor_and_with_shift_the_command():
    """Three rows a notch; sideways with Shift."""
    from textual import events  # the pilot has no wheel

    async with playing(QUICK) as (stage, pilot):

        async def turn(kind, *, shift=False):
            stage.overview.post_message(
                kind(None, x=5, y=15, delta_x=0, delta_y=1, button=0, shift=shift, meta=False, ctrl=False)
            )
            await pilot.pause()

        await turn(events.MouseScrollDown)
        assert stage.overview.selection.index == 3
        await turn(events.MouseScrollUp)
        assert stage.overview.selection.index == 0
        await turn(events.MouseScrollDown, shift=True)
        assert stage.overview.state.shift == 8
        await turn(events.MouseScrollUp, shift=True)
        assert stage.overview.state.shift == 0
