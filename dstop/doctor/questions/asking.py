"""What many rules begin with: the failure's own line as evidence, and a sign that settles the question by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.questions.arithmetic import gib
from dstop.model.diagnosis import Evidence

if TYPE_CHECKING:
    from dstop.doctor.case import Case
    from dstop.doctor.evidence.facts import Sign


def told_by(sign: Sign) -> Evidence:
    """Give a message as it was found."""
    return Evidence(source=str(sign.place), says=sign.text)


def failure_lines(case: Case) -> list[Evidence]:
    """Give the failed allocation: its words, what was short, and the line of code that asked."""
    failure = case.failure
    if failure is None:
        return []
    source = str(failure.place)
    found = [Evidence(source=source, says=failure.text, value=failure.tried_bytes)]
    short = case.balance.short_bytes
    if short and failure.tried_bytes is not None:
        says = f"{gib(failure.tried_bytes)} was asked for, {gib(failure.free_bytes)} was free: {gib(short)} short"
        found.append(Evidence(source=source, says=says, value=short))
    frame = next((frame for frame in reversed(case.frames) if "site-packages" not in frame.file), None)
    if frame is not None:
        says = f"{frame.file}:{frame.line} in {frame.function}" + (f": {frame.code}" if frame.code else "")
        found.append(Evidence(source=str(case.trace.place) if case.trace else source, says=says))
    return found


def rank_lines(case: Case) -> list[Evidence]:
    """Say which rank failed first, and that what the others say after is aftermath."""
    rank = case.first_failing_rank
    failure = case.failure
    if rank is None or failure is None:
        return []
    later = [
        sign
        for sign in case.all("nccl.watchdog", "nccl.heartbeat", "nccl.remote")
        if sign.place.order > failure.place.order
    ]
    found = [Evidence(source=str(failure.place), says=f"rank {rank} failed first", value=rank)]
    if later:
        found.append(
            Evidence(source=str(later[0].place), says="timeouts of other ranks after it are its aftermath")
        )
    return found
