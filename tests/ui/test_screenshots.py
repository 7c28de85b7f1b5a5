"""The pictures of the README are what the program draws now, and open without a network."""

from __future__ import annotations

import html
import re
from pathlib import Path

import pytest
from draw import ALSO_PNG, SHOWN, svg_of
from hypothesis import given
from hypothesis import strategies as st
from pictures import BY_NAME
from shapes import WIDE, with_shapes

FOLDER = Path(__file__).parents[2] / "screenshots"
MOST_BYTES = 3_000_000
DRAWN = "█▊▏▒░▓▃─│├└⣿⡇⠁"
CELLS = st.text(st.sampled_from(DRAWN + "ab&<> \xa0…▲"), min_size=1, max_size=30)


@pytest.mark.parametrize("name", SHOWN)
def test_a_picture_is_what_the_program_draws_now(name):
    """`python screenshots/draw.py` would change nothing."""
    assert (FOLDER / f"{name}.svg").read_text(encoding="utf-8") == svg_of(BY_NAME[SHOWN[name]])


def test_there_is_no_picture_that_nobody_draws():
    """Every SVG has its entry, every PNG its SVG, and together they are small."""
    assert {path.stem for path in FOLDER.glob("*.svg")} == set(SHOWN)
    assert {path.stem for path in FOLDER.glob("*.png")} <= set(ALSO_PNG)
    assert (
        sum(path.stat().st_size for path in FOLDER.iterdir() if path.suffix in {".svg", ".png"}) < MOST_BYTES
    )


@pytest.mark.parametrize(
    "folder", [FOLDER, Path(__file__).parent / "__snapshots__"], ids=["shown", "accepted"]
)
def test_no_picture_names_an_address(folder):
    """Fonts are those that the reader has; the one address is the name of SVG itself."""
    pictures = list(folder.rglob("*.svg"))
    assert pictures
    for path in pictures:
        assert set(re.findall(r"\w+://[^\"'\s)]+", path.read_text(encoding="utf-8"))) == {
            "http://www.w3.org/2000/svg"
        }


def _svg(cells):
    shown = html.escape(cells, quote=False).replace(" ", "&#160;")
    text = (
        f'<text class="r1" x="0" y="20" textLength="{len(cells) * WIDE}" clip-path="url(#c)">{shown}</text>'
    )
    return f"<svg><style></style><defs></defs>{text}</svg>"


@given(CELLS)
def test_words_stay_words_in_their_place(cells):
    """What is not a drawing is still text, each run at the cell it was in, and no drawing is left as text."""
    found = re.findall(
        r'<text class="r1" x="([\d.]+)" y="20" textLength="[\d.]+">(.*?)</text>', with_shapes(_svg(cells))
    )
    row = [" "] * len(cells)
    for x, text in found:
        for place, char in enumerate(html.unescape(text)):
            row[round(float(x) / WIDE) + place] = char.replace("\xa0", " ")
    expected = "".join(" " if char in DRAWN else char for char in cells.replace("\xa0", " "))
    assert "".join(row) == expected


@given(st.integers(1, 60))
def test_a_full_bar_is_one_rectangle(count):
    """As wide as its cells: no seams, no gaps."""
    found = re.findall(
        r'<rect class="r1" x="0" y="1.5" width="([\d.]+)" height="24.4"/>', with_shapes(_svg("█" * count))
    )
    assert [float(width) for width in found] == [pytest.approx(count * WIDE)]


def test_a_braille_cell_has_its_dots():
    """Each bit of the character is one dot, where Unicode has it."""
    svg = with_shapes(_svg("⠁⣿"))
    assert svg.count("<use ") == 2
    dots = dict(re.findall(r'<path id="d([0-9a-f]+)" d="([^"]+)"', svg))
    assert {code: path.count("M") for code, path in dots.items()} == {"2801": 1, "28ff": 8}
