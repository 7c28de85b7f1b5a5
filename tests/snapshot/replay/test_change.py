"""What may be asked, as it is written on the command line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dstop.errors import UsageError
from dstop.snapshot.replay import WhatIf, parse_what_if
from dstop.snapshot.replay.rules import Rules
from dstop.units import GIB, MIB

PLAIN = Rules()


@pytest.mark.parametrize(
    ("text", "change"),
    [
        ("expandable", WhatIf(expandable=True)),
        ("no-expandable", WhatIf(expandable=False)),
        ("max_split=128", WhatIf(max_split_bytes=128 * MIB)),
        ("gc=0.8", WhatIf(gc_threshold=0.8)),
        ("roundup=4", WhatIf(divisions=4)),
        ("batch=12->8", WhatIf(factor=8 / 12, batches=(12, 8))),
        ("batch=x0.5", WhatIf(factor=0.5)),
        ("checkpointing", WhatIf(checkpointing=True)),
        ("no-leak", WhatIf(no_leak=True)),
        ("capacity=24GiB", WhatIf(capacity_bytes=24 * GIB)),
        ("capacity=1000", WhatIf(capacity_bytes=1000)),
        (" Expandable + max_split = 64 ", WhatIf(expandable=True, max_split_bytes=64 * MIB)),
        ("roundup=4,checkpointing", WhatIf(divisions=4, checkpointing=True)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_conditions_are_read(text: str, change: WhatIf) -> None:
    """Each condition, and several at once."""
    assert parse_what_if(text) == change


def test_the_recorded_batch_may_be_given_apart() -> None:
    """`batch=8` with `--batch 12`."""
    assert parse_what_if("batch=8", 12) == parse_what_if("batch=12->8")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        "expandable=1",
        "max_split",
        "max_split=10",
        "max_split=-3",
        "gc=0",
        "gc=1.5",
        "gc=nan",
        "roundup=3",
        "batch=8",
        "batch=0->8",
        "batch=8->0",
        "batch=x",
        "batch=x0",
        "batch=1->99999999",
        "capacity=many",
        "capacity=-1",
        "expandable+",
        "\x1b[31m=1",
    ],
    ids=ascii,
)
def test_nonsense_is_a_usage_error_with_a_way_out(text: str) -> None:
    """What cannot be asked is said, with what can be, and without the control characters of whoever typed it."""
    with pytest.raises(UsageError) as caught:
        parse_what_if(text)
    assert caught.value.fix
    assert str(caught.value).isprintable()


@given(st.text(max_size=40))
def test_any_text_is_a_condition_or_a_usage_error(text: str) -> None:
    """Nothing else comes of it."""
    try:
        assert parse_what_if(text).what
    except UsageError as error:
        assert error.fix  # noqa: PT017 - either is right


def test_the_line_to_paste_keeps_what_was_set() -> None:
    """A setting is added to those that the recording had; other conditions need no line."""
    had = Rules(max_split_bytes=64 * MIB)
    line = parse_what_if("expandable").setting(had)
    assert line == "PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True,max_split_size_mb:64"
    assert parse_what_if("roundup=4").setting(PLAIN) == "PYTORCH_CUDA_ALLOC_CONF=roundup_power2_divisions:4"
    assert (
        parse_what_if("no-expandable").setting(PLAIN) == "PYTORCH_CUDA_ALLOC_CONF=expandable_segments:False"
    )
    assert not parse_what_if("batch=x2+checkpointing").setting(had)


def test_conditions_have_words() -> None:
    """A verdict says what was asked in words."""
    assert (
        parse_what_if("batch=12->8+checkpointing").what == "batch 8 instead of 12, activation checkpointing"
    )
