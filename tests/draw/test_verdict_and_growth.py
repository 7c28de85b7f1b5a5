"""Would it have fitted, and what grows: in words, with the error beside the figure."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dstop.draw.growth_lines import growth_lines
from dstop.draw.line import line_cells, plain
from dstop.draw.verdict_lines import fidelity_lines, verdict_lines
from dstop.model.segment import Place
from dstop.model.study import Fidelity, Growth, SiteUse, Verdict
from dstop.units import GIB, MIB

VERDICT = Verdict(
    what="expandable segments",
    setting="PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True",
    fits=True,
    capacity_bytes=24 * GIB,
    peak_reserved_bytes=22 * GIB,
    peak_live_bytes=21 * GIB,
    short_bytes=0,
    headroom_bytes=2 * GIB,
    error_bytes=100 * MIB,
    until="the failed request",
    assumptions=("the weights were placed first",),
)
OWN = Place("/home/ann/train.py", 77, "train")
GROWTH = Growth(
    site=SiteUse(
        size_bytes=600 * MIB,
        blocks=6,
        category="unknown",
        confidence="possible",
        places=(Place("a.cpp", 1, "at::native::clone"), OWN),
        own=OWN,
    ),
    per_step_bytes=100 * MIB,
    steps=6,
    held_bytes=tuple(100 * MIB * step for step in range(1, 7)),
)


def text_of(lines):
    """Give the text of lines."""
    return "\n".join(plain(line).rstrip() for line in lines)


def test_a_verdict_has_its_word_its_peak_its_error_and_what_to_paste():
    """And what it rests on."""
    text = text_of(verdict_lines(VERDICT, 100))
    assert text.startswith(" fits ")
    for part in (
        "expandable segments",
        "22.0G of 24.0G",
        "2.0G to spare",
        "± 100M",
        "expandable_segments:True",
        "until the failed request",
        "the weights were placed first",
    ):
        assert part in text


def test_a_verdict_says_when_cached_memory_counts_as_spare():
    """Else the peak, the capacity and what is to spare would not add up."""
    words = "to spare with what is cached"
    assert words not in text_of(verdict_lines(VERDICT, 100))
    assert words in text_of(verdict_lines(replace(VERDICT, headroom_bytes=5 * GIB), 100))


def test_a_replay_that_nothing_was_held_against_claims_no_error():
    """Nought would be a figure that nobody measured."""
    text = text_of(verdict_lines(replace(VERDICT, error_bytes=None), 100))
    assert "± ?" in text
    assert "not checked" in text
    fidelity = Fidelity(requests=9, segment_events=0, worst_error=0.0, mean_error=0.0)
    told = text_of(fidelity_lines(fidelity, 100))
    assert "not checked" in told
    assert "exactly" not in told


def test_a_verdict_that_does_not_fit_says_by_how_much():
    """At the first request that finds no room."""
    verdict = replace(VERDICT, fits=False, short_bytes=3 * GIB, headroom_bytes=-3 * GIB)
    text = text_of(verdict_lines(verdict, 100))
    assert "does not fit" in text
    assert "3.0G short" in text


def test_a_verdict_without_a_capacity_compares_peaks_alone():
    """It claims neither."""
    verdict = replace(VERDICT, fits=None, capacity_bytes=None, headroom_bytes=None)
    lines = verdict_lines(verdict, 100)
    assert lines[0][0] == (" ?".ljust(14), "note")
    assert "capacity is not known" in text_of(lines)
    assert "to spare" not in text_of(lines)


@given(
    st.integers(1, 220),
    st.sampled_from([True, False, None]),
    st.tuples(
        st.integers(0, 1 << 45), st.integers(0, 1 << 45), st.one_of(st.none(), st.integers(0, 1 << 45))
    ),
    st.text(max_size=20),
)
def test_a_verdict_has_its_cells(width, fits, figures, text):
    """For any figures and any words."""
    reserved, short, capacity = figures
    verdict = replace(
        VERDICT,
        fits=fits,
        peak_reserved_bytes=reserved,
        short_bytes=short,
        capacity_bytes=capacity,
        headroom_bytes=None if capacity is None else capacity - reserved,
        what=text,
        assumptions=(text,),
    )
    assert {line_cells(line) for line in verdict_lines(verdict, width)} == {width}


@pytest.mark.parametrize(
    ("fidelity", "says"),
    [
        (Fidelity(requests=4_000, segment_events=70, worst_error=0.004, mean_error=0.001), "within 0.4%"),
        (Fidelity(requests=4_000, segment_events=70, worst_error=0.0, mean_error=0.0), "exactly"),
        (
            Fidelity(
                requests=0, segment_events=0, worst_error=0.0, mean_error=0.0, why_not="no events are in it"
            ),
            "no events are in it",
        ),
    ],
    ids=["near", "exact", "not at all"],
)
def test_the_replay_says_how_well_it_gives_the_recording(fidelity, says):
    """A verdict is worth as much as that."""
    assert says in text_of(fidelity_lines(fidelity, 200))


def test_a_leak_is_told_by_its_step_its_course_and_its_line():
    """And its stack, with C++ counted."""
    text = text_of(growth_lines([GROWTH], 6, 100))
    for part in (
        "1 site grows by 100M a step",
        "+100M a step",
        "600M in 6 blocks",
        "100M → 600M",
        "▸ /home/ann/train.py:77",
    ):
        assert part in text
    assert "and 1 C++ frame" in text


@pytest.mark.parametrize(
    ("steps", "says"), [(6, "nothing grows"), (1, "record several steps"), (0, "record several")]
)
def test_no_growth_is_no_claim_without_steps(steps, says):
    """What was not seen is not denied."""
    assert says in text_of(growth_lines([], steps, 200))


@given(st.integers(1, 220), st.lists(st.integers(0, 1 << 45), max_size=300))
def test_growth_has_its_cells(width, held):
    """For any course, of any length."""
    lines = growth_lines([replace(GROWTH, held_bytes=tuple(held))] * 2, 6, width)
    assert {line_cells(line) for line in lines} == {width}
