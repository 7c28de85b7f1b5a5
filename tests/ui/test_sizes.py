"""Any size of terminal, on any screen, at any moment."""

from __future__ import annotations

import pytest
from pictures import SMALL, typed
from stage import Scene, playing

from dstop.draw.line import cells
from dstop.ui.screens.base import FrameScreen

SIZES = ((20, 5), (10, 3), (1, 1), (200, 2), (2, 60), (79, 7), (300, 90), SMALL)
MOST_LOOKS = 100
STATES = {
    "overview": (),
    "prompt": ("slash", *typed("user:deepa")),
    "question": ("T",),
    "tree": ("t",),
    "jobs": ("J",),
    "process": ("enter",),
    "attach question": ("4", "down", "enter", "A"),
    "snapshot prompt": ("enter", "w"),
    "map": ("enter", "m"),
    "stacks": ("enter", "H", "a"),
    "summary": ("enter", "s"),
    "ranks": ("enter", "o"),
    "model": ("enter", "M"),
    "environment": ("e",),
    "gpu": ("g",),
    "help": ("question_mark",),
    "log": ("l",),
    "menu": ("f9",),
    "palette": ("ctrl+p",),
    "help over a process": ("enter", "question_mark"),
}


def is_whole(stage):
    """Whether every cell of the terminal has been drawn, and none beside it."""
    width, height = stage.app.size
    screen = stage.app.screen
    strips = screen._compositor.render_strips()
    if len(strips) != height or any(strip.cell_length != width for strip in strips):
        return False
    if not isinstance(screen, FrameScreen):
        return True
    canvas = screen.canvas
    return all(sum(cells(text) for text, _ in line) == canvas.size.width for line in canvas._lines)


async def assert_whole(stage, pilot):
    """The screen becomes whole: Textual tells a new size to one part after the other."""
    for _ in range(MOST_LOOKS):
        if is_whole(stage):
            return
        await pilot.pause()
    assert is_whole(stage)


@pytest.mark.parametrize("state", STATES)
async def test_a_screen_fits_whatever_the_terminal_becomes(state):
    """From eighty columns to one cell and back, while frames come."""
    async with playing(Scene(past_s=5, mig=True), size=SMALL) as (stage, pilot):
        await pilot.press(*STATES[state])
        await stage.read_to_the_end(pilot)
        await assert_whole(stage, pilot)
        before = stage.app.screen
        for size in SIZES:
            await pilot.resize_terminal(*size)
            await stage.step(pilot)
            await assert_whole(stage, pilot)
            assert stage.app.screen is before
        assert stage.app._exception is None


@pytest.mark.parametrize("size", SIZES)
async def test_the_program_starts_in_any_terminal(size):
    """The first picture needs no room, and keys work in it."""
    async with playing(Scene(past_s=2, gpus=16), size=size) as (stage, pilot):
        for key in (
            "end",
            "pageup",
            "space",
            "enter",
            "down",
            "escape",
            "g",
            "end",
            "escape",
            "question_mark",
        ):
            await pilot.press(key)
            await assert_whole(stage, pilot)
        assert stage.app.is_running
