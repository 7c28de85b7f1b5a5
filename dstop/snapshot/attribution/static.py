"""What is older than the ring: of some the blocks at the end have the stack, of others only size and fate speak."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dstop.snapshot.attribution.rules import ODD_WORKSPACE_BYTES, Verdicts, counted, oldest_of_size
from dstop.snapshot.attribution.value import (
    ACTIVATIONS,
    BACKWARD,
    FORWARD,
    GRADIENTS,
    LIKELY,
    LOADING,
    LOGITS,
    OPTIMIZER_STATE,
    PARAMETERS,
    POSSIBLE,
    TEMPORARIES,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from dstop.snapshot.attribution.course import Course
    from dstop.snapshot.attribution.stacks import Read
    from dstop.snapshot.lives import Lives


def judge_static(  # noqa: PLR0917 - one thing each
    lives: Lives,
    older: int,
    read: Read,
    course: Course,
    gradients: Mapping[int, int],
    model: NDArray[np.int64],
) -> Verdicts:
    """Say what each of them is for.

    Args:
        lives: of the device.
        older: how many of them are older than the ring; they come first.
        read: what each stack says.
        course: of the ring.
        gradients: how many of each size a backward pass of the ring leaves.
        model: the sizes of what was loaded in the ring.
    """
    requested, freed, stack = lives.requested[:older], lives.freed[:older], lives.stack[:older]
    found = Verdicts(older)
    held = freed > course.newest
    said = stack > 0
    phase = read.phase[stack]
    known_from_before = bool(said.any())
    # The model keeps its addresses from the beginning; the optimizer's state came after the first step, twice for Adam.
    silent = held & ~said
    weights = oldest_of_size(requested, silent, _less(gradients, counted(model)))
    sized = np.isin(requested, list(gradients))
    if known_from_before:
        # The recording is older than they are, and their stack was empty: that of the autograd engine's threads.
        found.put(silent & (sized | np.isin(requested, model)), GRADIENTS, POSSIBLE)
    else:
        found.put(silent & sized, OPTIMIZER_STATE, POSSIBLE)
        found.put(weights, PARAMETERS, POSSIBLE)
    found.put(silent & (requested == ODD_WORKSPACE_BYTES), TEMPORARIES, LIKELY)
    found.put(said & (phase == FORWARD), ACTIVATIONS, POSSIBLE)
    found.put(said & (phase == BACKWARD), GRADIENTS, POSSIBLE)
    found.put(said & (phase == LOADING), PARAMETERS, POSSIBLE)
    found.put(said & read.load[stack], PARAMETERS, LIKELY)
    found.put(said & read.optimizer[stack] & ~np.isin(phase, (FORWARD, BACKWARD)), OPTIMIZER_STATE, LIKELY)
    found.put(said & read.loss[stack], LOGITS, POSSIBLE)
    _gone(found, freed, course, ~held & ~said, sized)
    return found


def _less(first: Mapping[int, int], second: Mapping[int, int]) -> dict[int, int]:
    return {size: count - second.get(size, 0) for size, count in first.items()}


def _gone(
    found: Verdicts,
    freed: NDArray[np.int64],
    course: Course,
    rows: NDArray[np.bool_],
    sized: NDArray[np.bool_],
) -> None:
    """Read the fate of what was let go in the ring: backward lets activations go, who follows it lets gradients go."""
    number = course.of(freed)
    start, end = course.backward[number], course.backward_end[number]
    in_backward = (freed >= start) & (freed < end)
    found.put(rows & (freed < start), TEMPORARIES, POSSIBLE)
    found.put(rows & in_backward, ACTIVATIONS, POSSIBLE)
    found.put(rows & ~in_backward & sized, GRADIENTS, POSSIBLE)
