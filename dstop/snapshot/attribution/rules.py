"""What a life of the ring is for: its stack says which code asked, and how long it was kept says what it asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dstop.model.value import Value
from dstop.snapshot.attribution.course import NEVER
from dstop.snapshot.attribution.value import (
    ACTIVATIONS,
    BACKWARD,
    COMMUNICATION,
    COMPILED,
    EVALUATION,
    FORWARD,
    GRADIENTS,
    INPUT,
    LIKELY,
    LOADING,
    LOGITS,
    OPTIMIZER,
    OPTIMIZER_STATE,
    OTHER,
    PARAMETERS,
    POSSIBLE,
    TEMPORARIES,
    UNKNOWN,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dstop.snapshot.attribution.course import Course

    Rows = NDArray[np.bool_]

ODD_WORKSPACE_BYTES = 8_519_680
_WORKSPACE_BYTES = (ODD_WORKSPACE_BYTES, 33_554_432)
"""`:4096:2:16:8`, and 32 MiB from Hopper on."""
_PASSES = 4
_SETTLED = 3
"""What outlives so many more allocations of loading is no temporary of it."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Told(Value):
    """The lives that began in the ring, one row each, with what their stacks say."""

    begin: NDArray[np.int64]
    freed: NDArray[np.int64]
    requested: NDArray[np.int64]
    phase: NDArray[np.int8]
    loss: Rows
    communication: Rows
    compiled: Rows
    recomputed: Rows
    state: Rows
    load: Rows
    feeding: Rows
    course: Course
    guessed: bool
    """There is no module in the ring; what else runs before backward was taken for the forward pass."""


class Verdicts:
    """Categories as they are found: the later rule has the word."""

    def __init__(self, count: int) -> None:
        self.category = np.full(count, UNKNOWN, np.int8)
        self.confidence = np.full(count, POSSIBLE, np.int8)

    def put(self, rows: Rows, category: int, confidence: int) -> None:
        """Say what these are."""
        self.category[rows] = category
        self.confidence[rows] = confidence


def judge(told: Told) -> Verdicts:
    """Apply all rules."""
    found = Verdicts(len(told.begin))
    number = told.course.of(told.begin)
    _other(told, found, number)
    _loading(told, found)
    _forward(told, found, number)
    _backward(told, found, number)
    _optimizer(told, found)
    _particular(told, found, number)
    return found


def _next(told: Told, rows: Rows) -> NDArray[np.int64]:
    """Give for each life the position of the first allocation after it that is one of `rows`; events where none is."""
    at = np.append(told.begin[rows], told.course.events)
    return at[np.searchsorted(at[:-1], told.begin, side="right")]


def _kept(told: Told, until: NDArray[np.int64]) -> Rows:
    """Say which are alive at a position (of the number of events: at the end)."""
    return told.freed >= until


def _forward(told: Told, found: Verdicts, number: NDArray[np.int64]) -> None:
    """What waits for backward was saved for it; what does not was needed for a moment.

    The last pass may not have come to its backward: then what is alive at the end waits for it, as far as anyone knows.
    """
    mine = told.phase == FORWARD
    backward = told.course.backward[number]
    reached = backward < told.course.events
    saved = _kept(told, np.minimum(backward, told.course.newest + 1))
    sure = POSSIBLE if told.guessed else LIKELY
    found.put(mine & ~saved, TEMPORARIES, sure)
    found.put(mine & saved, ACTIVATIONS, POSSIBLE)
    # What outlives even the next pass is kept by the program: a cache, a graph that nobody lets go.
    following = np.append(told.course.backward_end[1:], told.course.events)[number]
    found.put(mine & saved & reached & (told.freed <= following), ACTIVATIONS, sure)
    looked = told.phase == EVALUATION
    kept = looked & _kept(told, np.full(len(number), told.course.events))
    found.put(looked & ~kept, TEMPORARIES, LIKELY)
    found.put(kept, ACTIVATIONS, POSSIBLE)


def _backward(told: Told, found: Verdicts, number: NDArray[np.int64]) -> None:
    """What outlives backward is a gradient; recomputed activations live until backward has used them."""
    mine = told.phase == BACKWARD
    end = told.course.backward_end[number]
    finished = end <= told.course.events
    kept = _kept(told, np.where(finished, end, told.course.newest + 1))
    found.put(mine & ~kept, TEMPORARIES, LIKELY)
    found.put(mine & kept & finished, GRADIENTS, LIKELY)
    again = mine & told.recomputed
    used = _kept(told, _next(told, mine & ~told.recomputed))
    found.put(again & ~used, TEMPORARIES, LIKELY)
    found.put(again & used & ~(kept & finished), ACTIVATIONS, LIKELY)
    # What the end of backward and `zero_grad` let go between two allocations, and what a failure found unfinished.
    last = told.course.backward_last[number]
    closing = mine & ~told.recomputed & (told.freed > last) & ((told.freed < end) | ~finished)
    _workspaces(told, found, number, closing)
    _doubtful(told, found, closing, number)


