"""What the process itself said: the tensors that dstop's hook found by address are no guess."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dstop.snapshot.attribution.value import EXACT, GRADIENTS, OPTIMIZER_STATE, PARAMETERS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dstop.snapshot.lives import Lives
    from dstop.snapshot.values import Snapshot

_CATEGORY = {
    "parameter": PARAMETERS,
    "buffer": PARAMETERS,
    "gradient": GRADIENTS,
    "optimizer_state": OPTIMIZER_STATE,
}


def name_exactly(
    snapshot: Snapshot, lives: Lives, category: NDArray[np.int8], confidence: NDArray[np.int8]
) -> dict[int, str]:
    """Put what the process named over what was guessed, and give the names; only what is alive at the end has one."""
    rows = np.flatnonzero(lives.freed == lives.events)
    by_address = dict(zip(lives.address[rows].tolist(), rows.tolist(), strict=True))
    names: dict[int, str] = {}
    for each in snapshot.names:
        row = by_address.get(each.address)
        # The larger of two is a stranger's: an address belongs to one storage.
        if row is None or each.device != lives.device or each.size_bytes > lives.size[row] or row in names:
            continue
        category[row], confidence[row] = _CATEGORY[each.kind], EXACT
        names[row] = each.name
    return names
