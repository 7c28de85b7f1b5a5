"""What each distinct stack says: the phase it was in, and what kind of code asked. Stacks are few, lives are many."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dstop.model.value import Value
from dstop.snapshot.attribution.places import Mark, marks_of
from dstop.snapshot.attribution.value import BACKWARD, EVALUATION, FORWARD, LOADING, OPTIMIZER, OTHER

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dstop.snapshot.values import Stacks

_FAR = 1 << 30
"""The place of a mark that a stack does not have."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Read(Value):
    """One row a stack; the empty one (number 0) says nothing."""

    phase: NDArray[np.int8]
    loss: NDArray[np.bool_]
    """The loss asked, and no module within it."""
    communication: NDArray[np.bool_]
    compiled: NDArray[np.bool_]
    recomputed: NDArray[np.bool_]
    """The forward pass, again, within backward."""
    state: NDArray[np.bool_]
    """An optimizer, where it makes its state or fills it from a checkpoint."""
    optimizer: NDArray[np.bool_]
    """An optimizer has a line in it, wherever."""
    load: NDArray[np.bool_]
    """torch.nn's or a library's own loading code, not merely somebody's `__init__`."""
    feeding: NDArray[np.bool_]
    """A data loader or the like asked."""


def read_stacks(stacks: Stacks) -> Read:
    """Mark the places, and let the innermost marks of each stack decide.

    Innermost, because frameworks nest: a closure runs the forward pass within the optimizer's step, checkpointing runs
    it within backward, and a launcher's wrapper encloses everything.
    """
    first = _firsts(stacks)
    optimizer, forward, loss = first(Mark.OPTIMIZER | Mark.STATE), first(Mark.FORWARD), first(Mark.LOSS)
    backward, recompute = first(Mark.BACKWARD | Mark.RECOMPUTE), first(Mark.RECOMPUTE)
    named, made = first(Mark.LOAD), first(Mark.INIT)
    work = np.minimum(forward, loss)
    load = (named < work) & (named < backward)
    in_backward = (backward < _FAR) & (backward < optimizer) & ~load
    in_optimizer = (optimizer < _FAR) & (optimizer < work) & ~in_backward & ~load
    in_forward = (work < _FAR) & ~in_backward & ~in_optimizer & ~load
    # Whoever switches gradients off around the forward pass evaluates; around an optimizer's step it is the optimizer.
    without = first(Mark.EVALUATION) < _FAR
    decorated = first(Mark.NO_GRAD)
    without |= (decorated < _FAR) & (decorated > work) & (optimizer == _FAR)
    phase = np.full(len(stacks), OTHER, np.int8)
    phase[load | (made < np.minimum(np.minimum(work, backward), optimizer))] = LOADING
    phase[in_forward] = FORWARD
    phase[in_forward & without] = EVALUATION
    phase[in_optimizer] = OPTIMIZER
    phase[in_backward] = BACKWARD
    return Read(
        phase=phase,
        loss=(loss < _FAR) & (loss < forward) & ~load,
        communication=(first(Mark.COMMUNICATION) < np.minimum(work, optimizer)) & ~load,
        compiled=first(Mark.COMPILED) < np.minimum(work, np.minimum(backward, optimizer)),
        recomputed=in_backward & (work < recompute) & (recompute < _FAR),
        state=(first(Mark.STATE) < _FAR) | (load & (optimizer < _FAR)),
        optimizer=optimizer < _FAR,
        load=load,
        feeding=first(Mark.INPUT) < np.minimum(np.minimum(work, backward), np.minimum(optimizer, made)),
    )


class _firsts:  # noqa: N801 - called like the function that it is
    """For some marks: how many lines further in than the first line that has one of them, in each stack."""

    def __init__(self, stacks: Stacks) -> None:
        lengths = np.diff(stacks.offsets)
        self._full = np.flatnonzero(lengths)
        self._starts = stacks.offsets[:-1][self._full]
        self._at = np.arange(len(stacks.members)) - np.repeat(stacks.offsets[:-1], lengths)
        self._marks = np.array(marks_of(stacks.places) or [0], np.int32)[stacks.members]
        self._count = len(stacks)

    def __call__(self, marks: Mark) -> NDArray[np.int64]:
        found = np.full(self._count, _FAR, np.int64)
        if len(self._full):
            at = np.where(self._marks & int(marks), self._at, _FAR)
            found[self._full] = np.minimum.reduceat(at, self._starts)
        return found