def _workspaces(told: Told, found: Verdicts, number: NDArray[np.int64], closing: Rows) -> None:
    """A workspace is what cuBLAS keeps for each thread and stream; it outlives what forward and backward make.

    Its sizes: `parseChosenWorkspaceSize` of aten/src/ATen/cuda/CublasHandlePool.cpp. A gradient may have them too, so
    only what stays although the gradients of its pass were let go is one.
    """
    held = told.freed > told.course.newest
    let_go = np.zeros(len(told.course), bool)
    let_go[number[((found.category == GRADIENTS) | closing) & ~held]] = True
    odd, even = (told.requested == size for size in _WORKSPACE_BYTES)
    found.put(odd & held, TEMPORARIES, LIKELY)
    sized = even & held & (number < len(told.course) - 1)
    forward = (found.category == ACTIVATIONS) & (told.phase == FORWARD)
    backward = (found.category == GRADIENTS) & let_go[number]
    found.put(sized & (forward | backward), TEMPORARIES, LIKELY)


def _doubtful(told: Told, found: Verdicts, rows: Rows, number: NDArray[np.int64]) -> None:
    """Of each size, the oldest are gradients, as many as a pass leaves elsewhere, or as the model has parameters.

    Without either, what is older than half of its backward pass: temporaries are not.
    """
    if not rows.any():
        return
    sizes = gradient_sizes(told, found, number)
    if not sizes:
        made = (found.category == PARAMETERS) & (told.freed > told.course.newest)
        sizes = counted(told.requested[made])
    found.put(rows, TEMPORARIES, POSSIBLE)
    if sizes:
        found.put(_missing(told, found, rows, number, sizes), GRADIENTS, POSSIBLE)
        return
    middle = (told.course.backward[number] + told.course.backward_last[number]) // 2
    found.put(rows & (told.begin < middle), GRADIENTS, POSSIBLE)


def _missing(
    told: Told, found: Verdicts, rows: Rows, number: NDArray[np.int64], sizes: dict[int, int]
) -> Rows:
    """Choose among some rows, for each pass, the oldest of each size, as many as are missing.

    Those that an earlier pass left, and that are still there at the end of this one, count.
    """
    known, most = np.array(sorted(sizes)), np.array([sizes[size] for size in sorted(sizes)])
    place = np.searchsorted(known, told.requested).clip(max=len(known) - 1)
    fits = known[place] == told.requested
    there = np.flatnonzero((found.category == GRADIENTS) & fits)
    last = np.maximum.accumulate(told.course.backward_last)
    until = np.searchsorted(last, told.freed[there])
    count = np.zeros((len(last) + 1, len(known)), np.int64)
    np.add.at(count, (number[there], place[there]), 1)
    np.subtract.at(count, (np.maximum(until, number[there]), place[there]), 1)
    left = most - np.cumsum(count, axis=0)
    at = np.flatnonzero(rows & fits)
    chosen = np.zeros(len(rows), bool)
    chosen[at[rank_of(number[at] * len(known) + place[at]) < left[number[at], place[at]]]] = True
    return chosen


def gradient_sizes(told: Told, found: Verdicts, number: NDArray[np.int64]) -> dict[int, int]:
    """Give how many gradients of each size one pass leaves: of the pass that leaves the most."""
    rows = np.flatnonzero(found.category == GRADIENTS)
    if not len(rows):
        return {}
    most = int(np.argmax(np.bincount(number[rows], weights=told.requested[rows])))
    return counted(told.requested[rows[number[rows] == most]])


def counted(sizes: NDArray[np.int64]) -> dict[int, int]:
    """Count equal ones."""
    each, count = np.unique(sizes, return_counts=True)
    return dict(zip(each.tolist(), count.tolist(), strict=True))


