"""Would it have fitted? What the replay of a snapshot's requests says of a fix, and what that makes of the fix.

The replay may be off, and its verdict says by how much; what lies within that is not decided by it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.questions.arithmetic import gib
from dstop.model.diagnosis import Evidence

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dstop.doctor.case import Case
    from dstop.model.study import Verdict

CHANGES: dict[str, tuple[str, ...]] = {
    "expandable_segments": ("expandable",),
    "max_split_size": ("max_split=256",),
    "reduce_batch": ("batch=x0.75", "batch=x0.5"),
    "grad_checkpointing": ("checkpointing",),
    "lower_roundup_divisions": ("roundup=8",),
    "fix_leak_detach": ("no-leak",),
}
"""Fix -> the changes that stand for it, the mildest first."""
_OF_BATCH = frozenset(("reduce_batch", "grad_checkpointing"))
_NOT_OF_BATCH = frozenset(("optimizer", "load", "save"))
"""Phases in which what is asked for does not grow with the batch."""
_AS_LARGE, _SPARE = 0.9, 0.1
"""Of what the failed step needed until it failed; and of the capacity."""
_GUESSED = "grad_checkpointing"
"""Where the program would cut its blocks nobody knows: the replay may show that it helps, never that it does not."""
_SETTINGS = frozenset(("expandable_segments", "max_split_size", "lower_roundup_divisions"))
"""A setting fits or does not; of a batch there is always a smaller one."""


def asked(case: Case, fix: str) -> Verdict | None:
    """Give the verdict on a fix: of the mildest change that surely fits, else of the strongest; None without any."""
    memory, failure = case.memory, case.failure
    if memory is None or failure is None or memory.failure is None:
        return None
    if fix in _OF_BATCH and case.phase in _NOT_OF_BATCH:
        return None
    verdict = None
    for change in CHANGES.get(fix, ()):
        verdict = memory.replay(change)
        if verdict is not None and surely_fits(case, verdict):
            return verdict
    return None if fix == _GUESSED else verdict


def may_be_off_bytes(verdict: Verdict) -> int:
    """Give by how much the replay may be off; a tenth of the capacity where nothing was there to check it against."""
    if verdict.error_bytes is not None:
        return verdict.error_bytes
    return int(_SPARE * (verdict.capacity_bytes or verdict.peak_reserved_bytes))


def surely_fits(case: Case, verdict: Verdict) -> bool:
    """Whether all fits with more to spare than the replay may be off, and than what was never recorded may need.

    A recording ends with the request that failed. What its step would have asked for after it is known where a whole
    step as large is in the ring; else a change must leave a tenth of the capacity, and of a batch nothing is known.
    """
    memory, capacity = case.memory, verdict.capacity_bytes
    if verdict.fits is not True or memory is None or memory.failure is None or capacity is None:
        return False
    spare = verdict.headroom_bytes or 0
    if spare < may_be_off_bytes(verdict):
        return False
    if memory.whole_peak_bytes >= _AS_LARGE * (memory.failure.live_bytes + memory.failure.request_bytes):
        return True
    return not _is_of_batch(verdict) and spare >= _SPARE * capacity


def _is_of_batch(verdict: Verdict) -> bool:
    return "batch" in verdict.what


def surely_fails(verdict: Verdict) -> bool:
    """Whether more is missing than the replay may be off."""
    return verdict.fits is False and verdict.short_bytes > may_be_off_bytes(verdict)


def refuted(case: Case, fix: str) -> bool:
    """Whether the replay shows that a setting would not have helped: such advice is not given."""
    if fix not in _SETTINGS:
        return False
    verdict = asked(case, fix)
    return verdict is not None and surely_fails(verdict)


def recovers_bytes(case: Case, verdict: Verdict) -> int | None:
    """Give what a change frees of what was short; None where the replay does not decide it."""
    short = case.balance.short_bytes
    if short is None:
        return None
    if surely_fits(case, verdict):
        return short + (verdict.headroom_bytes or 0)
    return max(0, short - verdict.short_bytes) if surely_fails(verdict) else None


def verdict_text(case: Case, verdict: Verdict) -> str:
    """Write a verdict with its figures, and by how much it may be off."""
    off = f"; the replay may be off by {gib(verdict.error_bytes)}" if verdict.error_bytes else ""
    if verdict.error_bytes is None:
        off = "; no segment event was recorded to check the replay against"
    need = verdict.peak_reserved_bytes
    if verdict.capacity_bytes is not None and verdict.headroom_bytes is not None:
        need = verdict.capacity_bytes - verdict.headroom_bytes
    of = "" if verdict.capacity_bytes is None else f" of {gib(verdict.capacity_bytes)}"
    head = f"replayed with {verdict.what}: the same requests need {gib(need)}{of}"
    if surely_fits(case, verdict):
        return f"{head}: it would have fitted up to {verdict.until}{off}"
    if surely_fails(verdict):
        return f"{head}: it would not have fitted, {gib(verdict.short_bytes)} short{off}"
    if verdict.fits is True and (verdict.headroom_bytes or 0) >= may_be_off_bytes(verdict):
        return f"{head}: it gets past {verdict.until}{off}"
    return f"{head}: too close to call{off}"


def verdict_lines(case: Case, fixes: Iterable[str]) -> tuple[list[Evidence], list[str]]:
    """Give what the replay says of these fixes: for them as evidence, against them as words."""
    memory = case.memory
    said: list[Evidence] = []
    against: list[str] = []
    for fix in fixes:
        verdict = asked(case, fix)
        if verdict is None or memory is None or verdict.fits is None:
            continue
        if surely_fails(verdict):
            against.append(verdict_text(case, verdict))
        else:
            said.append(
                Evidence(
                    source=str(memory.place), says=verdict_text(case, verdict), value=verdict.headroom_bytes
                )
            )
    return said, against
