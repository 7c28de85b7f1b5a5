"""What is live at a moment: shares that say how sure they are, sites under the reader's own line."""

from __future__ import annotations

import unicodedata
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dstop.draw.ascii import ascii_text
from dstop.draw.category_bar import (
    CHARS,
    category_bar,
    category_legend,
    category_table,
    most_sureness,
    role_of,
    sureness,
)
from dstop.draw.line import line_cells, plain
from dstop.draw.moment_view import Seen, moment_view_lines, room_of
from dstop.draw.palette import ANSI, PALETTES
from dstop.draw.recording_help import MEANINGS, recording_help_lines
from dstop.draw.site_uses import matching, site_use_line, stack_lines
from dstop.draw.timeline import Marks, graph_width
from dstop.model.segment import Place
from dstop.model.study import CATEGORIES, Share, SiteUse
from dstop.snapshot.study import DeviceStudy
from dstop.testing.build_snapshot import PLACES, short_story
from dstop.units import GIB, MIB

FIT = Place("/home/ann/train.py", 31, "fit")
SITE = SiteUse(
    size_bytes=3 * GIB,
    blocks=12,
    category="activations",
    confidence="likely",
    places=(Place("/usr/lib/python3/dist-packages/torch/nn/functional.py", 2290, "linear"), FIT),
    own=FIT,
)
WIDTHS = st.integers(1, 220)


def test_no_category_is_told_by_colour_alone():
    """Each has a character of its own, also in ASCII, a colour in every theme and a meaning in the help."""
    assert set(CHARS) == set(CATEGORIES) == set(MEANINGS)
    assert len(set(CHARS.values())) == len(CATEGORIES)
    assert len({ascii_text(char) for char in CHARS.values()}) == len(CATEGORIES)
    for palette in (*PALETTES.values(), ANSI):
        assert {role_of(name) for name in CATEGORIES} <= set(palette)


@pytest.mark.parametrize(
    ("exact", "likely", "text", "word"),
    [
        (1000, 0, "exact", "exact"),
        (0, 1000, "likely", "likely"),
        (0, 0, "possible", "possible"),
        (600, 300, "60% exact, 30% likely, 10% possible", "~exact"),
        (0, 300, "30% likely, 70% possible", "~possible"),
        (0, 999, "99% likely, 1% possible", "~likely"),
    ],
)
def test_a_share_says_how_sure_it_is(exact, likely, text, word):
    """One word where all of it is the same, else its parts, the surest first; none of them is 0% or 100%."""
    share = Share("parameters", 1000, 1, exact, likely)
    assert (sureness(share), most_sureness(share)) == (text, word)


