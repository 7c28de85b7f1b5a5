"""The end of a command's output."""

from __future__ import annotations

import random

import pytest

from dstop.pytorch.run.tail import Tail


def _filled(pieces, lines=200, **bounds):
    tail = Tail(lines, **bounds)
    for piece in pieces:
        tail.add(piece)
    return tail.lines()


def test_nothing_written_is_no_lines():
    """An empty output has no lines, not an empty one."""
    assert _filled([]) == ()


def test_the_last_lines_are_kept_and_an_unfinished_one_counts():
    """Of many lines the newest are kept, as `tail` gives them."""
    assert _filled([b"one\ntwo\nthr", b"ee\nfour"], lines=3) == ("two", "three", "four")


@pytest.mark.parametrize("seed", range(5))
def test_it_is_what_tail_would_give_however_the_pieces_fall(seed):
    """Cut anywhere, text of any length ends in the same lines."""
    rng = random.Random(seed)  # noqa: S311 - pieces of text
    lines = [f"line {number} " + "x" * rng.randrange(120) for number in range(20_000)]
    data = "\n".join(lines).encode()
    pieces, at = [], 0
    while at < len(data):
        size = rng.randrange(1, 70_000)
        pieces.append(data[at : at + size])
        at += size
    assert _filled(pieces) == tuple(lines[-200:])


def test_a_progress_bar_is_the_line_that_stood_last():
    """Thousands of rewritten lines are one, and do not push out what was written before."""
    bar = [f"\r{number:6d}/100000 [{'#' * 80}]".encode() for number in range(20_000)]
    assert _filled([b"epoch 1\n", *bar, b"\ndone\n"]) == (
        "epoch 1",
        f"{19_999:6d}/100000 [{'#' * 80}]",
        "done",
    )


def test_line_ends_of_windows_and_colours_go():
    """What a terminal would not show as text is not kept."""
    assert _filled([b"\x1b[31mred\x1b[0m\r\n\x1b]0;title\x07plain\r\n"]) == ("red", "plain")


def test_one_endless_line_is_bounded():
    """Bytes without any line end take no more than their bound."""
    lines = _filled([bytes(65_536)] * 100)
    assert len(lines) == 1
    assert len(lines[0]) <= 4096


def test_long_lines_stay_within_the_bound_together():
    """Two hundred lines of a megabyte each do not make an incident of 200 MB."""
    told = _filled([b"y" * (1 << 20) + b"\n"] * 30, most_bytes=64 << 10)
    assert sum(len(line) for line in told) <= 64 << 10
    assert told[-1].endswith("yyy")


def test_bytes_that_are_no_text_do_no_harm():
    """Whatever a program writes, there are lines in the end."""
    assert _filled([b"\xff\xfe\n"]) == ("��",)
