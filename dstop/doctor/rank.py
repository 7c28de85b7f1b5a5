"""The order of diagnoses: by strength, and what came first before what it dragged along."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from dstop.doctor.rule import DEFAULT, FITS, PROVEN

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dstop.doctor.rule import Assessment, Rule

    Answer: TypeAlias = tuple[Rule, Assessment]

_DRAGGED_ALONG = frozenset(("nccl_timeout", "not_memory"))
"""What the other ranks, the launcher and the libraries say after one process has died for another reason."""

_NOT_MEMORY = frozenset(("not_memory", "benign_warning"))

_WAITED = "nccl_timeout"
"""Not even a cause of its own where a rank raised something before."""

_FAULTS = frozenset(
    ("cuda_illegal_access", "device_assert", "driver_mismatch", "hardware_xid", "nccl_timeout")
)

_WORTH_COMING_FIRST = DEFAULT + 5
"""How strong an answer must be for its earlier place to count more than the strength of what came later."""


def ranked(answers: Iterable[Answer]) -> list[Answer]:
    """Give the answers, best first; of one cause only the strongest, and no guess beside a proof."""
    ordered = sorted(answers, key=lambda pair: (-pair[1].strength, _order(pair[1]), pair[0].id))
    ordered = _without_faint_excuses(ordered)
    if not ordered:
        return []
    _put_reason_first(ordered)
    first = ordered[0]
    strongest = first[1].strength
    kept: list[Answer] = []
    for pair in ordered:
        rule, answer = pair
        if any(rule.cause == other.cause for other, _ in kept):
            continue
        if kept and answer.strength <= strongest - _gap(strongest):
            continue
        if kept and first[0].cause in _NOT_MEMORY and strongest >= FITS and rule.cause not in _FAULTS:
            continue  # where it is not memory, nothing of memory is said
        kept.append(pair)
    return kept


def _without_faint_excuses(ordered: list[Answer]) -> list[Answer]:
    """Leave out guesses that it was not memory where any rule names a cause: they are for what nobody knows."""
    if all(rule.cause in _NOT_MEMORY or rule.cause == _WAITED for rule, _ in ordered):
        return ordered
    return [pair for pair in ordered if pair[0].cause not in _NOT_MEMORY or pair[1].strength >= FITS - 10]


def _put_reason_first(ordered: list[Answer]) -> None:
    """Move what came before the best answer to the front, where the best is of a kind that others drag along."""
    best = ordered[0]
    if best[0].cause not in _DRAGGED_ALONG:
        return
    reason = next((pair for pair in ordered if _dragged(pair, best)), None)
    if reason is not None:
        ordered.remove(reason)
        ordered.insert(0, reason)


def _dragged(pair: Answer, later: Answer) -> bool:
    """Whether an answer is of what came before another, and may be its reason."""
    rule, answer = pair
    is_reason = rule.cause not in _DRAGGED_ALONG and rule.cause not in _NOT_MEMORY
    is_error = rule.cause == "not_memory" and later[0].cause == _WAITED
    return (
        (is_reason or is_error)
        and answer.strength >= _WORTH_COMING_FIRST
        and answer.at is not None
        and later[1].at is not None
        and answer.at.order < later[1].at.order
    )


def _gap(strongest: int) -> int:
    """How much weaker an answer may be and still be worth a line: little beside a proof."""
    return 20 if strongest >= PROVEN else 30


def _order(answer: Assessment) -> int:
    return answer.at.order if answer.at is not None else 1 << 60
