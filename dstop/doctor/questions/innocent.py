"""What rules of failures that are not memory begin with: a failed allocation that came first decides."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.fixes.prescribe import prescribe
from dstop.doctor.questions.aftermath import device_failure_before
from dstop.doctor.questions.asking import told_by
from dstop.doctor.rule import DEFAULT, Assessment

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dstop.doctor.case import Case
    from dstop.doctor.evidence.facts import Place, Sign

_STANDS_BEHIND = DEFAULT + 2
"""Of a failure that has nothing to do with memory, in a run that then failed for memory."""


def strength_beside_memory(case: Case, place: Place, strength: int) -> int | None:
    """Give the strength of an answer that is not memory; None where an allocation failed before it."""
    if device_failure_before(case, place) is not None:
        return None
    refused = [one for one in case.host_failures if one.place.order < place.order]
    if refused:
        return None
    if any(not one.is_absurd for one in case.failures) or case.host_failures:
        return min(strength, _STANDS_BEHIND)
    return strength


def not_memory(
    case: Case,
    sign: Sign,
    strength: int,
    fixes: Iterable[str],
    *,
    title: str | None = None,
    titles: Mapping[str, str] | None = None,
    commands: Mapping[str, str] | None = None,
    against: tuple[str, ...] = (),
) -> Assessment | None:
    """Answer that a message names a failure that has nothing to do with memory, unless memory failed first."""
    left = strength_beside_memory(case, sign.place, strength)
    if left is None:
        return None
    return Assessment(
        strength=left,
        evidence=(told_by(sign),),
        at=sign.place,
        title=title,
        against=against,
        fixes=prescribe(case, *fixes, titles=titles, commands=commands),
    )