@given(WIDTHS, st.lists(st.sampled_from(CATEGORIES), unique=True), st.integers(0, 1 << 60))
def test_legend_and_table_have_their_cells(width, names, size):
    """At any width, for any categories and any bytes."""
    moment = DeviceStudy(short_story(), 0).moment(0)
    shares = tuple(Share(name, size, 7, size // 2, 0) for name in CATEGORIES if name in names)
    moment = replace(moment, shares=shares, live_bytes=size * len(shares), reserved_bytes=size)
    for line in (
        *category_legend(shares, moment.live_bytes, width),
        *category_table(moment, width),
        category_bar(moment, width),
    ):
        assert line_cells(line) == width


def test_the_bar_leaves_open_what_is_reserved_and_not_live():
    """The open end is the cached part."""
    study = DeviceStudy(short_story(), 0)
    moment = study.moment(study.peak)
    bar = plain(category_bar(moment, 128))
    assert moment.reserved_bytes == 128 * MIB
    assert bar.count("─") == (moment.reserved_bytes - moment.live_bytes) // MIB


def test_a_site_is_named_by_the_own_line_and_the_library_function_it_was_in():
    """One line of the reader's may call many functions."""
    text = plain(site_use_line(SITE, 6 * GIB, 120))
    assert "3.0G" in text
    assert "50%" in text
    assert "/home/ann/train.py:31 fit  in functional.linear" in text
    assert "train.py:31 fit" in plain(site_use_line(SITE, 6 * GIB, 50))


def test_a_site_that_the_process_named_begins_with_its_largest_tensor():
    """And says how many more there are."""
    site = replace(SITE, name="exp_avg of 0.weight")
    assert "exp_avg of 0.weight +11  /home/ann/train.py:31 fit" in plain(site_use_line(site, 6 * GIB, 140))
    assert "exp_avg of 0.weight  /home" in plain(site_use_line(replace(site, blocks=1), 6 * GIB, 140))


def test_a_stack_without_python_names_the_function_that_is_not_the_allocators():
    """What the allocator calls itself says nothing."""
    site = replace(SITE, places=PLACES[3], own=PLACES[3][0])
    assert "C++: at::native::add" in plain(site_use_line(site, 6 * GIB, 120))
    inner = (Place("??", 0, "torch::unwind::unwind()"),)
    assert "C++: torch::unwind" in plain(site_use_line(replace(site, places=inner, own=inner[0]), 0, 120))


def test_a_site_without_a_stack_says_so():
    """In the line and unfolded."""
    site = replace(SITE, places=(), own=None)
    assert "no stack was recorded" in plain(site_use_line(site, 0, 120))
    assert "no stack was recorded" in plain(stack_lines(site, 80)[0])


def test_a_whole_stack_marks_the_own_line():
    """Innermost first; a stack of thousands is cut, and says so."""
    lines = [plain(line) for line in stack_lines(SITE, 80)]
    assert [line[4] for line in lines] == [" ", "▸"]
    deep = replace(SITE, places=(FIT,) * 1000)
    assert "800 more callers" in plain(stack_lines(deep, 80)[-1])


@given(st.text(max_size=30), st.text(max_size=30), st.integers(0, 1 << 62), WIDTHS)
def test_no_name_breaks_a_line(file, function, line, width):
    """Whatever a snapshot calls its files, a line has its cells and no control character."""
    place = Place(file, line, function)
    site = replace(SITE, places=(place,), own=place, name=function)
    for drawn in (site_use_line(site, 1, width), *stack_lines(site, width)):
        assert line_cells(drawn) == width
        assert not any(unicodedata.category(char) in {"Cc", "Cf", "Cs", "Zl", "Zp"} for char in plain(drawn))


def test_a_filter_finds_places_names_and_categories_in_whatever_case():
    """Also in the middle of a stack, and the word for how sure it is."""
    for text in ("TRAIN.py:31", "linear", "activ", "likely", " "):
        assert matching((SITE,), text) == (SITE,)
    assert matching((SITE,), "attention") == ()


@given(st.integers(1, 220), st.integers(1, 70), st.integers(0, 10), st.booleans())
def test_everybody_gets_room_and_nobody_too_much(width, height, shares, fails):
    """Graph, categories and sites together are not higher than the screen once it has a usual size."""
    room = room_of(shares, width, height, extra=fails)
    assert room.sites == max(0, height - room.sites_top)
    assert room.graph <= height
    if height >= 22:
        assert room.graph >= 5
    if height >= 40:
        assert room.sites >= 4


@given(st.integers(1, 220), st.integers(1, 70), st.integers(0, 120))
def test_the_view_has_its_size(width, height, position):
    """Any terminal, any moment, with or without a failure."""
    study = DeviceStudy(short_story(fails=True), 0)
    failure = study.failures[0] if position % 2 else None
    moment = study.moment(position)
    room = room_of(len(moment.shares), width, height, extra=failure is not None)
    sites = [((" " * (width - room.sites_left), ""),)] * room.sites
    seen = Seen(
        curve=study.curve(graph_width(width)), marks=Marks(peak=study.peak), moment=moment, failure=failure
    )
    lines = moment_view_lines(seen, sites, width, height)
    assert len(lines) <= height
    assert {line_cells(line) for line in lines} <= {width}


@pytest.mark.parametrize("width", [20, 80, 200])
def test_the_help_fits(width):
    """Every line of it, in one column, two and three."""
    assert {line_cells(line) for line in recording_help_lines(width)} == {width}
