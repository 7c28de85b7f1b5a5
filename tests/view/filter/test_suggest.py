"""What the filter line offers while one types."""

from __future__ import annotations

import pytest

from dstop.view.filter import parse, suggest


@pytest.mark.parametrize(
    ("text", "offered"),
    [
        ("", ()), ("us", ("user:",)), ("mem>1G us", ("mem>1G user:",)), ("-us", ("-user:",)),
        ("(me", ("(mem>",)),
        ("gp", ("gpu:",)), ("ha", ("has:",)), ("type:", ("type:C", "type:G", "type:M")), ("state:D,Z", ()),
        ("type:C,m", ("type:C,M",)), ("zzz", ()), ("zzz:", ()), ("mem:", ()), ("user:", ()),
    ],
)  # fmt: skip
def test_offers_names_and_choices(text, offered):
    """A started name is completed, and a field with few values offers them."""
    assert suggest(text) == offered


def test_offers_ten_at_most(build):
    """A server of a thousand users does not fill the screen."""
    rows = [build.process(user=f"user{number:02}") for number in range(20)]
    assert suggest("user:", rows) == tuple(f"user:user{number:02}" for number in range(10))


def test_offers_the_values_of_the_rows(build):
    """After a field, what the rows have of it is offered, quoted where it has a space, and can be parsed."""
    rows = [
        build.process(user="bob"),
        build.process(user="alice"),
        build.process(user="an na"),
        build.process(),
    ]
    offered = suggest("gpu:0 user:a", rows)
    assert offered == ("gpu:0 user:alice",)
    assert suggest("user:", rows) == ('user:"an na"', "user:alice", "user:bob")
    assert [parse(text).matches(rows[1]) for text in suggest("user:", rows)] == [False, True, False]
