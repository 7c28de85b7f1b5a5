"""Whom an Xid blames."""

from __future__ import annotations

from dstop.doctor.case import Case
from dstop.doctor.evidence.collect import facts_of
from dstop.doctor.questions.xids import NOTICES, OF_CARD, OF_LINK, OF_MEMORY, OF_PROGRAM, xid_lines, xids_of
from dstop.doctor.text.read import log_of_text

LOG = """NVRM: Xid (PCI:0000:4b:00): 154, GPU recovery action changed from 0x0 (None) to 0x2 (Node Reboot Required)
NVRM: Xid (PCI:0000:4b:00): 143, pid=1, name=python, init failed
NVRM: Xid (PCI:0000:4b:00): 31, pid=1, name=python, MMU Fault
"""


def test_a_number_blames_one_part():
    """No Xid is both the card's, its memory's, a link's and a program's."""
    groups = (OF_CARD, OF_LINK, OF_MEMORY, OF_PROGRAM)
    assert len(frozenset().union(*groups)) == sum(len(group) for group in groups)
    assert NOTICES.isdisjoint(OF_PROGRAM)


def test_what_stops_the_card_comes_before_a_notice_and_each_has_words():
    """The recovery that is advised is told behind the failure; a program's fault is not the card's."""
    case = Case([facts_of(log_of_text(LOG, "x.log"))])
    found = xids_of(case, OF_CARD)
    assert [sign.number("code_count") for sign in found] == [143, 154]
    assert [line.says.partition(": ")[2] for line in xid_lines(found)] == [
        "the GPU could not be initialized",
        "the recovery that the GPU needs has changed",
    ]
