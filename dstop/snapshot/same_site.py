"""Which lives are told of as one site."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dstop.snapshot.values import NO_STACK

if TYPE_CHECKING:
    from numpy.typing import NDArray


def site_keys(stack: NDArray[np.int32], category: NDArray[np.int8]) -> NDArray[np.int64]:
    """Give equal numbers to lives of one site: their stack's.

    The empty stack is nobody's: weights that are older than the recording have it, and all of backward. So those are
    told apart by their category, under negative numbers.
    """
    return np.where(stack == NO_STACK, -1 - category.astype(np.int64), stack)
