"""Text that comes from outside, made to fit cells."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from dstop.draw.ascii import ascii_text
from dstop.draw.line import cells, clean, crop, fit, fit_line, line_cells, spread
from dstop.testing import hostile_text

WIDTHS = st.integers(0, 120)


@given(hostile_text())
def test_cells_are_those_the_terminal_counts(text: str) -> None:
    """Our quick count is rich's count."""
    assert cells(clean(text)) == cell_len(clean(text))


@given(hostile_text(), WIDTHS, st.booleans())
def test_a_fitted_text_is_exactly_as_wide(text: str, width: int, right: bool) -> None:
    """Whatever the text, a column stays a column."""
    assert cells(fit(clean(text), width, right=right)) == width


@given(hostile_text(), WIDTHS)
def test_a_cropped_text_is_a_beginning(text: str, width: int) -> None:
    """Cropping takes from the end only, and never leaves too much."""
    cleaned = clean(text)
    short = crop(cleaned, width)
    assert cleaned.startswith(short)
    assert cells(short) <= width


@given(hostile_text())
def test_clean_text_cannot_steer_a_terminal(text: str) -> None:
    """No control character and no bidirectional override is left."""
    for char in clean(text):
        assert ord(char) >= 32
        assert not 0x7F <= ord(char) < 0xA0
        assert char not in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200b\ufeff"


@given(st.lists(st.tuples(hostile_text().map(clean), st.just("")), max_size=5), WIDTHS)
def test_a_fitted_line_is_exactly_as_wide(spans: list[tuple[str, str]], width: int) -> None:
    """Lines are cut within a span or padded."""
    assert line_cells(fit_line(tuple(spans), width)) == width


@given(hostile_text())
def test_ascii_takes_as_many_cells(text: str) -> None:
    """A terminal without Unicode sees the same columns."""
    cleaned = clean(text)
    shown = ascii_text(cleaned)
    assert shown.isascii()
    assert len(shown) == sum(cells(char) for char in cleaned)


def test_the_right_part_gives_way() -> None:
    """Where both ends do not fit, the left one stays."""
    assert (
        "".join(text for text, _ in spread((("left", ""),), (("right", ""),), 20)) == "left           right"
    )
    assert "".join(text for text, _ in spread((("left", ""),), (("right", ""),), 6)) == "left  "
