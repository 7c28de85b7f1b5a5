"""The strategies reach what they promise, and stay within the types."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import Phase, find, given, settings

from dstop.model.gpu import Gpu
from dstop.testing import broken_laws, frames, gpus, hostile_text, processes, samples

QUICK = settings(max_examples=2000, phases=[Phase.generate], database=None)
TEXTS = {
    "an escape": lambda text: "\x1b" in text,
    "a line break": lambda text: "\n" in text,
    "wide letters": lambda text: any(unicodedata.east_asian_width(letter) == "W" for letter in text),
    "right to left": lambda text: any(unicodedata.bidirectional(letter) in {"R", "AL"} for letter in text),
    "markup": lambda text: "[/bold]" in text,
    "great length": lambda text: len(text) > 1000,
    "nothing": lambda text: not text,
}
CARDS = {
    "an empty card": lambda gpu: gpu == Gpu(index=gpu.index),
    "a tombstone": lambda gpu: gpu.fault is not None,
    "a huge figure": lambda gpu: gpu.memory_used_bytes == 2**63 - 1,
    "a stale card": lambda gpu: gpu.stale_s > 0,
    "instances": lambda gpu: len(gpu.mig) > 1,
    "a total of zero": lambda gpu: gpu.memory_total_bytes == 0,
}


@pytest.mark.parametrize("what", TEXTS)
def test_texts_hold_what_breaks_faces(what: str):
    """Every kind of trouble that a terminal knows comes up among the texts."""
    assert TEXTS[what](find(hostile_text(), TEXTS[what], settings=QUICK))


@pytest.mark.parametrize("what", CARDS)
def test_cards_hold_what_breaks_faces(what: str):
    """Empty, lost, stale, huge and cut cards all come up."""
    assert CARDS[what](find(gpus(), CARDS[what], settings=QUICK))


def test_rows_come_without_a_host_view():
    """A process of which only the PID is known comes up."""
    row = find(
        processes(), lambda each: each.facts.command is None and each.rss_bytes is None, settings=QUICK
    )
    assert row.pid == row.facts.pid


@settings(max_examples=60, deadline=None)
@given(samples())
def test_samples_keep_their_keys(sample):
    """Cards are in order, rows are unique and on cards that are there, whatever else is wrong."""
    says = "\n".join(broken_laws(sample))
    assert "index order" not in says
    assert "once per" not in says
    assert "its GPU is in the sample" not in says


@settings(max_examples=40, deadline=None)
@given(frames(most_gpus=3, most_processes=2))
def test_frames_respect_the_size_that_was_asked_for(frame):
    """No more cards and rows than asked, histories only of cards that are there."""
    assert len(frame.sample.gpus) <= 3
    assert len(frame.sample.processes) <= 2
    assert set(frame.history) <= {gpu.index for gpu in frame.sample.gpus}
