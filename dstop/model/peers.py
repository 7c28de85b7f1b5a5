"""Ranks of one job beside each other, each judged by what it should hold itself.

The first and the last stage of a pipeline hold more than those between: the embedding, the head, the logits; and the
first keeps the activations of most micro-batches (Narayanan et al., arXiv 2104.04473, section 2.2). That is no fault.
"""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dstop.model.process import GpuProcess, ProcessKey


ODD_SHARE, ODD_BYTES = 0.10, 512 * 2**20
"""Ranks of a sharded job differ by some blocks; the one that will fail differs by more than both."""
LEAST_RANKS = 3
"""Of two, nobody can say which is the odd one."""


def is_odd(off_bytes: float, usual_bytes: float) -> bool:
    """Whether a rank that is so far from what is usual among its peers is an odd one."""
    return abs(off_bytes) > ODD_BYTES and abs(off_bytes) > ODD_SHARE * usual_bytes


def due_bytes(rows: Sequence[GpuProcess]) -> Mapping[ProcessKey, float]:
    """Give by how much each rank should hold more than the median of its peers, by its own expectation.

    Nought for all where it is not known of all: half of a comparison is none.
    """
    expected = {
        row.key: row.expectation.expected_bytes
        for row in rows
        if row.expectation is not None and row.expectation.expected_bytes is not None
    }
    if len(expected) < len({row.key for row in rows}):
        return {row.key: 0.0 for row in rows}
    middle = median(expected.values()) if expected else 0
    return {key: amount - middle for key, amount in expected.items()}
