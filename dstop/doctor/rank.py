"""The order of diagnoses: by strength, and what came first before what it dragged along."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.rule import FITS, PROVEN

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dstop.doctor.rule import Assessment, Rule

_DRAGGED_ALONG = frozenset(("nccl_timeout", "not_memory", "benign_warning"))
"""What the other ranks, the launcher and the libraries say after one process has died for another reason."""

_NOT_MEMORY = frozenset(("not_memory", "benign_warning"))


def ranked(answers: Iterable[tuple[Rule, Assessment]]) -> list[tuple[Rule, Assessment]]:
    """Give the answers, best first; of one cause only the strongest, and no guess beside a proof."""
    ordered = sorted(answers, key=lambda pair: (-pair[1].strength, _order(pair[1]), pair[0].id))
    if not ordered:
        return []
    best = ordered[0]
    if best[0].cause in _DRAGGED_ALONG:
        earlier = [pair for pair in ordered if _caused(pair, best)]
        if earlier:
            ordered.remove(earlier[0])
            ordered.insert(0, earlier[0])
    kept: list[tuple[Rule, Assessment]] = []
    strongest = ordered[0][1].strength
    for rule, answer in ordered:
        if any(rule.cause == other.cause and other is not rule for other, _ in kept):
            continue
        if kept and answer.strength <= strongest - _gap(strongest):
            continue
        if kept and kept[0][0].cause in _NOT_MEMORY and kept[0][1].strength >= FITS:
            break  # where it is not memory, nothing of memory is said
        kept.append((rule, answer))
    return kept


def _gap(strongest: int) -> int:
    """How much weaker an answer may be and still be worth a line: little beside a proof."""
    return 20 if strongest >= PROVEN else 30


def _order(answer: Assessment) -> int:
    return answer.at.order if answer.at is not None else 1 << 60


def _caused(pair: tuple[Rule, Assessment], later: tuple[Rule, Assessment]) -> bool:
    rule, answer = pair
    return (
        rule.cause not in _DRAGGED_ALONG
        and answer.strength >= FITS - 25
        and answer.at is not None
        and later[1].at is not None
        and answer.at.order < later[1].at.order
    )
