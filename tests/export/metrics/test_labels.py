"""Labels: whatever a command line holds, a label is short, on one line, and read back as it was written."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from dstop.export.metrics.labels import MOST_CHARS, labels, word
from dstop.testing import hostile_text

TEXTS = hostile_text() | st.text(max_size=100) | st.text('\\"\n{},=# ', max_size=20)


@given(TEXTS)
def test_a_word_is_short_and_harmless(text):
    """At most so many characters, none of which moves a cursor, ends a line or is half a letter."""
    found = word(text)
    assert len(found) <= MOST_CHARS
    assert not any(unicodedata.category(char) in {"Cc", "Cs", "Zl", "Zp"} for char in found)
    found.encode()


@given(st.tuples(TEXTS, TEXTS))
def test_labels_are_read_back(texts):
    """A quote or a backslash in a command does not end its label, or begin another."""
    key = labels(("user", "command"), *texts)
    page = f"# TYPE x gauge\nx{key.text} 1.0\n# EOF\n"
    (family,) = text_string_to_metric_families(page)
    assert family.samples[0].labels == {"user": word(texts[0]), "command": word(texts[1])}


def test_none_is_empty_and_numbers_are_plain():
    """Rank nought is a number; an unknown user is empty, which Prometheus takes for absent."""
    assert labels(("gpu", "user", "rank"), 0, None, 12).text == '{gpu="0",rank="12",user=""}'
    assert labels(()).text == ""


def test_a_value_too_many_is_a_mistake():
    """Values that do not belong to a name would shift all others."""
    with pytest.raises(ValueError, match="2 values for 1 labels"):
        labels(("gpu",), 0, 1)
