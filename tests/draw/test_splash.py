"""The first frame as escape codes."""

from __future__ import annotations

import re

from dstop.draw.palette import PALETTES, theme_for
from dstop.draw.splash import ENTER, painted

LINES = [(("eight ", ""), ("cards", "title")), (("a row", "other"), (" ", ""))]
CODES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def test_the_text_is_that_of_the_lines() -> None:
    """Without its codes the picture is what was drawn."""
    text = painted(LINES, "dark", {"COLORTERM": "truecolor"})
    assert text.startswith(ENTER)
    assert CODES.sub("", text) == "eight cards\r\na row "


def test_every_role_of_every_theme_has_a_look() -> None:
    """No theme forgets a role that another has."""
    for palette in PALETTES.values():
        assert set(palette) == set(PALETTES["dark"])


def test_a_terminal_without_truecolor_gets_the_256() -> None:
    """24-bit codes are sent only where they are understood."""
    assert "38;2;" in painted(LINES, "dark", {"COLORTERM": "truecolor"})
    plain = painted(LINES, "dark", {})
    assert "38;2;" not in plain
    assert "38;5;" in plain


def test_mono_sends_no_colour() -> None:
    """NO_COLOR is honoured from the first byte."""
    text = painted(LINES, theme_for("auto", {"NO_COLOR": "1"}), {"COLORTERM": "truecolor"})
    assert "38;" not in text
    assert "48;" not in text


def test_the_cursors_row_is_marked() -> None:
    """As on the screen that follows."""
    assert painted(LINES, "dark", {}, marked=1) != painted(LINES, "dark", {}, marked=0)


def test_ascii_is_ascii() -> None:
    """Also in the first tenth of a second."""
    assert painted([(("█▒░─ 54°C", ""),)], "dark", {}, ascii_only=True).isascii()


def test_the_theme_follows_the_terminals_background() -> None:
    """A light terminal gets the light theme unless another was asked for."""
    assert theme_for("auto", {"COLORFGBG": "0;15"}) == "light"
    assert theme_for("auto", {"COLORFGBG": "15;0"}) == "dark"
    assert theme_for("auto", {"COLORFGBG": "nonsense"}) == "dark"
    assert theme_for("mono", {"COLORFGBG": "0;15"}) == "mono"