def rank_of(keys: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give for each how many before it are equal to it."""
    order = np.argsort(keys, kind="stable")
    fresh = np.ones(len(keys), bool)
    fresh[1:] = np.diff(keys[order]) != 0
    starts = np.flatnonzero(fresh)
    rank = np.empty(len(keys), np.int64)
    rank[order] = np.arange(len(keys)) - np.repeat(starts, np.diff(np.append(starts, len(keys))))
    return rank


def oldest_of_size(requested: NDArray[np.int64], rows: Rows, most: dict[int, int]) -> Rows:
    """Choose among some rows the first so many of each size."""
    at = np.flatnonzero(rows)
    limit = np.array([most.get(size, 0) for size in requested[at].tolist()], np.int64)
    chosen = np.zeros(len(rows), bool)
    chosen[at[rank_of(requested[at]) < limit]] = True
    return chosen


def _optimizer(told: Told, found: Verdicts) -> None:
    """What outlives the optimizer's step is its state; where the step failed, what it made for that."""
    mine = told.phase == OPTIMIZER
    after = _next(told, ~mine)
    kept = _kept(told, after)
    found.put(mine & ~kept, TEMPORARIES, LIKELY)
    found.put(mine & kept, OPTIMIZER_STATE, LIKELY)
    failed = mine & told.course.failed & (after == told.course.events) & (told.freed > told.course.newest)
    found.put(failed, TEMPORARIES, POSSIBLE)
    found.put(failed & told.state, OPTIMIZER_STATE, LIKELY)


def _loading(told: Told, found: Verdicts) -> None:
    """What loading leaves behind is the model, or the state of an optimizer that was filled from a checkpoint."""
    mine = told.phase == LOADING
    at = np.append(told.begin[mine], np.full(_SETTLED, told.course.events))
    later = at[np.searchsorted(at[: len(at) - _SETTLED], told.begin, side="right") + _SETTLED - 1]
    kept = _kept(told, np.minimum(later, _next(told, ~mine)))
    found.put(mine & ~kept, TEMPORARIES, POSSIBLE)
    found.put(mine & kept, PARAMETERS, POSSIBLE)
    found.put(mine & kept & told.load, PARAMETERS, LIKELY)
    found.put(mine & kept & told.state, OPTIMIZER_STATE, LIKELY)


def _other(told: Told, found: Verdicts, number: NDArray[np.int64]) -> None:
    """Lines of the program outside of everything: a batch before forward, a loss of its own after it."""
    mine = told.phase == OTHER
    core = (told.phase == FORWARD) | (told.phase == BACKWARD) | (told.phase == OPTIMIZER)
    at = np.flatnonzero(core)
    before = np.searchsorted(at, np.arange(len(core)))
    kinds = np.concatenate([[OTHER], told.phase[at], [OTHER]])
    previous, following = kinds[before], kinds[before + 1]
    backward = told.course.backward[number]
    between = mine & (previous == FORWARD) & (following == BACKWARD)
    saved = _kept(told, np.minimum(backward, told.course.events))
    found.put(between & ~saved, TEMPORARIES, POSSIBLE)
    found.put(between & saved, ACTIVATIONS, POSSIBLE)
    # A batch is gone some passes later, also where an iteration has several; the last ones may not have gone yet.
    later = np.append(told.course.backward_end, [NEVER] * _PASSES)[number + _PASSES]
    batch = mine & ~between & (following == FORWARD) & (told.freed <= later)
    found.put(batch, INPUT, POSSIBLE)
    found.put(mine & told.feeding, INPUT, LIKELY)


def _particular(told: Told, found: Verdicts, number: NDArray[np.int64]) -> None:
    """Losses, collectives and compiled code have categories of their own, where what they made is nothing better."""
    running = (told.phase != LOADING) & (told.phase != OPTIMIZER)
    found.put(told.loss & running & (found.category != GRADIENTS), LOGITS, LIKELY)
    passing = np.isin(found.category, (TEMPORARIES, ACTIVATIONS, UNKNOWN, INPUT))
    found.put(told.communication & passing & ~told.loss, COMMUNICATION, LIKELY)
    of_code = told.compiled & ~np.isin(told.requested, _WORKSPACE_BYTES)
    found.put(of_code & np.isin(found.category, (TEMPORARIES, UNKNOWN, INPUT)), COMPILED, LIKELY)
    logits = _logits(told, number)
    found.put(logits & np.isin(found.category, (TEMPORARIES, ACTIVATIONS)), LOGITS, POSSIBLE)


_NEAR = 8
"""The logits are among so many allocations before the loss, and their gradients among so many of backward."""


def _logits(told: Told, number: NDArray[np.int64]) -> Rows:
    """Find what is as large as the largest that the loss asked for, or half so, just before the loss or after."""
    chosen = np.zeros(len(number), bool)
    loss = np.flatnonzero(told.loss & (told.phase == FORWARD))
    largest, first = np.zeros(len(told.course), np.int64), np.full(len(told.course), len(number))
    np.maximum.at(largest, number[loss], told.requested[loss])
    np.minimum.at(first, number[loss], loss)
    backward = np.searchsorted(told.begin, told.course.backward)
    some = np.flatnonzero(largest)

    def choose(at: NDArray[np.int64], size: NDArray[np.int64]) -> Rows:
        row = at.clip(0, len(number) - 1)
        hit: Rows = (row == at) & (told.requested[row] == size) & (number[row] == some)
        chosen[row[hit]] = True
        return hit

    # Half of it is half precision, which the loss has made whole: not where the logits are whole already.
    for part in (1, 2):
        whole = np.zeros(len(some), bool)
        for near in range(_NEAR):
            whole |= choose(first[some] - 1 - near, largest[some] // part)
            choose(backward[some] + near, largest[some] // part)
        some = some[~whole]
    return chosen
