"""Alarms: the gravest first, none for what is only a setting."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dstop.draw.badges import badge_spans, badges
from dstop.draw.line import line_cells
from dstop.model.gpu import Xid
from dstop.testing import gpus, make_gpu


def words(**fields: object) -> list[str]:
    """The badges of a card with these fields."""
    return [word for word, _ in badges(make_gpu(**fields))]


def test_a_quiet_card_has_no_badge() -> None:
    """Resting and application clocks are no trouble."""
    assert words(throttle_reasons=("idle", "application_clocks")) == []


def test_each_trouble_has_its_word() -> None:
    """Throttling, ECC, rows, Xid, age."""
    assert words(throttle_reasons=("power_cap",)) == ["PWR CAP"]
    assert words(throttle_reasons=("hw_thermal",)) == ["HOT"]
    assert words(ecc_uncorrected=3) == ["ECC 3"]
    assert words(remapped_rows_pending=True) == ["ROW REMAP"]
    assert words(remapped_rows_failed=True) == ["REMAP FAILED"]
    assert words(xids=(Xid(code=79, at_ns=1),)) == ["XID 79"]
    assert words(stale_s=4.2) == ["STALE 4s"]


def test_a_lost_card_says_nothing_else() -> None:
    """Its other figures are not to be had."""
    assert words(fault="the GPU is lost (fell off the bus)", ecc_uncorrected=1) == ["LOST"]


def test_the_gravest_is_first() -> None:
    """What needs a person comes before what heals."""
    assert (
        words(throttle_reasons=("power_cap",), xids=(Xid(code=79, at_ns=1),), ecc_uncorrected=1)[0]
        == "XID 79"
    )


@given(gpus(), st.integers(0, 60))
def test_badges_never_take_more_than_their_cells(gpu: object, width: int) -> None:
    """Those that do not fit are counted or left out."""
    assert line_cells(badge_spans(badges(gpu), width)) <= width


def test_the_gravest_is_shown_where_one_alone_fits() -> None:
    """A count without a word would say nothing."""
    found = badges(make_gpu(stale_s=3.0, throttle_reasons=("power_cap",), ecc_uncorrected=1))
    assert badge_spans(found, 11)[0][0] == " STALE 3s "
    assert line_cells(badge_spans(found, 11)) <= 11
