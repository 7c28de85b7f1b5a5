"""From a studied snapshot to the figures that rules ask for. The one module of the doctor that counts in arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.evidence.memory import Blocks, Kept, Memory
from dstop.doctor.sources.replayed import replayer
from dstop.model.segment import ACTIVE, PENDING
from dstop.model.study import CATEGORIES, PHASES
from dstop.snapshot.fragments import fragmentation_of
from dstop.snapshot.lives import BEFORE
from dstop.snapshot.study import DeviceStudy
from dstop.snapshot.timeline import alive_at
from dstop.snapshot.values import SHARED_POOL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np
    from numpy.typing import NDArray

    from dstop.model.study import Failure, Verdict
    from dstop.snapshot.values import Block, Segment, Snapshot

SITES = 5
_UNCHANGED = 0.9
"""A snapshot that holds this much of what was live at the failure was taken before the program let go."""
_WORKSPACE_BYTES = frozenset(((4096 * 2 + 16 * 8) << 10, 32 << 20))
"""`parseChosenWorkspaceSize` of aten/src/ATen/cuda/CublasHandlePool.cpp; before Hopper, and from it on."""


def memory_of(snapshot: Snapshot, source: str, *, at_failure: bool, most_replayed: int) -> Memory | None:
    """Count the device that ran out of memory, else the one that holds most; None where the snapshot has none.

    Args:
        snapshot: as it was read.
        source: the file's name.
        at_failure: whether it was taken when an allocation failed, whatever its ring says.
        most_replayed: a ring with more events is not replayed.
    """
    study = _chosen(snapshot)
    if study is None:
        return None
    failure = study.failures[-1] if study.failures else None
    position = study.events if failure is None else failure.event
    moment = study.moment(position, SITES)
    rows = alive_at(study.lives, position)
    end = int(study.live[-1])
    same = at_failure or (failure is not None and end >= _UNCHANGED * failure.live_bytes)
    return Memory(
        source=source,
        device=study.device,
        events=study.events,
        failure=failure,
        is_of_failure=same,
        is_expandable=_is_expandable(snapshot, study.device),
        moment=moment,
        fragmentation=fragmentation_of(study, failure),
        growth=study.growth,
        steps=len(study.attribution.steps),
        whole_peak_bytes=int(study.live[: study.attribution.steps[-1]].max(initial=0))
        if study.attribution.steps
        else 0,
        blocks=_blocks(snapshot.segments_of(study.device)),
        old_gradients=_old_gradients(study, rows, moment.phase),
        evaluated=_kept(study, rows[study.attribution.phase[rows] == PHASES.index("eval")]),
        updating=_updating(study, rows),
        logits=_kept(study, rows[study.attribution.category[rows] == CATEGORIES.index("logits")]),
        replay=_remembered(study, failure, most_replayed),
    )


def _chosen(snapshot: Snapshot) -> DeviceStudy | None:
    """Choose by what is cheap to see: nothing is studied for the choice but the failures of each ring."""
    studies = [DeviceStudy(snapshot, device) for device in snapshot.devices]
    failed = [each for each in studies if each.failures]
    held = {
        each.device: sum(one.total_bytes for one in snapshot.segments_of(each.device)) for each in studies
    }
    return max(failed or studies, key=lambda each: held[each.device], default=None)


def _remembered(study: DeviceStudy, failure: Failure | None, most: int) -> Callable[[str], Verdict | None]:
    """Replay each change once at most; of a ring that is too long, or that has nothing, none."""
    if not 0 < study.events <= most or failure is None:
        return lambda _change: None
    ask = replayer(study)
    known: dict[str, Verdict | None] = {}

    def answer(change: str) -> Verdict | None:
        if change not in known:
            known[change] = ask(change)
        return known[change]

    return answer


def _is_expandable(snapshot: Snapshot, device: int) -> bool | None:
    if any(each.expandable for each in snapshot.segments_of(device)):
        return True
    return None if snapshot.settings is None else snapshot.settings.expandable_segments


def _kept(study: DeviceStudy, rows: NDArray[np.int64]) -> Kept:
    sites = study.sites(rows, 1)
    return Kept(size_bytes=int(study.lives.size[rows].sum()), site=sites[0] if sites else None)


def _old_gradients(study: DeviceStudy, rows: NDArray[np.int64], phase: str) -> Kept:
    """Give gradients from before the end of the last step, in a pass that has not come to its backward."""
    steps = study.attribution.steps
    position = int(study.lives.begin[rows].max(initial=BEFORE))
    ended = [at for at in steps if at <= position]
    if phase != "forward" or not ended:
        return Kept()
    mine = study.attribution.category[rows] == CATEGORIES.index("gradients")
    return _kept(study, rows[mine & (study.lives.begin[rows] < ended[-1])])


def _updating(study: DeviceStudy, rows: NDArray[np.int64]) -> Kept:
    mine = study.attribution.category[rows] == CATEGORIES.index("temporaries")
    return _kept(study, rows[mine & (study.attribution.phase[rows] == PHASES.index("optimizer"))])


def _blocks(segments: tuple[Segment, ...]) -> Blocks:
    live = list(_of_state(segments, ACTIVE))
    asked = [block.requested_bytes for block in live]
    private = [each for each in segments if each.pool != SHARED_POOL]
    spaces = [block.size_bytes for block in live if block.requested_bytes in _WORKSPACE_BYTES]
    return Blocks(
        allocated_bytes=sum(block.size_bytes for block in live),
        requested_bytes=None if None in asked else sum(size for size in asked if size is not None),
        pending_bytes=sum(block.size_bytes for block in _of_state(segments, PENDING)),
        private_pools=len({each.pool for each in private}),
        private_reserved_bytes=sum(each.total_bytes for each in private),
        private_allocated_bytes=sum(each.allocated_bytes for each in private),
        workspaces=len(spaces),
        workspace_bytes=sum(spaces),
    )


def _of_state(segments: tuple[Segment, ...], state: str) -> Iterator[Block]:
    return (block for segment in segments for block in segment.blocks if block.state == state)
