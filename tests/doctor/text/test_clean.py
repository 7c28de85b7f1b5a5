"""What becomes of a line: escape sequences, carriage returns, controls, and lines without end."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dstop.doctor.text.clean import MOST_BLANK_LINES, clean
from dstop.doctor.text.long_line import LONGEST_BYTES, whole_letters
from dstop.doctor.text.read import log_of_text


def _texts(text: str) -> list[str]:
    return [line.text for line in log_of_text(text).lines]


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"\x1b[31mCUDA\x1b[0m out of \x1b[1;4mmemory\x1b[m", "CUDA out of memory"),
        (b"\x1b]0;a title\x07text", "text"),
        (b"\x1b]8;;https://example.org\x1b\\link\x1b]8;;\x1b\\", "link"),
        (b"\x1b(Btext\x1b[2K\x1b[1A", "text"),
        (b"\x1b[38;2;1;2;3mtext", "text"),
        (b"a\tb\x07c\x7fd  ", "a b c d"),
        (b"T\0r\0a\0c\0e\0", "Trace"),
        ("50%|███▌".encode(), "50%|███▌"),
        (b"caf\xe9", "caf\ufffd"),
        (b"an end in \x1b[", "an end in"),
        (b"an end in \x1b", "an end in"),
        ("\u202eevil\u2028".encode(), " evil"),
    ],
)
def test_a_line_is_made_harmless(raw: bytes, text: str) -> None:
    """Colours, titles and links go; what does not print becomes a space."""
    assert clean(raw) == text


@given(st.binary(max_size=200))
def test_whatever_is_left_prints(raw: bytes) -> None:
    """No control reaches a terminal, and nothing is at a line's end."""
    text = clean(raw)
    assert text.isprintable()
    assert text == text.rstrip()


def test_of_a_progress_bar_the_last_state_is_kept() -> None:
    """What a terminal would show at last."""
    bar = "".join(
        f"\rEpoch 1: {k:3}%|{'#' * k}| {k}/100 [00:0{k % 10}<00:10, {k}.5it/s, loss=2.{k}]"
        for k in range(100)
    )
    (line,) = _texts(bar)
    assert line.startswith("Epoch 1:  99%|")


def test_an_error_in_the_middle_of_a_progress_bar_survives() -> None:
    """An error that shares its line with a bar is not overwritten, and has the line's number."""
    log = log_of_text(
        "first\n 1%| | 1/9\r 2%| | 2/9\rRuntimeError: CUDA error 2\r 3%| | 3/9\r 4%| | 4/9\nlast\n"
    )
    assert [(line.number, line.text) for line in log.lines] == [
        (1, "first"),
        (2, " 2%| | 2/9"),
        (2, "RuntimeError: CUDA error 2"),
        (2, " 4%| | 4/9"),
        (3, "last"),
    ]


def test_windows_line_ends_leave_nothing() -> None:
    """CRLF is a line's end; so are the backspaces by which Keras draws its bar."""
    assert _texts("a\r\n\r\nb\r\n") == ["a", "", "b"]
    assert _texts("\b\b\b\b1/9 [>   ]\b\b\b\b\b\b2/9 [=>  ]\n") == ["2/9 [=>  ]"]


def test_blank_lines_are_kept_up_to_a_number() -> None:
    """A million blank lines are no million values; the numbers of the others stay right."""
    log = log_of_text("a\n" + "\n" * 100_000 + "b")
    assert len(log.lines) == MOST_BLANK_LINES + 2
    assert log.lines[-1].number == log.total_lines == 100_002
    assert "99,992 blank lines" in log.notes[0]


def test_of_a_very_long_line_the_telling_words_are_kept() -> None:
    """One line of JSON may hold the whole log of a run."""
    middle = "x" * 300_000
    log = log_of_text(
        f'{{"begin": 1, "{middle}: CUDA out of memory. Tried to allocate 2.00 GiB{middle}", "end": 2}}\nnext'
    )
    together = "".join(line.text for line in log.lines)
    assert "CUDA out of memory. Tried to allocate 2.00 GiB" in together
    assert '{"begin": 1' in together
    assert '"end": 2}' in together
    assert len(together) < 4 * LONGEST_BYTES
    assert [line.number for line in log.lines] == [1, 1, 1, 2]
    assert log.notes == ("Of 1 very long line only what lies around telling words was read.",)


def test_pieces_of_a_long_line_are_no_progress_bar() -> None:
    """They may be alike up to the message that one of them holds."""
    record = '{"memory": 12, "step": 1} ' * 3000
    log = log_of_text(f"{record}CUDA out of memory{record}CUDA out of memory{record}")
    assert sum(line.text.count("CUDA out of memory") for line in log.lines) == 2


@given(st.text(alphabet="aé€😀", max_size=12), st.integers(0, 20), st.integers(0, 20))
def test_a_cut_leaves_whole_letters(text: str, start: int, end: int) -> None:
    """A cut through a letter of several bytes takes the rest of it off, and no whole letter."""
    data = text.encode()
    starts = [len(text[:index].encode()) for index in range(len(text) + 1)]
    inside = [at for at in starts if start <= at <= end]
    assert whole_letters(data[start:end]) == (data[inside[0] : inside[-1]] if inside else b"")
