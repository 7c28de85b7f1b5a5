"""Activation checkpointing, as it would have been: what a block saves goes when its forward ends, and comes again.

The blocks are those that one line of the program calls again and again: the loop over the layers. Each keeps its
output, the last that it made and did not give back, which is what `torch.utils.checkpoint` keeps as the next one's
input; the rest is asked for again in backward, just before the first of it is used, and goes when it really went.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dstop.model.study import CATEGORIES, PHASES
from dstop.snapshot.replay.plan import ASK, FREE, PEND

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from dstop.model.segment import Place
    from dstop.snapshot.replay.plan import Plan
    from dstop.snapshot.study import DeviceStudy

_ACTIVATIONS = CATEGORIES.index("activations")
_FORWARD = PHASES.index("forward")
_RUNNING = tuple(PHASES.index(name) for name in ("forward", "backward", "optimizer"))
_LEAST_BLOCKS = 2


class _Again(NamedTuple):
    """A row that goes at one event, and comes again at another; `again` is -1 where backward was never reached."""

    row: int
    gone: int
    again: int


def checkpointed(study: DeviceStudy, plan: Plan) -> tuple[Plan, str]:
    """Give the plan with checkpointing, and what it assumes, in words."""
    passes = list(_passes(study))
    line, blocks = _line(study, passes)
    if line is None:
        return plan, "no line was found that calls one block after another: nothing is checkpointed"
    gone: list[_Again] = []
    for rows in passes:
        gone += _of_pass(study, rows[np.isin(study.lives.stack[rows], line)])
    words = (
        f"each of {blocks} blocks keeps its output alone; what else it saves goes when its forward ends, and is "
        "computed again in backward, one block at a time"
    )
    return _rewritten(study, plan, gone), words


def _passes(study: DeviceStudy) -> Iterator[NDArray[np.int64]]:
    """Give the rows of each forward pass, by their begin; backward or an optimizer ends it."""
    phase = study.attribution.phase
    rows = np.flatnonzero((study.lives.begin >= 0) & np.isin(phase, _RUNNING))
    forward = phase[rows] == _FORWARD
    starts = np.flatnonzero(forward & ~np.concatenate([[False], forward[:-1]]))
    for start in starts.tolist():
        after = np.flatnonzero(~forward[start:])
        yield rows[start : start + int(after[0]) if len(after) else len(rows)]


def _line(study: DeviceStudy, passes: list[NDArray[np.int64]]) -> tuple[NDArray[np.int32] | None, int]:
    """Find the line that calls the blocks: under it lie most bytes of activations, and its first stack comes again.

    Returns:
        The numbers of the stacks that it is in, and how many blocks a pass has.
    """
    lives, category = study.lives, study.attribution.category
    if not passes:
        return None, 0
    saved = [int(lives.size[rows[category[rows] == _ACTIVATIONS]].sum()) for rows in passes]
    rows = passes[int(np.argmax(saved))]
    number, where = np.unique(lives.stack[rows], return_inverse=True)
    weight = np.bincount(
        where, weights=np.where(category[rows] == _ACTIVATIONS, lives.size[rows], 0), minlength=len(number)
    )
    under: dict[Place, list[int]] = {}
    depth: dict[Place, int] = {}
    for index, stack in enumerate(number.tolist()):
        places = study.snapshot.stacks[stack]
        for height, place in enumerate(dict.fromkeys(reversed(places))):
            under.setdefault(place, []).append(index)
            depth.setdefault(place, height)
    ranked = sorted(under, key=lambda each: (-weight[under[each]].sum(), depth[each]))
    for place in ranked:
        if not weight[under[place]].sum():
            break
        blocks = len(_starts(where[np.isin(where, under[place])]))
        if blocks >= _LEAST_BLOCKS:
            return number[under[place]], blocks
    return None, 0


def _starts(stack: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give where the first stack of a sequence begins again, its very beginning included."""
    if not len(stack):
        return np.empty(0, np.int64)
    first = stack == stack[0]
    return np.flatnonzero(first & ~np.concatenate([[False], first[:-1]]))


def _of_pass(study: DeviceStudy, rows: NDArray[np.int64]) -> list[_Again]:
    lives = study.lives
    starts = _starts(lives.stack[rows].astype(np.int64))
    if len(starts) < _LEAST_BLOCKS:
        return []
    found = []
    bounds = [*starts.tolist(), len(rows)]
    for first, last in pairwise(bounds):
        mine = rows[first:last]
        ends = int(lives.begin[rows[last]]) if last < len(rows) else int(lives.begin[mine[-1]]) + 1
        saved = mine[lives.end[mine] > ends]
        if len(saved) < _LEAST_BLOCKS:
            continue
        saved = saved[:-1]
        used = lives.freed[saved]
        again = int(used.min()) - 1 if (used < lives.events).any() else -1
        for row, end in zip(saved.tolist(), lives.end[saved].tolist(), strict=True):
            found.append(_Again(row, ends, again if end < lives.events and again > ends else -1))
    return found


def _rewritten(study: DeviceStudy, plan: Plan, gone: list[_Again]) -> Plan:
    """Let the rows go, and ask for them again; those that backward never came to do not come back."""
    lost = np.zeros(len(study.lives), bool)
    lost[[each.row for each in gone if each.again < 0]] = True
    pends = np.zeros(len(study.lives), bool)
    pends[[each.row for each in gone]] = True
    drop = ((plan.what == FREE) & lost[np.minimum(plan.row, len(lost) - 1)]) | (
        (plan.what == PEND) & pends[np.minimum(plan.row, len(lost) - 1)]
    )
    back = [each for each in gone if each.again >= 0]
    return plan.with_operations(
        np.concatenate(
            [plan.event[~drop], [each.gone for each in gone], [each.again for each in back]]
        ).astype(np.int64),
        np.concatenate([plan.what[~drop], np.full(len(gone), FREE), np.full(len(back), ASK)]).astype(np.int8),
        np.concatenate([plan.row[~drop], [each.row for each in gone], [each.row for each in back]]).astype(
            np.int64
        ),
    )
