"""Who holds each block that is in use when a snapshot was taken, by the block's address."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dstop.model.study import CATEGORIES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dstop.snapshot.study import DeviceStudy


class Holder(NamedTuple):
    """One live block."""

    category: str
    stack: int
    """Into `Snapshot.stacks`."""
    requested_bytes: int
    name: str
    """In the model, where the process told; empty otherwise."""


def holders_of(study: DeviceStudy) -> Mapping[int, Holder]:
    """Give the holder of every block in use at the end; what is missing is free, or unknown to the recording."""
    lives, told = study.lives, study.attribution
    rows = np.flatnonzero(lives.end == study.events)
    columns = (lives.address, told.category, lives.stack, lives.requested)
    table = zip(rows.tolist(), *(column[rows].tolist() for column in columns), strict=True)
    return {
        address: Holder(CATEGORIES[category], stack, requested, told.names.get(row, ""))
        for row, address, category, stack, requested in table
    }
