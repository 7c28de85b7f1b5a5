"""The course of a ring: passes (forward, backward, optimizer), where each begins and ends, and the training steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dstop.model.value import Value
from dstop.snapshot.attribution.value import BACKWARD, FORWARD, OPTIMIZER
from dstop.snapshot.values import Action

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dstop.snapshot.values import Trace

NEVER = 1 << 62
"""A position that nothing reaches."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Course(Value):
    """One row a pass; a pass begins with the first forward allocation after a backward or an optimizer's.

    Gradient accumulation has several passes a step; inference has one pass, without backward.
    """

    begin: NDArray[np.int64]
    """Position; the first pass begins with the ring."""
    backward: NDArray[np.int64]
    """Position of its first backward allocation; `NEVER` where there is none."""
    backward_last: NDArray[np.int64]
    """Position of its last backward allocation; -1 where there is none."""
    backward_end: NDArray[np.int64]
    """Position of the first allocation after its last backward one that is not backward's; `NEVER` where none is.

    Where the ring simply ends after a backward pass, the number of events; what is alive then has outlived it.
    """
    optimized: NDArray[np.bool_]
    """An optimizer has allocated in it."""
    events: int
    failed: bool
    """An allocation failed after the last one that did not: the last pass was never finished."""
    newest: int
    """Position of the last allocation, or of the one that failed: what goes later goes with the program."""

    def __len__(self) -> int:
        return len(self.begin)

    def of(self, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        """Give the number of the pass at each position."""
        return np.searchsorted(self.begin[1:], positions, side="right")


def course_of(begin: NDArray[np.int64], phase: NDArray[np.int8], events: int, trace: Trace | None) -> Course:
    """Cut the ring into passes.

    Args:
        begin: the positions of the allocations of the ring, rising.
        phase: of each.
        events: how many the ring has.
        trace: the ring, to see whether it ends with a failure.
    """
    core = np.flatnonzero((phase == FORWARD) | (phase == BACKWARD) | (phase == OPTIMIZER))
    kind = phase[core]
    fresh = np.zeros(len(core), np.int64)
    fresh[1:] = (kind[1:] == FORWARD) & (kind[:-1] != FORWARD)
    number = np.cumsum(fresh)
    count = int(number[-1]) + 1 if len(core) else 1
    starts = np.zeros(count, np.int64)
    starts[1:] = begin[core[fresh == 1]]
    first, last = np.full(count, NEVER), np.full(count, -1)
    back = kind == BACKWARD
    np.minimum.at(first, number[back], begin[core[back]])
    np.maximum.at(last, number[back], begin[core[back]])
    optimized = np.zeros(count, bool)
    optimized[number[kind == OPTIMIZER]] = True
    others = begin[phase != BACKWARD]
    newest = int(begin[-1]) if len(begin) else 0
    failures = np.empty(0, np.int64)
    if trace is not None:
        failures = newest + np.flatnonzero(trace.action[newest:] == Action.OOM)
    failed = len(failures) > 0
    after = np.append(others, NEVER if failed else events)[np.searchsorted(others, last, side="right")]
    return Course(
        begin=starts,
        backward=first,
        backward_last=last,
        backward_end=np.where(last >= 0, after, NEVER),
        optimized=optimized,
        events=events,
        failed=failed,
        newest=int(failures[0]) if failed else newest if len(begin) else events - 1,
    )


def steps_of(
    course: Course,
    gradients: tuple[NDArray[np.int64], NDArray[np.int64]],
    begin: NDArray[np.int64],
    phase: NDArray[np.int8],
) -> tuple[int, ...]:
    """Say where training steps end: where the optimizer has been, or gradients are freed, before the next backward.

    Without either in the whole ring (an optimizer that allocates nothing, gradients kept), each backward ends a step.

    Args:
        course: of the ring.
        gradients: the positions where gradients are freed, and their bytes.
        begin: the positions of the allocations of the ring, rising.
        phase: of each.
    """
    trained = np.flatnonzero(course.backward_end < NEVER)
    first = np.append(course.backward[1:], course.events)
    order = np.argsort(gradients[0], kind="stable")
    gone, total = gradients[0][order], np.concatenate([[0], np.cumsum(gradients[1][order])])
    after, before = (
        np.searchsorted(gone, first[trained]),
        np.searchsorted(gone, course.backward_last[trained]),
    )
    freed = total[after] - total[before]
    # Most of them: between the passes of one step only what a pass had for itself goes.
    ends = course.optimized[trained] | (freed > max(freed.tolist(), default=0) // 2)
    if not ends.any():
        ends = np.ones(len(trained), bool)
    core = begin[(phase == BACKWARD) | (phase == OPTIMIZER)]
    made = []
    for number in trained[ends].tolist():
        if course.failed and number == len(course) - 1:
            continue
        limit = course.begin[number + 1] if number + 1 < len(course) else course.events
        newest = core[int(np.searchsorted(core, limit)) - 1]
        next_one = int(np.searchsorted(begin, newest, side="right"))
        made.append(int(begin[next_one]) if next_one < len(begin) else course.events)
    return tuple(sorted(set(made)))
