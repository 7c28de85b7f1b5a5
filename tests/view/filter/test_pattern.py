"""The regular expressions of the filter: the same rows as Python's `re`, in a time that cannot explode."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dstop.view.filter.pattern import _MOST_STEPS, compile_pattern
from dstop.view.filter.syntax import PatternError

ATOMS = st.sampled_from(
    [
        "a",
        "b",
        "c",
        "_",
        " ",
        "-",
        ".",
        r"\d",
        r"\w",
        r"\s",
        r"\W",
        r"\D",
        r"\S",
        r"\.",
        "[ab]",
        "[^ab]",
        "[a-c_]",
        "[]a]",
        "[^-b]",
        r"[\d-]",
    ]
)
PLACES = st.sampled_from(["^", "$", r"\b", r"\B"])
REPEATS = st.sampled_from(["*", "+", "?", "*?", "+?", "{2}", "{0,2}", "{1,}", "{,3}"])


def _grow(inner):
    group = inner.map(lambda text: f"({text})") | inner.map(lambda text: f"(?:{text})")
    return st.one_of(
        st.lists(inner, min_size=1, max_size=3).map("".join),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: f"({'|'.join(parts)})"),
        st.tuples(group, REPEATS).map("".join),
    )


EXPRESSIONS = st.recursive(ATOMS | PLACES | st.tuples(ATOMS, REPEATS).map("".join), _grow, max_leaves=6)


@given(EXPRESSIONS.filter(lambda text: len(text) <= 80), st.text("abcABC_ -.1\t", min_size=1, max_size=12))
def test_finds_what_re_finds(source, text):
    """A pattern is found in exactly the texts in which Python's `re` finds it."""
    assert compile_pattern(source).found_in(text) == (re.search(source, text, re.IGNORECASE) is not None)


ODD = [
    "a{,}", "a{}", "a{2", "a{,2}b", "a{2,}", "a{x}", "a*{x}", "{", "}", "]", "[]]", "[^]]", "[a-]", "[-a]",
    "[a-c-e]", "|a", "a|", "()", "(|a)*b", "(a|)+b", "(?:)", "^$", "$^", r"\ba\B", r"[\]]", r"\-", r"\A1\Z",
    "(((a)))", "a.b", "(^a|b$)", "é", "[à-ü]",
]  # fmt: skip

TEXTS = (
    "", "a", "b", "aa", "aab", "ab", "xax", "a{}", "a{2", "a{x}",
    "{2}", "a-e", "]", "a]", "-", "1", "a\nb", "É",
)  # fmt: skip


@pytest.mark.parametrize("source", ODD)
def test_odd_corners_are_those_of_re(source):
    """Braces that count nothing, brackets in brackets and empty parts mean what they mean to `re`."""
    pattern = compile_pattern(source)
    for text in TEXTS:
        assert pattern.found_in(text) == (re.search(source, text, re.IGNORECASE) is not None)


@pytest.mark.filterwarnings("ignore:Possible")
@given(st.text(st.sampled_from(r"ab(|)[]{}*+?^$\.,-1:=!<dwsb"), max_size=30), st.text("ab1 ", max_size=8))
def test_any_text_is_a_pattern_or_an_error(source, text):
    """Whatever is typed is refused with a place inside it, or answers as `re` does."""
    try:
        pattern = compile_pattern(source)
    except PatternError as error:
        assert 0 <= error.offset <= len(source)  # noqa: PT017 - most texts are patterns
        return
    assert pattern.found_in(text) == (re.search(source, text, re.IGNORECASE) is not None)


@pytest.mark.parametrize("source", ["(a+)+$", "(a|aa)+$", "(a*)*b", "(.*a){20}$", "a?" * 26 + "a" * 26])
def test_steps_do_not_explode(source):
    """Expressions that stop a backtracking engine for years read each character of a long text once."""
    pattern = compile_pattern(source)
    calls = 0
    step = pattern.automaton.step

    def counted(*arguments):
        nonlocal calls
        calls += 1
        return step(*arguments)

    pattern.automaton.step = counted
    assert pattern.found_in("a" * 511 + "!") == (source == "a?" * 26 + "a" * 26)
    assert calls <= 513


def test_memory_of_steps_is_bounded():
    """A text that never repeats a step cannot make a pattern grow without end."""
    pattern = compile_pattern("[ab]x")
    for start in range(0, 20_000, 500):
        assert not pattern.found_in("".join(chr(0x4E00 + start + offset) for offset in range(500)))
    assert len(pattern.automaton.steps) <= _MOST_STEPS


@pytest.mark.parametrize(
    ("source", "says", "offset"),
    [
        ("a" * 81, "longer than 80", 80),
        ("(a", "not closed", 0),
        ("a)", "not opened", 1),
        ("x[ab", "not closed", 1),
        ("*a", "nothing before", 0),
        ("x|{2}", "nothing before", 2),
        ("a**", "repeat of a repeat", 2),
        ("a{1}{2}", "repeat of a repeat", 4),
        ("(?=a)", "look-around", 0),
        (r"(a)\1", "not supported", 3),
        ("a\\", "nothing after", 1),
        ("[b-a]", "no order", 0),
        ("a{3,2}", "low to high", 1),
        ("a{999}", "at most", 1),
        ("((a{99}){99}){99}", "too large", 0),
        ("^*", "cannot repeat", 1),
    ],
)
def test_what_is_wrong_is_said_with_its_place(source, says, offset):
    """A text that is no expression is refused, with the reason and the offset."""
    with pytest.raises(PatternError, match=says) as caught:
        compile_pattern(source)
    assert caught.value.offset == offset


def test_eighty_characters_are_not_too_many():
    """The limit is on what is longer."""
    assert compile_pattern("a" * 80).found_in("a" * 80)


def test_patterns_of_one_source_are_equal():
    """Patterns are values: what they remember of texts does not make them different."""
    one, two = compile_pattern("a+b"), compile_pattern("a+b")
    assert one.found_in("xaab")
    assert one == two
    assert hash(one) == hash(two)
