"""Whether a run lived on after memory was refused: it says that it tries again, or makes progress behind it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dstop.doctor.questions.aftermath import FAULTS, NAMED_KILLS, SILENT_KILLS
from dstop.model.value import Value

if TYPE_CHECKING:
    from dstop.doctor.case import Case
    from dstop.doctor.evidence.facts import AllocationFailure, Sign, Trace

_WORDS = (
    "benign.retry",
    "benign.batch_finder",
    "benign.skipped_batch",
    "benign.fallback",
    "benign.bfc",
    "benign.tactic",
    "benign.autotune",
)
"""What a program says that caught the failure."""

_LINES_AFTER = 40
"""Its words stand behind the failure, or behind its memory summary; what stands before it was of an earlier attempt."""

_BAR = re.compile(r"(\d{1,9})/(\d{1,9}) \[")
_OF_MEMORY = re.compile(r"(?i)out of memory|OutOfMemory|\bOOM\b|MemoryError")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Survival(Value):
    """A refused allocation that the run survived."""

    failure: AllocationFailure
    """The first."""
    count: int
    words: Sign | None = None
    """What the program said of it."""
    went_on: Sign | None = None
    """The progress after the last."""


def survived(case: Case) -> Survival | None:
    """Say how a run lived on after the last refused allocation; None where it did not, or none was refused."""
    failures = sorted(
        (one for found in case.found for one in (*found.failures, *found.host_failures)),
        key=lambda one: one.place.order,
    )
    if not failures or case.has("benign.gave_up"):
        return None
    last = failures[-1]
    said = [_words_at(case, one) for one in failures]
    went_on = _progress_after(case, last, is_expected=all(said))
    if went_on is None and not all(said):
        return None
    began = went_on.place.order if went_on is not None else last.place.order
    if _ended_after(case, began) or _began_anew(case, last, began):
        return None
    if not all(said) and _was_uncaught(case, last):
        return None
    return Survival(
        failure=failures[0],
        count=len(failures),
        words=next((one for one in said if one is not None), None),
        went_on=went_on,
    )


def _words_at(case: Case, failure: AllocationFailure) -> Sign | None:
    order = failure.place.order
    return next((sign for sign in case.all(*_WORDS) if 0 <= sign.place.order - order <= _LINES_AFTER), None)


_NODE_ENDED = "Prompt executed"
_NODE_FAILED = (
    r"Error occurred when executing|!!! Exception during processing|Error loading|Got an OOM, unloading"
)
"""ComfyUI says that a prompt was executed also when one of its nodes failed."""


def _progress_after(case: Case, failure: AllocationFailure, *, is_expected: bool) -> Sign | None:
    """Give the sign of progress after a failure.

    A bar that is closed by an exception prints its state once more: it counts where it moves on or is full. One line is
    enough where the program said that it would go on.
    """
    after = [
        sign
        for sign in case.all("progress.step", "progress.done")
        if sign.place.order > failure.place.order
        and not (_NODE_ENDED in sign.text and case.says(_NODE_FAILED))
        and (failure.rank is None or sign.rank is None or sign.rank == failure.rank)
    ]
    done = next((sign for sign in after if sign.kind == "progress.done"), None)
    if done is not None:
        return done
    bars: dict[str, set[str]] = {}
    lines = 0
    for sign in after:
        bar = _BAR.search(sign.text)
        if bar is None:
            lines += 1
        else:
            bars.setdefault(bar[2], set()).add(bar[1])
            if bar[1] == bar[2] != "1":
                return sign
    if lines >= (1 if is_expected else 2) or any(len(states) > 1 for states in bars.values()):
        return after[-1]
    return after[-1] if after and is_expected else None


def _ended_after(case: Case, order: int) -> bool:
    """Whether the run was ended after this: by an error, a signal or a fault."""
    errors = (one for one in case.traces if one.error is not None)
    if any(one.place.order > order and not _is_of_memory(one) for one in errors):
        return True
    ends = case.all(*FAULTS, *NAMED_KILLS, *SILENT_KILLS, "torch.elastic_root", "nccl.watchdog")
    return any(sign.place.order > order for sign in ends)


def _is_of_memory(trace: Trace) -> bool:
    return _OF_MEMORY.search(f"{trace.error}: {trace.message}") is not None


def _began_anew(case: Case, failure: AllocationFailure, order: int) -> bool:
    """Whether a new command stands between: then another run succeeded."""
    return any(failure.place.order < one.place.order < order for one in case.all("shell.command"))


def _was_uncaught(case: Case, failure: AllocationFailure) -> bool:
    """Whether the traceback of the failure begins at the top of the program: nobody caught it."""
    return any(
        one.place.order == failure.place.order and one.frames and one.frames[0].function == "<module>"
        for one in case.traces
    )
