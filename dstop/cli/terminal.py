"""What the terminal, or the pipe in its place, can show."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from dstop.errors import DstopError

if TYPE_CHECKING:
    from collections.abc import Mapping

PIPE_CELLS = 160
"""Width of text for a pipe: room for every column that most servers fill."""

WIDEST_CELLS = 1000


class ReaderGoneError(Exception):
    """Whoever read our output has had enough: `dstop --json -i 1 | head`."""


class StoppedError(Exception):
    """The user pressed Ctrl-C."""


def use_color(choice: str, environ: Mapping[str, str], *, is_terminal: bool) -> bool:
    """Decide on colour: what was chosen, then NO_COLOR, FORCE_COLOR and TERM, then whether anyone looks.

    Sources: no-color.org and force-color.org; a choice by flag or file wins over both.
    """
    if choice != "auto":
        return choice == "always"
    if environ.get("NO_COLOR"):
        return False
    if environ.get("FORCE_COLOR"):
        return True
    return is_terminal and environ.get("TERM", "") not in {"", "dumb"}


def can_be_live(environ: Mapping[str, str]) -> bool:
    """Whether a screen can be drawn and keys read: both ends are terminals, and not dumb ones, or a browser's tab."""
    if in_browser(environ):
        return True
    return is_terminal(sys.stdin) and is_terminal(sys.stdout) and environ.get("TERM", "dumb") != "dumb"


def in_browser(environ: Mapping[str, str]) -> bool:
    """Whether a browser's tab is at the other end of the pipes: textual-serve then names Textual's driver for it."""
    return environ.get("TEXTUAL_DRIVER") == "textual.drivers.web_driver:WebDriver"


def is_terminal(stream: object) -> bool:
    """Whether a standard stream is there and is a terminal."""
    isatty = getattr(stream, "isatty", None)
    try:
        return bool(isatty and isatty())
    except ValueError:  # closed
        return False


def width(environ: Mapping[str, str]) -> int:
    """Give the cells of a line: COLUMNS, else the terminal's, else `PIPE_CELLS`."""
    asked = environ.get("COLUMNS", "")
    if asked.isascii() and asked.isdigit() and len(asked) <= 6 and int(asked) > 0:  # noqa: PLR2004 - a sane number
        return min(int(asked), WIDEST_CELLS)
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or PIPE_CELLS
    except (OSError, ValueError, AttributeError):
        return PIPE_CELLS


def speaks_unicode() -> bool:
    """Whether the output's encoding has more than ASCII."""
    return "utf" in (getattr(sys.stdout, "encoding", None) or "").lower()


def write(data: bytes) -> None:
    """Write to standard output at once.

    Raises:
        ReaderGoneError: when the pipe's reader has gone.
        DstopError: when it cannot be written for another reason, such as a full disk.
    """
    out = sys.stdout
    if out is None:
        raise DstopError("there is no standard output", fix="do not close it")
    try:
        out.buffer.write(data)
        out.buffer.flush()
    except BrokenPipeError as error:
        raise ReaderGoneError from error
    except OSError as error:
        raise DstopError(f"cannot write the output: {error.strerror}", fix="check where it goes") from error


def let_go() -> None:
    """Point standard output at nothing, so that the interpreter's own last flush cannot fail."""
    try:
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, sys.stdout.fileno())
    except (OSError, ValueError, AttributeError):
        return
