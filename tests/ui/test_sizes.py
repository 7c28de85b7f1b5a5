"""Any size of terminal, on any screen, at any moment."""

from __future__ import annotations

import pytest
from pictures import SMALL, typed
from stage import Scene, playing

from dstop.draw.line import cells
from dstop.ui.screens.base import FrameScreen

SIZES = ((20, 5), (10, 3), (1, 1), (200, 2), (2, 60), (79, 7), (300, 90), SMALL)
STATES = {
    "overview": (),
    "prompt": ("slash", *typed("user:deepa")),
    "question": ("T",),
    "tree": ("t",),
    "jobs": ("J",),
    "process": ("enter",),
    "environment": ("e",),
    "gpu": ("g",),
    "help": ("question_mark",),
    "log": ("l",),
    "menu": ("f9",),
    "palette": ("ctrl+p",),
    "help over a process": ("enter", "question_mark"),
}


def assert_whole(stage):
    """Every cell of the terminal has been drawn, and none beside it."""
    width, height = stage.app.size
    screen = stage.app.screen
    strips = screen._compositor.render_strips()
    assert len(strips) == height
    assert all(strip.cell_length == width for strip in strips)
    if isinstance(screen, FrameScreen):
        canvas = screen.canvas
        assert all(sum(cells(text) for text, _ in line) == canvas.size.width for line in canvas._lines)


@pytest.mark.parametrize("state", STATES)
async def test_a_screen_fits_whatever_the_terminal_becomes(state):
    """From eighty columns to one cell and back, while frames come."""
    async with playing(Scene(past_s=5, mig=True), size=SMALL) as (stage, pilot):
        await pilot.press(*STATES[state])
        await stage.read_to_the_end(pilot)
        assert_whole(stage)
        before = stage.app.screen
        for size in SIZES:
            await pilot.resize_terminal(*size)
            await stage.step(pilot)
            assert_whole(stage)
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
            assert_whole(stage)
        assert stage.app.is_running
