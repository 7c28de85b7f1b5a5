"""Host memory where nobody was killed."""

from __future__ import annotations

import pytest

from dstop.doctor.evidence.messages.host import MESSAGES

LINES = (
    ("increase vm.max_map_count", "host.map_count", {}),
    ("out of swap space", "host.swap_full", {}),
    (
        "Mem:         257088      131148      125940",
        "host.meminfo",
        {"total_count": 257088, "used_count": 131148, "free_count": 125940},
    ),
)
"""A message, its kind, and the figures that it must give."""

NOT = (("too large swap space", "host.swap_full"),)
"""What looks alike, and the kind that it must not have."""


@pytest.mark.parametrize(("text", "kind", "values"), LINES)
def test_it_is_known(text, kind, values, found_in):
    """A message of any version gives its kind and its figures."""
    found = found_in(MESSAGES, text)
    assert kind in found
    assert {name: found[kind].get(name) for name in values} == values


@pytest.mark.parametrize(("text", "kind"), NOT)
def test_what_looks_alike_is_something_else(text, kind, found_in):
    """A message with some of the same words is not taken for it."""
    assert kind not in found_in(MESSAGES, text)


def test_every_pattern_is_met(unmet_by):
    """No pattern is without a message that it was written for."""
    assert unmet_by(MESSAGES, [text for text, _, _ in LINES]) == []
