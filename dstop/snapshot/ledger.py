"""Bytes of each category at any position, in a few look-ups: what a timeline asks for at every zoom.

Of each category the begins and the ends of its lives are kept in order, with the bytes added up along them. What is
live after `p` events is what began before less what ended before: `begin < p`, `end < p`, as `alive_at` has it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dstop.model.value import Value

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dstop.snapshot.lives import Lives


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Account(Value):
    """One category: when its lives began and ended, rising, and the bytes of the first 0, 1, 2 … of them."""

    begins: NDArray[np.int64]
    came: NDArray[np.int64]
    ends: NDArray[np.int64]
    went: NDArray[np.int64]

    def at(self, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        """Give the live bytes at each position."""
        came = self.came[np.searchsorted(self.begins, positions)]
        return np.asarray(came - self.went[np.searchsorted(self.ends, positions)], np.int64)


def accounts_of(lives: Lives, category: NDArray[np.int8], categories: int) -> tuple[Account, ...]:
    """Make the account of each category.

    Args:
        lives: by `begin`.
        category: of each life.
        categories: how many there are.
    """
    by_end = np.argsort(lives.end, kind="stable")
    made = []
    for number in range(categories):
        rows = np.flatnonzero(category == number)
        gone = by_end[category[by_end] == number]
        made.append(
            Account(
                begins=lives.begin[rows],
                came=_added(lives.size[rows]),
                ends=lives.end[gone],
                went=_added(lives.size[gone]),
            )
        )
    return tuple(made)


def _added(sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes, dtype=np.int64)])
