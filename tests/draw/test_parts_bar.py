"""The parts of a footprint as a bar and a table."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dstop.draw.ascii import ascii_text
from dstop.draw.line import line_cells, plain
from dstop.draw.parts_bar import LOOKS, TITLES, band_line, parts_bar, parts_table
from dstop.model.footprint import PARTS, Parts

GIB = 2**30
PARTS_OF = st.builds(Parts, **{f"{part}_bytes": st.integers(0, 2**45) for part in PARTS})


def test_every_part_has_a_look_and_a_name_of_its_own():
    """Without colours, and without anything but ASCII, no two parts look alike."""
    assert tuple(LOOKS) == PARTS == tuple(TITLES)
    assert len({char for char, _ in LOOKS.values()}) == len(PARTS)
    assert len({ascii_text(char) for char, _ in LOOKS.values()}) == len(PARTS)


@given(PARTS_OF, st.integers(0, 200), st.none() | st.integers(0, 2**46))
def test_a_bar_is_as_wide_as_it_should_be(parts, width, whole):
    """Whatever the parts are, the bar fills its cells and no more."""
    assert line_cells(parts_bar(parts, width, whole)) == width


@given(PARTS_OF, st.integers(40, 200))
def test_a_table_names_each_part_that_is_there(parts, width):
    """A line for each part with bytes, none for the others, each as wide as it should be."""
    lines = parts_table(parts, width, {"weights": "16 bits each"})
    named = [part for part, amount in parts.by_part().items() if amount]
    assert [line_cells(line) for line in lines] == [width] * len(named)
    assert all(TITLES[part] in plain(line) for part, line in zip(named, lines, strict=True))


def test_a_small_part_is_seen():
    """Half a gigabyte beside seventy still has a cell."""
    bar = plain(parts_bar(Parts(weights_bytes=70 * GIB, context_bytes=GIB // 2), 40, 80 * GIB))
    assert LOOKS["context"][0] in bar


def test_the_band_is_under_the_bar():
    """Low, expected and high stand where the bar has them; the end of the card is marked when it is inside."""
    line = plain(band_line((10 * GIB, 20 * GIB, 30 * GIB), 40 * GIB, 40))
    assert (line.index("├"), line.index("┼"), line.index("┤")) == (9, 19, 29)
    short = plain(band_line((10 * GIB, 20 * GIB, 50 * GIB), 40 * GIB, 40, 25 * GIB))
    assert short[24] == "▲"
    assert short.endswith("→")


@given(st.lists(st.integers(0, 2**45), min_size=3, max_size=3), st.integers(1, 2**45), st.integers(0, 120))
def test_a_band_never_leaves_its_line(values, whole, width):
    """Any band in any width is exactly that wide."""
    low, expected, high = sorted(values)
    assert line_cells(band_line((low, expected, high), whole, width, whole // 2)) == width
