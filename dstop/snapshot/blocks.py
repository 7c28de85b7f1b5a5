"""What the blocks that are live at the end of a recording are for, by their address."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dstop.model.study import CATEGORIES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dstop.snapshot.study import DeviceStudy


def block_categories(study: DeviceStudy) -> Mapping[int, str]:
    """Give the category of every block that is in use when the snapshot was taken.

    Blocks of the segments that are not in it are free, or unknown to the recording.
    """
    lives = study.lives
    rows = np.flatnonzero(lives.end == study.events)
    numbers = study.attribution.category[rows].tolist()
    return {
        address: CATEGORIES[number]
        for address, number in zip(lives.address[rows].tolist(), numbers, strict=True)
    }
