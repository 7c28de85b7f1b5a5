"""Whatever is pressed, whatever the driver says: the screen stays whole."""

from __future__ import annotations

import asyncio
import unicodedata

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stage import Scene, playing
from test_sizes import assert_whole
from textual.binding import Binding
from twins import RecordingHands

from dstop.model.frame import Frame
from dstop.testing import frames
from dstop.ui.app import DstopApp
from dstop.ui.keys import OVERVIEW_BINDINGS
from dstop.ui.screens.guest import GuestScreen
from dstop.ui.screens.process import ProcessScreen
from dstop.ui.screens.text import TextScreen

MOVES = {"Cc", "Cf", "Cs", "Zl", "Zp"}
"""Characters that move the cursor, reorder or hide what follows."""
LEAVES = {"q", "f10", "ctrl+c"}
BOUND = [keys for keys, _ in OVERVIEW_BINDINGS]
BOUND += [
    each.key
    for cls in (DstopApp, TextScreen, GuestScreen, ProcessScreen)
    for each in cls.BINDINGS
    if isinstance(each, Binding)
]
KEYS = sorted({key for keys in BOUND for key in keys.split(",")} - LEAVES)
OPENING = [
    "enter",
    "enter",
    "m",
    "o",
    "e",
    "g",
    "question_mark",
    "l",
    "f9",
    "slash",
    "t",
    "J",
    "U",
    "z",
    "space",
    "y",
    "escape",
]
SIZES = st.tuples(st.integers(1, 220), st.integers(1, 70))
STEPS = st.one_of(
    st.sampled_from(OPENING), st.sampled_from(KEYS), frames(most_gpus=5, most_processes=6), SIZES
)


async def _play(steps):
    hands = RecordingHands()
    async with playing(Scene(past_s=1), hands=hands) as (stage, pilot):
        for step in steps:
            if isinstance(step, str):
                await pilot.press(step)
            elif isinstance(step, Frame):
                await stage.give(pilot, step)
            else:
                await pilot.resize_terminal(*step)
            await pilot.pause()
            await assert_whole(stage, pilot)
            assert not any(unicodedata.category(char) in MOVES for line in stage.lines() for char in line)
        assert stage.app._exception is None
        assert stage.app.is_running


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(STEPS, max_size=12))
def test_no_sequence_of_keys_frames_and_sizes_breaks_the_screen(steps):
    """Keys in any order, over frames with anything missing and any text in them, at any size."""
    asyncio.run(_play(steps))
