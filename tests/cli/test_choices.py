"""What is decided from flags, variables and the terminal, without running anything."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dstop.cli.request import face_of
from dstop.cli.terminal import use_color
from dstop.errors import UsageError

_TERMINAL = {"once": False, "json": False, "csv": None, "can_be_live": True, "count": None}


@pytest.mark.parametrize(
    ("asked", "face"),
    [
        ({}, "live"),
        ({"once": True}, "text"),
        ({"can_be_live": False}, "text"),
        ({"json": True}, "json"),
        ({"json": True, "once": True}, "json"),
        ({"csv": "gpus"}, "csv"),
        ({"csv": "processes", "can_be_live": False}, "csv-processes"),
        ({"once": True, "count": 3}, "text"),
    ],
)
def test_the_answer_follows_from_flags_and_terminal(asked, face):
    """A terminal gets the live screen, unless something else was asked for."""
    assert face_of(**{**_TERMINAL, **asked}) == face


def test_a_screen_cannot_be_counted():
    """--count on a terminal needs a face that prints."""
    with pytest.raises(UsageError, match="--count"):
        face_of(**{**_TERMINAL, "count": 3})


@pytest.mark.parametrize(
    ("choice", "environ", "is_terminal", "colored"),
    [
        ("auto", {"TERM": "xterm"}, True, True),
        ("auto", {"TERM": "xterm"}, False, False),
        ("auto", {"TERM": "dumb"}, True, False),
        ("auto", {}, True, False),
        ("auto", {"TERM": "xterm", "NO_COLOR": "1"}, True, False),
        ("auto", {"TERM": "xterm", "NO_COLOR": ""}, True, True),
        ("auto", {"TERM": "dumb", "FORCE_COLOR": "1"}, False, True),
        ("always", {"NO_COLOR": "1", "TERM": "dumb"}, False, True),
        ("never", {"FORCE_COLOR": "1", "TERM": "xterm"}, True, False),
    ],
)
def test_colour(choice, environ, is_terminal, colored):
    """A choice wins over variables, and variables over what the terminal is."""
    assert use_color(choice, environ, is_terminal=is_terminal) is colored


def test_a_dumb_terminal_gets_one_sample(tmp_path):
    """On a terminal without a cursor, `dstop demo` prints a sample without colour and stops."""
    main, side = os.openpty()
    root = str(Path(__file__).parents[2])
    environ = {**os.environ, "TERM": "dumb", "PYTHONPATH": root, "XDG_CONFIG_HOME": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-m", "dstop", "demo", "--gpus", "1"],
        env=environ,
        stdin=side,
        stdout=side,
        stderr=side,
    ) as child:
        os.close(side)
        said = b""
        while True:
            try:
                piece = os.read(main, 65536)
            except OSError:
                break
            if not piece:
                break
            said += piece
        assert child.wait(30) == 0
    os.close(main)
    assert b"H100" in said
    assert b"\x1b" not in said
