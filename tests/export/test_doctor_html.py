"""The incident report: complete, the same for every eye and on paper, and closed to whatever an incident holds."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dstop.doctor.diagnose import diagnose_logs
from dstop.doctor.rules import RULES, rule_of
from dstop.doctor.text.read import log_of_text
from dstop.draw.line import clean
from dstop.export.doctor_html import report_html
from dstop.export.markup import Markup, element, escaped, joined
from dstop.model.diagnosis import Balance, Confidence, Diagnosis, Evidence, Fix, Report
from dstop.units import GIB

from .browser import HOSTILE, Page, assert_closed, one_line, shape

BALANCE = Balance(
    total_bytes=80 * GIB,
    allocated_bytes=50 * GIB,
    private_pool_bytes=2 * GIB,
    cached_bytes=10 * GIB,
    not_pytorch_bytes=6 * GIB,
    others_bytes=5 * GIB,
    unattributed_bytes=5 * GIB,
    free_bytes=2 * GIB,
    tried_bytes=6 * GIB,
)


def _report(text="x", balance=BALANCE):
    """Make a report that has `text` wherever text from outside can stand."""
    one = Diagnosis(
        rule="DS201",
        cause=text,
        subcause=text,
        title=text,
        confidence=Confidence.LIKELY,
        evidence=(Evidence(source=text, says=text),),
        against=(text,),
        balance=balance,
        fixes=(
            Fix(id="a", title=text, command=text, recovers_bytes=GIB, short_bytes=4 * GIB, cost=text),
            Fix(id="b", title="b", recovers_bytes=4 * GIB, short_bytes=4 * GIB),
        ),
        phase=text,
        rank=3,
    )
    return Report(
        diagnoses=(one, replace(one, balance=None), one),
        facts={"tried_bytes": 3 * GIB, text: text, "rank": None},
        sources=(text,),
        notes=(text,),
    )


PLAIN = shape(Page(report_html(_report("word"))))


def test_a_real_report_has_all_that_helps():
    """What happened, its figures, its proof, what helps and by how much, and how it was told."""
    log = log_of_text(rule_of("DS201").fires[0], "crash.log")
    text = Page(report_html(diagnose_logs([log]))).text
    for part in (
        "PyTorch's cache holds enough, but not in one usable piece",
        "certain DS201 fragmentation",
        "asked for 1.50 GiB free 300 MiB short 1.21 GiB the card 39.39 GiB",
        "live tensors 29.80 GiB 76 %",
        "crash.log:1 CUDA out of memory.",
        "recovers 8.70 GiB of 1.21 GiB short: enough",
        "export PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True",
        "When it is wrong",
        "reserved unallocated 8.70 GiB",
        "Not told: phase",
        "Read: crash.log",
    ):
        assert part in text


def test_a_page_without_a_finding_says_so():
    """No failure is an answer, too."""
    page = Page(report_html(Report(facts={"rank": None}, sources=("a.log",))))
    assert "No failure that dstop knows was found" in page.text
    assert "svg" not in page.tags


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule.fires], ids=lambda rule: rule.id)
def test_every_rule_has_its_page(rule):
    """Each kind of failure is drawn, and every element that is opened is closed."""
    page = Page(report_html(diagnose_logs([log_of_text(rule.fires[0], "crash.log")])))
    assert page.open == []
    assert "How it was told" in page.text


def test_colour_is_never_the_only_sign():
    """Each part of the bar has a row with its letter and its figure, a pattern of its own, and a text for who hears."""
    page = report_html(_report(balance=BALANCE))
    for letter, name in zip(
        "ABCDEFG", ("live", "pools", "cached", "outside", "others", "nobody", "free"), strict=True
    ):
        assert f'<td class="key">{letter}</td>' in page
        assert f'class="seg {name}"' in page
    patterns = re.findall(r'<pattern id="p-(\w+)".*?d="([^"]+)"', page)
    assert {"pools", "cached", "outside", "others", "nobody"} <= {name for name, _ in patterns}
    assert 'role="img"' in page
    assert "<desc>live tensors 50.00 GiB, " in page
    assert "asked for 6.00 GiB, 4.00 GiB short" in page


PARTS = (
    "total",
    "allocated",
    "private_pool",
    "cached",
    "not_pytorch",
    "others",
    "unattributed",
    "free",
    "tried",
)
AMOUNTS = st.none() | st.integers(0, 2**50)


@settings(max_examples=200, deadline=None)
@given(
    st.builds(Balance, **{f"{name}_bytes": AMOUNTS for name in PARTS}, rounding_bytes=st.integers(0, 2**20))
)
def test_no_part_of_the_bar_leaves_the_page(balance):
    """Whatever the figures say of each other, nothing is drawn outside, and nothing backwards."""
    page = Page(report_html(_report(balance=balance)))
    spans = {}
    for tag, name, value in page.attributes:
        if tag == "rect" and name in {"x", "width"} and re.fullmatch(r"-?\d+\.\d{3}%", value):
            spans.setdefault(name, []).append(float(value[:-1]))
    for x, width in zip(spans.get("x", ()), spans.get("width", ()), strict=True):
        assert x >= -0.01
        assert width >= 0
        assert x + width <= 100.01


def test_nothing_is_loaded_and_nothing_foreign_runs():
    """No address, no inline handler, no inline style; style and script are allowed by the hashes that they have."""
    text = report_html(_report("https://example.com/x.js"))
    page = Page(text)
    assert not {"link", "img", "iframe", "object", "embed", "form", "a", "base"} & set(page.tags)
    for _, name, value in page.attributes:
        assert name not in {"src", "href", "xlink:href", "style", "action", "srcset", "background"}
        assert not name.startswith("on")
        assert "//" not in (value or "").replace("https://example.com/x.js", "")
    assert_closed(text, page)


def test_copy_buttons_are_there_only_with_a_script():
    """Without one the page has no button that does nothing."""
    page = Page(report_html(_report()))
    assert page.tags.count("button") == page.tags.count("pre") > 0
    assert [name for tag, name, _ in page.attributes if tag == "button"].count("hidden") == page.tags.count(
        "button"
    )


TEXTS = st.lists(st.sampled_from(HOSTILE) | st.text(max_size=4), min_size=1, max_size=8).map("".join)


@settings(max_examples=300, deadline=None)
@given(TEXTS)
@example("<script>alert(1)</script> :")
def test_no_text_becomes_an_element_or_an_attribute(text):
    """The page of a hostile report has the very elements and attributes of a plain one, and shows the text."""
    text = text if text not in {"tried_bytes", "rank"} and text.strip() else "x"
    shown = report_html(_report(text))
    page = Page(shown)
    assert shape(page) == PLAIN
    assert page.open == []
    assert one_line(clean(" ".join(text.split()))) in page.text
    assert shown.encode()


@given(TEXTS)
def test_text_keeps_no_character_that_html_minds(text):
    """Of the five characters that can leave a text or a quoted attribute none is left, whatever reads the page."""
    assert not set("<>\"'") & set(escaped(text))
    assert not re.search(r"&(?!amp;|lt;|gt;|quot;|#x27;)", escaped(text))
    inner = element("p", text, title=text)
    assert inner.count("<") == 2
    assert inner.count('"') in {0, 2}
    assert joined(["<", Markup("<br>")]) == "&lt;<br>"
