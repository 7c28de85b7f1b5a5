"""What each life is for.

Exact where the process named its tensors (dstop's hook does); else read off the stack, which says what code asked, and
off the life itself, which says how long it was kept: what forward saves for backward is an activation, what outlives
backward is a gradient, what outlives the optimizer's step is its state. Every answer carries how sure it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dstop.snapshot.attribution.course import course_of, steps_of
from dstop.snapshot.attribution.exact import name_exactly
from dstop.snapshot.attribution.rules import Told, gradient_sizes, judge
from dstop.snapshot.attribution.stacks import Read, read_stacks
from dstop.snapshot.attribution.static import judge_static
from dstop.snapshot.attribution.value import (
    BACKWARD,
    EVALUATION,
    FORWARD,
    GRADIENTS,
    OTHER,
    PARAMETERS,
    Attribution,
)
from dstop.snapshot.values import NO_STACK, NO_TEXT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dstop.snapshot.lives import Lives
    from dstop.snapshot.values import Snapshot, Trace

__all__ = ["Attribution", "attribute"]


def attribute(snapshot: Snapshot, lives: Lives) -> Attribution:
    """Say what each life is for, in which phase it was asked for, and where the training steps end.

    Args:
        snapshot: that the lives are of.
        lives: of one device.
    """
    read = read_stacks(snapshot.stacks)
    trace = snapshot.trace_of(lives.device)
    older = int(np.searchsorted(lives.begin, 0))
    told = _tell(lives, read, trace, older)
    young = judge(told)
    number = told.course.of(told.begin)
    gradients = gradient_sizes(told, young, number)
    model = told.requested[(young.category == PARAMETERS) & (told.freed >= lives.events)]
    old = judge_static(lives, older, read, told.course, gradients, model)
    category = np.concatenate([old.category, young.category])
    confidence = np.concatenate([old.confidence, young.confidence])
    names = name_exactly(snapshot, lives, category, confidence)
    gone = (young.category == GRADIENTS) & (told.freed < lives.events)
    return Attribution(
        category=category,
        confidence=confidence,
        phase=np.concatenate([np.full(older, OTHER, np.int8), told.phase]),
        names=names,
        steps=steps_of(told.course, (told.freed[gone], told.requested[gone]), told.begin, told.phase),
    )


def _not_evaluated(
    phase: NDArray[np.int8],
    freed: NDArray[np.int64],
    begin: NDArray[np.int64],
    stack: NDArray[np.int32],
    events: int,
) -> NDArray[np.int8]:
    """Take back what a function's name said: what backward has used was no evaluation, whatever it is called."""
    looked = phase == EVALUATION
    if not looked.any():
        return phase
    phase = np.where(looked, FORWARD, phase).astype(np.int8)
    course = course_of(begin, phase, events, None)
    number = course.of(begin)
    used = looked & (freed > course.backward[number]) & (freed < course.backward_end[number])
    return np.where(looked & ~np.isin(stack, stack[used]), EVALUATION, phase).astype(np.int8)


def _tell(lives: Lives, read: Read, trace: Trace | None, older: int) -> Told:
    """Give the lives of the ring what their stacks say; an empty stack is that of autograd's own threads.

    Only where others are not empty: then stacks were recorded, and those threads run no Python. In a ring without any
    stack nobody knows.
    """
    stack, begin = lives.stack[older:], lives.begin[older:]
    phase = read.phase[stack].copy()
    if np.any(stack != NO_STACK):
        phase[stack == NO_STACK] = BACKWARD
    phase = _not_evaluated(phase, lives.freed[older:], begin, stack, lives.events)
    guessed = not np.any(phase == FORWARD) and bool(np.any(phase == BACKWARD))
    feeding = read.feeding[stack]
    if guessed:
        phase[(phase == OTHER) & ~feeding] = FORWARD
    compiled = read.compiled[stack]
    if trace is not None and len(trace):
        compiled = compiled | (trace.compiled[begin] != NO_TEXT)
    return Told(
        begin=begin,
        freed=lives.freed[older:],
        requested=lives.requested[older:],
        phase=phase,
        loss=read.loss[stack],
        communication=read.communication[stack],
        compiled=compiled,
        recomputed=read.recomputed[stack],
        state=read.state[stack],
        load=read.load[stack],
        feeding=feeding,
        course=course_of(begin, phase, lives.events, trace),
        guessed=guessed,
    )
