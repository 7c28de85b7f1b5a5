"""A report for an issue tracker: all that matters is in it, and nothing in it does anything."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from dstop.doctor.diagnose import diagnose_logs
from dstop.doctor.rules import rule_of
from dstop.doctor.text.read import log_of_text
from dstop.draw.line import clean
from dstop.export.doctor_markdown import LONGEST, report_markdown
from dstop.export.markdown_text import code, escaped, fenced
from dstop.model.diagnosis import Balance, Confidence, Diagnosis, Evidence, Fix, Report
from dstop.units import GIB, MIB

GITHUB = MarkdownIt("gfm-like")
GITHUB.linkify.set({"fuzzy_link": False, "fuzzy_email": False})
"""GitHub links no bare domains (train.py is no address in Paraguay), no address with a blank after its @."""
BALANCE = Balance(
    total_bytes=80 * GIB,
    allocated_bytes=60 * GIB,
    private_pool_bytes=2 * GIB,
    cached_bytes=10 * GIB,
    not_pytorch_bytes=GIB,
    others_bytes=5 * GIB,
    unattributed_bytes=GIB,
    free_bytes=GIB,
    tried_bytes=3 * GIB,
)


def _report(text="x", **changes):
    """Make a report that has `text` wherever text from outside can stand."""
    one = Diagnosis(
        rule="DS201",
        cause=text,
        subcause=text,
        title=text,
        confidence=Confidence.LIKELY,
        evidence=(Evidence(source=text, says=text),),
        against=(text,),
        balance=BALANCE,
        fixes=(
            Fix(id="a", title=text, command=text, recovers_bytes=4 * GIB, short_bytes=2 * GIB, cost=text),
            Fix(id="b", title=text, command=None),
        ),
        phase=text,
    )
    parts = {
        "diagnoses": (one, one),
        "facts": {"tried_bytes": 3 * GIB, "framework": text, "rank": None, "share": 0.5},
        "sources": (text,),
        "notes": (text,),
    }
    return Report(**{**parts, **changes})


def _tokens(markdown):
    for token in GITHUB.parse(markdown):
        yield token
        yield from token.children or ()


def _shape(markdown):
    """Give what the page is made of, without its text."""
    return [
        token.type for token in _tokens(markdown) if token.type not in {"text", "text_special", "softbreak"}
    ]


def _shown(markdown):
    return "".join(
        token.content for token in _tokens(markdown) if token.type in {"text", "text_special", "code_inline"}
    )


def test_a_real_report_has_all_that_helps():
    """Confidence, rule, cause, evidence with its place, the balance sheet, fixes with what they recover."""
    log = log_of_text(rule_of("DS201").fires[0], "crash.log")
    text = report_markdown(diagnose_logs([log]))
    assert text.startswith("## PyTorch's cache holds enough, but not in one usable piece (certain)\n")
    for part in (
        "Rule `DS201`, cause `fragmentation`",
        "- `crash.log:1`: CUDA out of memory.",
        "| live tensors | 29.80 GiB | 76 % |",
        "| **the card** | **39.39 GiB** | **100 %** |",
        "1.50 GiB was asked for, 300 MiB was free: 1.21 GiB short.",
        "recovers 8.70 GiB of 1.21 GiB short",
        "   export PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True\n   ```",
        "| reserved_unallocated | 8.70 GiB |",
        "Read: `crash.log`.",
    ):
        assert part in text


def test_the_other_diagnoses_are_folded():
    """Whoever reads the issue sees the likeliest one first, and can open the rest."""
    text = report_markdown(_report())
    assert "<summary>If not that: one other diagnosis</summary>" in text
    before, within = text.split("<details>")
    assert before.count("(likely)") == within.count("(likely)") == 1


def test_what_is_not_known_is_said():
    """A fact that the failure does not tell is named, and no figure stands for it."""
    text = report_markdown(_report())
    assert "Not told: `rank`." in text
    sheet = report_markdown(_report(diagnoses=(_with(Balance(total_bytes=8 * GIB, free_bytes=GIB)),)))
    assert "| live tensors | – | – |" in sheet
    assert "| not told apart | 7.00 GiB | 88 % |" in sheet


def test_parts_that_exceed_the_card_are_said_to():
    """Where memory spills to the host, the sheet does not add up, and says why."""
    text = report_markdown(_report(diagnoses=(_with(Balance(total_bytes=8 * GIB, allocated_bytes=9 * GIB)),)))
    assert "The parts exceed the card by 1.00 GiB" in text


def _with(balance):
    return Diagnosis(rule="DS101", cause="c", title="t", confidence=Confidence.CERTAIN, balance=balance)


def test_a_report_without_a_finding_says_so():
    """No failure is an answer, too."""
    text = report_markdown(_report(diagnoses=()))
    assert text.startswith("## No failure that dstop knows was found\n")


def test_a_report_that_is_too_long_leaves_the_others_out():
    """An issue has room for 65,536 characters."""
    text = report_markdown(_report("long " * 900))
    assert len(text) <= LONGEST + 5_000
    assert "did not fit" in text


PLAIN = _shape(report_markdown(_report("word")))
HOSTILE = [
    "<script>alert(1)</script>", "<!-- x", "--><b>", "<details>", "</details>", "`", "``` x ```", "```\n# x\n```",
    "~~~", "|", "a|b|c", "\\|", "\\", "\\`", "*a*", "__a__", "_a_", "[a](http://x)", "![a](b)", "<http://x.y>", "http://x.y/z",
    "www.example.com", "a@b.cc", "@octocat", "#123", "GH-123", "owner/repo#12", "# a", "- a", "+ a", "1. a", "1) a",
    "> a",
    "===", "---", "- [ ] a", "$x$", "$$", ":smile:", "&lt;", "&#64;octocat", "\n\n# a", "\r\n- a", "a\n\n\tb", "    a",
    "\u202ea", "\x1b[31m", "~a~", "~~a~~", "[^1]", "a\\", "a`", " ` ", "\ud800",
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_builds_nothing(text):
    """Whatever it says, the page has the same headings, lists, tables and links (none) as with a plain word."""
    markdown = report_markdown(_report(text))
    assert _without_code(_shape(markdown)) == _without_code(PLAIN)
    assert all(token.content in OURS for token in _tokens(markdown) if token.type.startswith("html"))


OURS = {"<details>\n<summary>If not that: one other diagnosis</summary>\n", "</details>\n"}


def _without_code(shape):
    """What is empty, or has a pipe, is text where other text is code."""
    return [one for one in shape if one != "code_inline"]


MARKS = st.lists(
    st.sampled_from([*HOSTILE, "a", " ", "1", "\n", ":", "!", "(", ")"]) | st.text(max_size=3), max_size=12
)

WORDS = MARKS.map("".join).filter(lambda text: clean(text).strip())


@settings(max_examples=300, deadline=None)
@given(WORDS)
def test_any_text_is_shown_as_it_is_and_builds_nothing(text):
    """It reads as it was written, and no tag, link, list or heading comes of it."""
    markdown = report_markdown(_report(text))
    assert _without_code(_shape(markdown)) == _without_code(PLAIN)
    assert all(token.content in OURS for token in _tokens(markdown) if token.type.startswith("html"))
    plain = " ".join(clean(text).split())
    assert _shown(f"- x {escaped(text)}").replace("\u200b", "") == f"x {plain}".rstrip()
    assert _shown(f"- x {code(text)}").replace("\u200b", "").strip() == f"x {plain}".rstrip()


@settings(max_examples=200, deadline=None)
@given(MARKS.map("".join))
def test_nobody_is_called_and_nothing_is_linked(text):
    """Once escapes and entities are undone, no @name, #number or address is left for a tracker to link."""
    shown = _shown(f"x {escaped(text)}")
    assert not re.search(r"@\w|#\w|\bGH-\d|://|\bwww\.", shown, re.IGNORECASE)


@given(MARKS.map("".join))
def test_a_block_of_code_ends_where_it_ends(text):
    """No command can close its own fence."""
    tokens = GITHUB.parse("\n".join(["1. x", "", *fenced(text, "   "), "", "   y"]))
    assert [token.type for token in tokens if token.type == "fence"] == ["fence"]
    assert [token.content for token in tokens if token.type == "inline"] == ["x", "y"]


def test_small_amounts_keep_their_digits():
    """A share below ten percent has a digit more."""
    one = _with(Balance(total_bytes=8 * GIB, allocated_bytes=7 * GIB, free_bytes=300 * MIB))
    assert "| free | 300 MiB | 3.7 % |" in report_markdown(_report(diagnoses=(one,)))
