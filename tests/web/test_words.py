"""What `dstop web` passes on to the dstop of a tab."""

from __future__ import annotations

import pytest

from dstop.cli.web import check_words, environment
from dstop.errors import UsageError


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("demo",),
        ("--only", "0"),
        ("replay", "x.dstop"),
        ("fleet", "--prometheus", "http://h"),
        ("attach", "4"),
    ],
    ids=lambda words: words[0] if words else "nothing",
)
def test_what_has_a_screen_is_passed_on(words):
    """The live screen and every verb that has one."""
    check_words(words)


@pytest.mark.parametrize(
    "words",
    [("doctor",), ("run", "--", "sh"), ("web",), ("demo", "--json"), ("--csv=processes",), ("-1",)],
    ids=lambda words: words[0],
)
def test_what_would_only_print_is_refused(words):
    """A tab that ends at once would be a riddle; and `run` would start a program for each."""
    with pytest.raises(UsageError, match="no screen to serve"):
        check_words(words)


def test_a_tab_is_read_only_unless_hands_are_asked_for():
    """By the environment, which every verb reads; a file that says otherwise does not win over it."""
    assert environment({"A": "b"}, hands=False)["DSTOP_READONLY"] == "1"
    assert "DSTOP_READONLY" not in environment({}, hands=True)
    assert environment({"DSTOP_READONLY": "0"}, hands=False)["DSTOP_READONLY"] == "1"


def test_what_is_said_to_a_terminal_is_not_said_to_a_browser():
    """The size and colours of the server's terminal are not the browser's; a dumb one is no reason for no screen."""
    passed = environment({"COLUMNS": "20", "COLORFGBG": "0;15", "TERM": "dumb", "HOME": "/h"}, hands=False)
    assert "COLUMNS" not in passed
    assert "COLORFGBG" not in passed
    assert passed["TERM"] == "xterm-256color"
    assert passed["HOME"] == "/h"
