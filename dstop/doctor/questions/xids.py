"""Which of the driver's error numbers blame the card, its memory, a link, or a program.

Source: NVIDIA, "Xid Errors" and its catalog (docs.nvidia.com/deploy/xid-errors).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.model.diagnosis import Evidence
from dstop.model.xid import xid_meaning

if TYPE_CHECKING:
    from collections.abc import Collection

    from dstop.doctor.case import Case
    from dstop.doctor.evidence.facts import Sign

OF_MEMORY = frozenset((48, 63, 64, 92, 94, 95, 140, 160, 161, 171, 172))
OF_LINK = frozenset((74, 121, 144, 145, 146, 147, 148, 149, 150, 155, 156))
OF_CARD = frozenset(
    (
        38,
        46,
        54,
        61,
        62,
        79,
        110,
        119,
        120,
        122,
        123,
        136,
        142,
        143,
        151,
        154,
        157,
        158,
        162,
        163,
        164,
        165,
        166,
        167,
    )
)
OF_PROGRAM = frozenset((13, 31, 32, 43, 45, 68, 69, 109, 137))
NOTICES = frozenset((63, 92, 154, 157))
"""The card goes on: a row was remapped, corrected errors were counted, the recommended recovery has changed."""


_MORE_MEANINGS = {
    109: "a switch between contexts did not end in time",
    140: "an ECC error that could not be recovered: reset the GPU",
    143: "the GPU could not be initialized",
    154: "the recovery that the GPU needs has changed",
}
"""Of numbers that the table of live events leaves out."""


def xids_of(case: Case, codes: Collection[int]) -> list[Sign]:
    """Give the Xids of a kind, those that stop the card first."""
    found = [sign for sign in case.all("driver.xid") if sign.number("code_count") in codes]
    return sorted(found, key=lambda sign: sign.number("code_count") in NOTICES)


def xid_lines(signs: list[Sign]) -> list[Evidence]:
    """Give each number once, with what it means."""
    lines: dict[int, Evidence] = {}
    for sign in signs:
        code = sign.number("code_count")
        if code is not None and code not in lines:
            bus = sign.values.get("bus")
            says = f"Xid {code}{f' on {bus}' if bus else ''}: {_MORE_MEANINGS.get(code) or xid_meaning(code)}"
            lines[code] = Evidence(source=str(sign.place), says=says, value=code)
    return list(lines.values())
