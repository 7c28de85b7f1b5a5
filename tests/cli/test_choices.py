"""What is decided from flags, variables and the terminal, without running anything."""

from __future__ import annotations

import fcntl
import os
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from dstop.cli.request import face_of
from dstop.cli.terminal import use_color
from dstop.errors import UsageError
from dstop.testing import make_sample

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


def _on_a_terminal(folder, term, *words, keys=b""):
    """Run dstop on a terminal of its own; the keys are pressed once a GPU is on the screen."""
    main, side = os.openpty()
    fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 160, 0, 0))
    root = str(Path(__file__).parents[2])
    environ = {**os.environ, "TERM": term, "PYTHONPATH": root, "XDG_CONFIG_HOME": str(folder)}
    with subprocess.Popen(
        [sys.executable, "-m", "dstop", *words], env=environ, stdin=side, stdout=side, stderr=side
    ) as child:
        os.close(side)
        said = b""
        while True:
            try:
                piece = os.read(main, 65536)
            except OSError:  # the other end is closed
                break
            said += piece
            if keys and b"?2004h" in said and b"H100" in said:  # Textual listens, and a frame was drawn
                os.write(main, keys)
                keys = b""
        code = child.wait(60)
    os.close(main)
    return code, said


def test_a_dumb_terminal_gets_one_sample(tmp_path):
    """On a terminal without a cursor, `dstop demo` prints a sample without colour and stops."""
    code, said = _on_a_terminal(tmp_path, "dumb", "demo", "--gpus", "1")
    assert code == 0
    assert b"H100" in said
    assert b"\x1b" not in said


def test_a_terminal_gets_the_screen_until_q(tmp_path):
    """On a real terminal the live screen comes, with the filter that was typed, and q leaves it."""
    code, said = _on_a_terminal(tmp_path, "xterm-256color", "demo", "-f", "user:deepa", keys=b"q")
    assert code == 0
    assert b"user:deepa" in said
    assert b"Traceback" not in said


def test_a_gpu_that_is_not_there_ends_the_screen_with_one_line(tmp_path):
    """A mistake that only the first reading can find is told as one line, on a terminal too."""
    code, said = _on_a_terminal(tmp_path, "xterm-256color", "demo", "--gpus", "1", "-o", "9")
    assert code == 2
    assert said.startswith(b"dstop: --only: no GPU '9'")
    assert said.count(b"\n") == 1


def test_the_users_own_columns(dstop, machine, monkeypatch):
    """A configured table has those columns alone; one that does not exist is named."""
    machine(make_sample(1, 1))
    monkeypatch.setenv("DSTOP_COLUMNS", "pid,mem")
    said = dstop("--once")
    assert said.code == 0
    header = next(line for line in said.out.splitlines() if "PID" in line)
    assert header.split() == ["PID", "MEM"]
    monkeypatch.setenv("DSTOP_COLUMNS", "pid,nonsense")
    said = dstop("--once")
    assert said.code == 2
    assert "'nonsense'" in said.err
