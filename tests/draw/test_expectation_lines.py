"""What a process should hold, as lines: every part, every reason, whatever the width."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dstop.draw.ascii import ascii_line
from dstop.draw.expectation_lines import expectation_lines, unknown_lines
from dstop.draw.line import line_cells, plain
from dstop.draw.memory_bar import Holding, holdings, memory_bar
from dstop.model.footprint import Cause, PartComparison
from dstop.testing import make_expectation, make_gpu, make_process
from dstop.units import GIB

PARTS = (
    PartComparison(part="weights", expected_bytes=15 * GIB, live_bytes=30 * GIB),
    PartComparison(part="kv_cache", expected_bytes=20 * GIB, live_bytes=None, reason="not told apart"),
    PartComparison(part="workspace", expected_bytes=GIB, live_bytes=None, reason="not told apart"),
    PartComparison(part="activations", expected_bytes=None, live_bytes=None, reason="batch is not known"),
    PartComparison(part="total", expected_bytes=36 * GIB, live_bytes=52 * GIB),
)
CAUSE = Cause(
    name="fp32_states", says="weights: 30.0G instead of 15.0G", bytes=15 * GIB, confidence="certain"
)
ABOVE = make_expectation(
    34 * GIB, 36 * GIB, 38 * GIB, live=52 * GIB, parts=PARTS, causes=(CAUSE,), unexplained_bytes=GIB,
    tier="DeepSeek-Pro",
)  # fmt: skip


def _text(should, width=100, **values):
    return "\n".join(plain(line).rstrip() for line in expectation_lines(should, width, **values))


def test_the_section_says_what_it_is_what_it_holds_and_why():
    """Model, verdict with the band, every part with both figures, the cause with its bytes and what is left."""
    text = _text(ABOVE)
    assert "what it should hold: Llama-3.1-8B · 8.03B parameters · inference · tier DeepSeek-Pro" in text
    assert "holds 52.0G of 34.0G–38.0G, likeliest 36.0G: more than expected" in text
    assert "weights            15.0G    30.0G     +15.0G" in text
    assert "+15.0G  certain weights: 30.0G instead of 15.0G" in text
    assert "+1.0G  of it is not explained" in text
    assert "known from catalog: model; command line: phase" in text


def test_a_reason_that_repeats_is_said_once():
    """Eight times the same sentence hides the figures."""
    assert _text(ABOVE).count("not told apart") == 1


def test_a_floor_says_that_it_is_one():
    """Where a part is unknown nothing is likeliest, and holding more is no surprise."""
    floor = make_expectation(
        20 * GIB, 21 * GIB, None, live=52 * GIB, parts=PARTS, unknown={"activations": "batch is not known"}
    )
    text = _text(floor)
    assert "holds 52.0G of at least 21.0G (batch is not known): at least as expected" in text
    assert "likeliest" not in text


def test_a_tier_has_a_range_and_no_parts():
    """The guide's range is no arithmetic: no bar and no table pretend that it is."""
    text = _text(make_expectation(24 * GIB, None, 48 * GIB, live=52 * GIB, model="DeepSeek-Pro"))
    assert "DeepSeek-Pro, by the sizing guide" in text
    assert "holds 52.0G of 24.0G–48.0G: more than expected" in text
    assert "EXPECTED" not in text


def test_why_nothing_is_expected_is_a_sentence():
    """The reason of the monitor stands where the table would."""
    lines = unknown_lines("what model this is, is not known: \x1b[31mred", 80)
    assert "what model this is, is not known" in plain(lines[1])
    assert "\x1b" not in plain(lines[1])


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 220), st.sampled_from([None, 80 * GIB, 1]), st.booleans())
def test_every_line_is_as_wide_as_asked(width, card, as_ascii):
    """No width, and no card that is smaller than what is expected, breaks a line."""
    for line in expectation_lines(ABOVE, width, card):
        assert line_cells(line) == width
        if as_ascii:
            assert plain(ascii_line(line)).isascii()


def test_every_verdict_has_a_word():
    """Colour is never the only sign."""
    for live, word in ((36, "as expected"), (20, "less than expected"), (52, "more than expected")):
        assert word in _text(make_expectation(34 * GIB, 36 * GIB, 38 * GIB, live=live * GIB))
    assert "nothing to hold it against" in _text(make_expectation(34 * GIB, 36 * GIB, 38 * GIB))


# ---- The mark in the bar of a card ------------------------------------------------------------------------------


def _card(used):
    return make_gpu(memory_total_bytes=80 * GIB, memory_used_bytes=used * GIB, memory_reserved_bytes=0)


def test_what_is_over_is_marked_where_it_should_have_ended():
    """A process of 60 that should be 40 has a mark at half of a card of 80."""
    text = plain(memory_bar(_card(60), [Holding(60 * GIB, expected_bytes=40 * GIB)], 80))
    assert text.index("┃") == 40
    assert len(text) == 80


def test_what_is_still_to_come_stands_in_what_is_free():
    """A process of 20 that should be 40 casts a shadow of 20."""
    text = plain(memory_bar(_card(20), [Holding(20 * GIB, expected_bytes=40 * GIB)], 80))
    assert text == "▇" * 20 + "╌" * 20 + "─" * 40


def test_one_that_is_as_expected_or_half_known_has_no_mark():
    """Within the band there is nothing to point at, and a floor is no end."""
    for should in (
        None,
        make_expectation(39 * GIB, 40 * GIB, 61 * GIB, live=60 * GIB),
        make_expectation(
            39 * GIB, 40 * GIB, None, live=60 * GIB, unknown={"activations": "batch is not known"}
        ),
    ):
        row = make_process(gpu_memory_bytes=60 * GIB, expectation=should)
        assert holdings([row])[0].expected_bytes is None
    over = make_process(
        gpu_memory_bytes=60 * GIB, expectation=make_expectation(39 * GIB, 40 * GIB, 41 * GIB, live=60 * GIB)
    )
    assert holdings([over])[0].expected_bytes == 40 * GIB


@pytest.mark.parametrize("width", [0, 1, 3, 80], ids=str)
@settings(deadline=None, max_examples=80)
@given(held=st.lists(st.tuples(st.integers(0, 90 * GIB), st.none() | st.integers(0, 2**62)), max_size=20))
def test_a_marked_bar_is_as_wide_as_asked(width, held):
    """Whatever is expected of whom, and however much of it there is."""
    bar = memory_bar(_card(70), [Holding(total, expected_bytes=should) for total, should in held], width)
    assert line_cells(bar) == width
