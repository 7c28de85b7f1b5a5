"""The emulator that the fault matrix reads screens with: were it wrong, so were every verdict."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

_spec = importlib.util.spec_from_file_location(
    "bench_screen", Path(__file__).parents[2] / "benchmarks" / "screen.py"
)
assert _spec is not None
assert _spec.loader is not None
screen = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(screen)

CURSES = (
    b"\x1b[H \x1b[3;4H \x1b[2J \x1b[K \x1b[5b \x1b[2P \x1b[2@ \x1b[3X \x1b[2;3r \x1b[L \x1b[2M "
    b"\x1bM \x1b7 \x1b8 \x1b]0;title\x07 \x1b(B text \x1b[38;5;1m \x1b[?25l \x1bP+q\x1b\\ \x1b[ \x1b \xff"
).split(b" ")
PIECES = st.sampled_from([*CURSES, b"\r\n", b"\t", b"\b", "ä│⣿".encode()])


def shown(data: bytes, columns: int = 10, rows: int = 4) -> list[str]:
    """Give the screen after this was written."""
    terminal = screen.Screen(columns, rows)
    terminal.feed(data)
    return terminal.lines()


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"ab\r\ncd", ["ab", "cd", "", ""]),
        (b"\x1b[2;3Hxy\x1b[1;1Hz", ["z", "  xy", "", ""]),
        (b"1\r\n2\r\n3\r\n4\r\n5", ["2", "3", "4", "5"]),
        (b"abcdef\x1b[3G\x1b[K", ["ab", "", "", ""]),
        (b"abcdef\x1b[3G\x1b[1K", ["   def", "", "", ""]),
        (b"abcdef\x1b[2G\x1b[2P", ["adef", "", "", ""]),
        (b"abcdef\x1b[2G\x1b[2@", ["a  bcdef", "", "", ""]),
        (b"abcdef\x1b[2G\x1b[2X", ["a  def", "", "", ""]),
        (b"x\x1b[4b", ["xxxxx", "", "", ""]),
        (b"a\r\nb\r\nc\x1b[1;1H\x1b[L", ["", "a", "b", "c"]),
        (b"a\r\nb\r\nc\x1b[1;1H\x1b[M", ["b", "c", "", ""]),
        (b"a\r\nb\r\nc\r\nd\x1b[2;3r\x1b[3;1H\nz", ["a", "c", "z", "d"]),
        (b"a\x1b[1;1H\x1bMb", ["b", "a", "", ""]),
        (b"\x1b]0;a title\x07\x1b[31mred\x1b[0m", ["red", "", "", ""]),
        (b"12345678901", ["1234567890", "1", "", ""]),
        (b"gone\x1b[2J\x1b[H", ["", "", "", ""]),
        ("│⣿│".encode(), ["│⣿│", "", "", ""]),
    ],
)
def test_sequences_do_what_a_terminal_does(data, lines):
    """Each sequence that curses and Textual write leaves the cells a terminal would show."""
    assert shown(data) == lines


@given(st.lists(PIECES, max_size=30), st.integers(1, 7))
def test_it_does_not_matter_how_output_is_cut(pieces, size):
    """A sequence or a character cut in two by a read is drawn as if it had come whole."""
    data = b"".join(pieces)
    terminal = screen.Screen(10, 4)
    for start in range(0, len(data), size):
        terminal.feed(data[start : start + size])
    assert terminal.lines() == shown(data)


@given(st.binary(max_size=300), st.integers(1, 20), st.integers(1, 6))
def test_no_bytes_break_it(data, columns, rows):
    """Whatever is written, the screen keeps its size."""
    lines = shown(data, columns, rows)
    assert len(lines) == rows
    assert all(len(line) <= columns for line in lines)
