"""DS201, live: PyTorch keeps a large cache that its own program does not use, on a card that has little left."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.live.scene import usable_bytes
from dstop.doctor.live.telling import of_gpu, of_process, remedies, who
from dstop.model.finding import Finding, Severity
from dstop.units import GIB, bytes_text

if TYPE_CHECKING:
    from dstop.doctor.live.scene import Scene
    from dstop.model.allocator import Allocator
    from dstop.model.process import GpuProcess

IDLE_SHARE, IDLE_BYTES = 0.2, 2 * GIB
"""Of what is reserved, at the very peak of the work: six times what lies idle in a healthy process."""
LITTLE_LEFT = 0.1
"""Of the card: with more free, the cache hurts nobody."""
LEAST_READINGS = 30
"""Several training steps: the cache between two of them is large in every process."""


def watch(scene: Scene) -> list[Finding]:
    """Look at the least cache of the last minutes of every process that tells it."""
    found: list[Finding] = []
    for row, device in scene.inside:
        gpu = scene.gpus.get(row.gpu_index)
        room, total = scene.room_of(row), usable_bytes(gpu) if gpu is not None else None
        if (
            room is None
            or total is None
            or room > LITTLE_LEFT * total
            or not _has_much(device, device.cached_bytes)
        ):
            continue
        least = _least_idle(scene, row, device)
        if least is not None and _has_much(device, least):
            found.append(_finding(row, device, least, room))
    return found


def _has_much(device: Allocator, idle: float | None) -> bool:
    return idle is not None and idle >= IDLE_BYTES and idle >= IDLE_SHARE * (device.reserved_bytes or 0)


def _least_idle(scene: Scene, row: GpuProcess, device: Allocator) -> float | None:
    past = scene.allocator_of(row.id).get(device.index)
    if past is None:
        return None
    pairs = zip(past.reserved_bytes, past.active_bytes, strict=True)
    idle = [reserved - active for reserved, active in pairs if reserved is not None and active is not None]
    return min(idle) if len(idle) >= LEAST_READINGS else None


def _finding(row: GpuProcess, device: Allocator, idle: float, room: int) -> Finding:
    reserved = device.reserved_bytes or 0
    split = device.inactive_split_bytes or 0
    return Finding(
        rule="DS201",
        cause="fragmentation",
        severity=Severity.WARNING,
        badge=f"FRAG {bytes_text(idle)}",
        says=f"{who(row)} keeps {bytes_text(idle)} cached that it never uses, on a card with {bytes_text(room)} free",
        gpu_index=row.gpu_index,
        pid=row.pid,
        started_at_s=row.facts.started_at_s,
        evidence=(
            of_process(
                row,
                f"at its peak {bytes_text(idle)} of {bytes_text(reserved)} reserved was in no tensor",
                idle,
            ),
            of_process(row, f"{bytes_text(split)} of it lies in pieces that live tensors pin", split),
            of_gpu(row.gpu_index, f"{bytes_text(room)} is free", room),
        ),
        fixes=remedies("expandable_segments", "bucket_sequence_lengths", "empty_cache", "max_split_size"),
    )
