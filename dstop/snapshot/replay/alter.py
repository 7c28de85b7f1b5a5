"""Changing what was asked for: another batch, and what leaks let go."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dstop.model.study import CATEGORIES, PHASES
from dstop.snapshot.growth import rows_of
from dstop.snapshot.replay.plan import FREE, PEND

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dstop.snapshot.replay.plan import Plan
    from dstop.snapshot.study import DeviceStudy

SCALES = tuple(CATEGORIES.index(name) for name in ("activations", "logits", "temporaries", "input"))
"""What there is more of with a larger batch; weights, gradients and optimizer state stay."""
_TEMPORARIES = CATEGORIES.index("temporaries")
_MODEL = tuple(CATEGORIES.index(name) for name in ("parameters", "gradients", "optimizer_state"))
_OPTIMIZER, _FORWARD, _BACKWARD = (PHASES.index(name) for name in ("optimizer", "forward", "backward"))
_LEAST = 512
"""Smaller requests are scalars, and take a block of 512 bytes anyway."""


def scaled(study: DeviceStudy, plan: Plan, factor: float, old: int | None) -> Plan:
    """Give the plan of another batch: what depends on it has `factor` of its size.

    Args:
        study: of the recording.
        plan: to change.
        factor: new / old.
        old: the recorded batch where it is known; what is no multiple of it does not depend on it.
    """
    grows = _grows(study, old)
    requested = np.where(grows, np.ceil(plan.requested * factor).astype(np.int64), plan.requested)
    failing = tuple(
        (int(np.ceil(size * factor)) if _fails_growing(study, each.event, grows) else size, stream)
        for (size, stream), each in zip(plan.failing, study.failures, strict=True)
    )
    return plan.resized(requested, failing)


def _grows(study: DeviceStudy, old: int | None) -> NDArray[np.bool_]:
    lives, told = study.lives, study.attribution
    grows = np.isin(told.category, SCALES) & (lives.requested > _LEAST)
    passing = told.category == _TEMPORARIES
    grows &= ~(passing & (told.phase == _OPTIMIZER))
    # What backward makes on its way to a gradient has the size of a weight.
    weights = np.unique(lives.requested[np.isin(told.category, _MODEL)])
    grows &= ~(passing & (told.phase == _BACKWARD) & np.isin(lives.requested, weights))
    if old is not None and old > 1:
        grows &= lives.requested % old == 0
    return np.asarray(grows, np.bool_)


def _fails_growing(study: DeviceStudy, event: int, grows: NDArray[np.bool_]) -> bool:
    """Say whether a failed request depends on the batch: as others of its stack do, else by its phase."""
    lives, trace = study.lives, study.snapshot.trace_of(study.device)
    if trace is None:
        return False
    stack = int(trace.stack[event])
    same = np.flatnonzero((lives.stack == stack) & (lives.begin >= 0))
    if stack and len(same):
        return bool(grows[same].mean() > 0.5)  # noqa: PLR2004 - most of them
    before = int(np.searchsorted(lives.begin, event)) - 1
    return before >= 0 and int(study.attribution.phase[before]) in {_FORWARD, _BACKWARD}


def without_leaks(study: DeviceStudy, plan: Plan) -> tuple[Plan, int]:
    """End what grows from step to step where its step ends.

    Returns:
        The changed plan, and how many lives it ends.
    """
    ends = study.lives.end.copy()
    ended = np.zeros(len(ends), bool)
    for growth in study.growth:
        rows, at = rows_of(study, growth)
        ends[rows] = np.minimum(ends[rows], at)
        ended[rows] = True
    ended &= ends < study.lives.end
    return ended_at(plan, ended, ends), int(ended.sum())


def ended_at(plan: Plan, ended: NDArray[np.bool_], ends: NDArray[np.int64]) -> Plan:
    """Give a plan in which the marked rows end at other events."""
    closing = (plan.what == FREE) | (plan.what == PEND)
    keep = ~(closing & ended[np.where(closing, plan.row, 0)]) if len(ended) else np.ones(len(plan.what), bool)
    rows = np.flatnonzero(ended)
    return plan.with_operations(
        np.concatenate([plan.event[keep], ends[rows]]),
        np.concatenate([plan.what[keep], np.full(len(rows), FREE, np.int8)]),
        np.concatenate([plan.row[keep], rows]),
    )
