"""Activation checkpointing, as it would have been: what a block saves goes as its forward goes on, and comes again.

The blocks are those that one line of the program calls again and again: the loop over the layers. Each keeps its
output, the last that it made and did not give back, which is what `torch.utils.checkpoint` keeps as the next one's
input. In forward the rest goes as soon as the next operation has used it, as it does where nothing is saved. In
backward the block's forward is asked for again, with what it gave back itself, when the block after it is done.
"""

from __future__ import annotations

from itertools import groupby, pairwise
from typing import TYPE_CHECKING

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


def checkpointed(study: DeviceStudy, plan: Plan) -> tuple[Plan, str]:
    """Give the plan with checkpointing, and what it assumes, in words."""
    passes = list(_passes(study))
    line, blocks = _line(study, passes)
    if line is None:
        return plan, "no line was found that calls one block after another: nothing is checkpointed"
    made = _Rewriting(study, plan)
    for rows, over in passes:
        made.rewrite(rows[np.isin(study.lives.stack[rows], line)], over)
    words = (
        f"each of {blocks} blocks keeps its output alone; what else it saves goes as soon as it was used, and is "
        "computed again in backward, one block at a time"
    )
    return made.plan(), words


def _passes(study: DeviceStudy) -> Iterator[tuple[NDArray[np.int64], int]]:
    """Give the rows of each forward pass, by their begin, and the event that ends it: backward's or an optimizer's."""
    phase = study.attribution.phase
    rows = np.flatnonzero((study.lives.begin >= 0) & np.isin(phase, _RUNNING))
    forward = phase[rows] == _FORWARD
    starts = np.flatnonzero(forward & ~np.concatenate([[False], forward[:-1]]))
    for start in starts.tolist():
        after = np.flatnonzero(~forward[start:])
        last = start + int(after[0]) if len(after) else len(rows)
        yield rows[start:last], int(study.lives.begin[rows[last]]) if len(after) else study.events


def _line(
    study: DeviceStudy, passes: list[tuple[NDArray[np.int64], int]]
) -> tuple[NDArray[np.int32] | None, int]:
    """Find the line that calls the blocks: under it lie most bytes of activations, and its first stack comes again.

    Returns:
        The numbers of the stacks that it is in, and how many blocks a pass has.
    """
    lives, category = study.lives, study.attribution.category
    if not passes:
        return None, 0
    saved = [int(lives.size[rows[category[rows] == _ACTIVATIONS]].sum()) for rows, _ in passes]
    rows = passes[int(np.argmax(saved))][0]
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


class _Rewriting:
    """The changed operations of a plan, block by block."""

    def __init__(self, study: DeviceStudy, plan: Plan) -> None:
        self.lives, self.old = study.lives, plan
        self.event: list[int] = []
        self.what: list[int] = []
        self.row: list[int] = []
        self.turn: list[int] = []
        self.ends = np.sort(study.lives.end)
        self.gone = np.zeros(len(study.lives), bool)
        """Rows that go in forward."""
        self.lost = np.zeros(len(study.lives), bool)
        """Those of them that backward never comes to."""
        self.copies: list[int] = []
        """Rows that are asked for once more, beside their own life: temporaries of a block that is computed again."""

    def rewrite(self, rows: NDArray[np.int64], over: int) -> None:
        """Rewrite the blocks of one forward pass; what is still there when it is over, is saved for backward."""
        lives = self.lives
        starts = _starts(lives.stack[rows].astype(np.int64))
        if len(starts) < _LEAST_BLOCKS:
            return
        bounds = [*starts.tolist(), len(rows)]
        for first, last in pairwise(bounds):
            mine = rows[first:last]
            ends = int(lives.begin[rows[last]]) if last < len(rows) else int(lives.begin[mine[-1]]) + 1
            saved = mine[lives.end[mine] >= over][:-1]
            if len(saved):
                self._block(mine, saved, ends, self._again(saved))

    def _again(self, saved: NDArray[np.int64]) -> int:
        """Say when a block is computed again; -1 where backward never came to it.

        Its first node in backward asks for gradients, then gives back what it used of the block; whatever was given
        back just before that, belonged to the node before.
        """
        used = int(self.lives.freed[saved].min())
        if used >= self.lives.events:
            return -1
        before = int(np.searchsorted(self.ends, used)) - 1
        return max(int(self.ends[before]) if before >= 0 else -1, int(self.lives.begin[saved[-1]]) + 1)

    def _block(self, mine: NDArray[np.int64], saved: NDArray[np.int64], ends: int, again: int) -> None:
        lives = self.lives
        back = set(saved[lives.end[saved] < lives.events].tolist()) if again >= 0 else set()
        kept = set(saved.tolist())
        turn = 0
        operations = _operations(mine.tolist(), lives.stack[mine].tolist())
        waiting: list[int] = []
        for index, rows in enumerate(operations):
            after = operations[index + 1] if index + 1 < len(operations) else []
            goes = min(int(lives.begin[after[-1]]) + 1, ends) if after else ends
            for row in rows:
                if row in kept:
                    self._add(goes, FREE, row, 0)
                    self.gone[row] = True
                    self.lost[row] = row not in back
            if not back or index + 1 == len(operations):
                continue
            turn += 1
            passing = []
            for row in rows:
                number = row
                if row not in kept:
                    number = len(lives) + len(self.copies)
                    self.copies.append(row)
                    passing.append(number)
                if row in back or row not in kept:
                    self._add(again, ASK, number, turn)
            turn += 1
            for number in waiting:
                self._add(again, FREE, number, turn)
            waiting = passing
        for number in waiting:
            self._add(again, FREE, number, turn + 1)

    def _add(self, event: int, what: int, row: int, turn: int) -> None:
        self.event.append(event)
        self.what.append(what)
        self.row.append(row)
        self.turn.append(turn)

    def plan(self) -> Plan:
        """Give the plan with all changes; rows that backward never came to do not come back."""
        old = self.old
        closing = (old.what == FREE) | (old.what == PEND)
        row = np.where(closing, old.row, 0)
        keep = ~(((old.what == FREE) & self.lost[row]) | ((old.what == PEND) & self.gone[row]))
        return old.copied(self.copies).with_operations(
            np.concatenate([old.event[keep], np.array(self.event, np.int64)]),
            np.concatenate([old.what[keep], np.array(self.what, np.int8)]),
            np.concatenate([old.row[keep], np.array(self.row, np.int64)]),
            np.concatenate([np.zeros(int(keep.sum()), np.int64), np.array(self.turn, np.int64)]),
        )


def _operations(rows: list[int], stacks: list[int]) -> list[list[int]]:
    """Cut rows into operations: neighbours of one stack."""
    return [
        [row for row, _ in together]
        for _, together in groupby(zip(rows, stacks, strict=True), key=lambda each: each[1])
    ]
