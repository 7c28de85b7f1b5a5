"""The token, the origin, and what a browser may say."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dstop.web.gate import Gate, same_origin
from dstop.web.message import LEAST_SIZE, MOST_BYTES, MOST_SIZE, bounded, number_of, parse_message


def test_the_token_opens_in_the_address_and_as_a_cookie():
    """Either will do; the cookie is of one port, for browsers send it to all."""
    gate = Gate(8778, "secret")
    assert gate.lets_in({"token": "secret"}, {})
    assert gate.lets_in({}, {"dstop_8778": "secret"})
    assert gate.lets_in({"token": "old"}, {"dstop_8778": "secret"})
    assert not gate.lets_in({}, {"dstop_8779": "secret"})


def test_each_server_makes_a_token_of_its_own():
    """32 random bytes: nobody guesses them."""
    tokens = {Gate(1).token for _ in range(8)}
    assert len(tokens) == 8
    assert min(len(token) for token in tokens) >= 43


@given(st.text(max_size=300))
def test_nothing_else_opens(given_text):
    """Whatever is not the token, of any length and any letters."""
    gate = Gate(1, "secret")
    assert gate.knows(given_text) == (given_text == "secret")
    assert not gate.knows(None)
    assert not gate.knows("secret" * 100)


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        (None, True),
        ("http://127.0.0.1:8778", True),
        ("http://127.0.0.1:3000", False),
        ("http://evil.example", False),
        ("null", False),
        ("http://[", False),
    ],
)
def test_a_screen_is_opened_by_our_own_page_alone(origin, allowed):
    """A page at another port of this machine has our cookie, and is refused by its origin."""
    assert same_origin(origin, "127.0.0.1:8778") == allowed


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (["stdin", "q"], "stdin"),
        (["ping", "123"], "ping"),
        (["focus"], "focus"),
        (["blur"], "blur"),
        (["resize", {"width": 120, "height": 40}], "resize"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_the_page_says_is_understood(said, kind):
    """Keys, a ping, whether somebody looks, and the size."""
    assert parse_message(json.dumps(said)).kind == kind


@pytest.mark.parametrize(
    "said",
    [
        [],
        {},
        "q",
        None,
        ["stdin"],
        ["stdin", 3],
        ["stdin", "q", "q"],
        ["stdin", "x" * (MOST_BYTES + 1)],
        ["ping", "x" * 65],
        ["resize", {"width": "80", "height": 24}],
        ["resize", {"width": True, "height": 24}],
        ["resize", [80, 24]],
        ["open_url", "file:///"],
        [["stdin"], "q"],
    ],
    ids=range(14),
)
def test_what_the_page_would_never_say_is_nothing(said):
    """Wrong shapes, wrong types, too long."""
    assert parse_message(json.dumps(said)) is None


@given(st.text(max_size=200))
def test_any_text_is_a_message_or_nothing(text):
    """No text of a browser raises."""
    parse_message(text)
    parse_message("[" * len(text) * 500)


@given(st.one_of(st.none(), st.integers()), st.one_of(st.none(), st.integers()))
def test_a_size_can_be_drawn_for(width, height):
    """Whatever a browser claims to have."""
    wide, high = bounded(width, height)
    assert LEAST_SIZE[0] <= wide <= MOST_SIZE[0]
    assert LEAST_SIZE[1] <= high <= MOST_SIZE[1]


@pytest.mark.parametrize(
    ("text", "number"), [("80", 80), ("", None), ("-1", None), ("٣", None), ("9" * 9, None)]
)
def test_a_number_of_an_address_is_digits(text, number):
    """Few, and of ASCII."""
    assert number_of(text) == number
    assert number_of(None) is None
