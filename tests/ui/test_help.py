"""The help screen names every key that does something, and no other."""

from __future__ import annotations

import pytest
from stage import Scene, playing
from textual.binding import Binding

from dstop.draw.help import KEYS, PROCESS_KEYS, help_lines
from dstop.draw.line import plain
from dstop.ui.app import DstopApp
from dstop.ui.keys import OVERVIEW_BINDINGS, OVERVIEW_KEYS
from dstop.ui.screens.guest import GuestScreen
from dstop.ui.screens.process import ProcessScreen

NAMES = {
    "↑": "up", "↓": "down", "←": "left", "→": "right", "PgUp": "pageup", "PgDn": "pagedown", "Home": "home",
    "End": "end", "Esc": "escape", "Enter": "enter", "/": "slash", "<": "less_than_sign", ",": "comma",
    ">": "greater_than_sign", ".": "full_stop", "Space": "space", "+": "plus", "-": "minus", "Ctrl-L": "ctrl+l",
    "Ctrl-C": "ctrl+c", "Ctrl-P": "ctrl+p", "Ctrl-Z": "ctrl+z", "?": "question_mark",
}  # fmt: skip
"""What a person calls a key -> what Textual calls it; letters and function keys have one name."""


def keys_in(text):
    """Give the keys that an entry of the help names."""
    for word in text.split():
        if word == "1-9":
            yield from "123456789"
        else:
            yield NAMES.get(word, word.lower() if word.startswith("F") and len(word) > 1 else word)


def bound():
    """Give every key and the action it has on the first screen; the palette is Textual's own."""
    of_the_app = [(each.key, each.action) for each in DstopApp.BINDINGS if isinstance(each, Binding)]
    pairs = [*OVERVIEW_BINDINGS, *of_the_app, (DstopApp.COMMAND_PALETTE_BINDING, "command_palette")]
    return {key: action for keys, action in pairs for key in keys.split(",")}


def named():
    """Give the keys that the help names."""
    return [key for title, keys in KEYS if title != "mouse" for text, _ in keys for key in keys_in(text)]


def test_every_key_that_the_help_names_is_bound():
    """A key that is in the help does something."""
    assert set(named()) <= set(bound())


def test_every_action_is_named_by_one_of_its_keys():
    """What one can do from the first screen can be found in the help."""
    actions = bound()
    found = {actions[key] for key in named()}
    assert set(actions.values()) == found


def test_the_keys_of_a_process_are_bound_there():
    """What the help says of the screen of a process is so, and nothing about hooks is left out."""
    bound_there = {each.key for each in (*ProcessScreen.BINDINGS, *GuestScreen.BINDINGS)}
    keys = {key for text, _ in PROCESS_KEYS for key in text.split()}
    assert keys == bound_there - {"e", "T", "K", "I", "y", "n"}


def test_no_key_is_named_twice():
    """The help gives a key one meaning."""
    assert len(named()) == len(set(named()))


def test_the_last_line_names_keys_that_are_bound():
    """What the status line offers works."""
    shown = [key for text, _ in OVERVIEW_KEYS for key in keys_in(text)]
    assert set(shown) <= set(bound())


@pytest.mark.parametrize("width", [20, 40, 76, 80, 120, 150, 200])
def test_every_key_is_shown_at_every_width(width):
    """Columns come and go with the width; the keys do not."""
    text = "\n".join(plain(line) for line in help_lines(width))
    for _, keys in KEYS:
        for key, _ in keys:
            assert f"  {key} " in text


async def test_a_small_terminal_shows_all_of_the_help_by_scrolling():
    """From the first key to the last filter, nothing is out of reach."""
    async with playing(Scene(past_s=2), size=(80, 12)) as (stage, pilot):
        await pilot.press("question_mark")
        assert " move" in stage.text()
        seen = stage.text()
        for _ in range(8):
            await pilot.press("pagedown")
            seen += stage.text()
        assert "a regular expression" in stage.text()
        for line in help_lines(80):
            assert plain(line).rstrip() in seen
        await pilot.press("question_mark")
        assert stage.app.screen is stage.overview
