"""What PyTorch's allocator says in the demo's programs: it follows from the memory of their rows and from the story."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.model.allocator import Allocator
from dstop.sources.demo.neighbours import Role
from dstop.sources.demo.story import FULL_AGE_S, OOM_AGE_S, TRAINING_AGE_S, Phase
from dstop.sources.demo.training import (
    CONTEXT_BYTES,
    FLUSH_STEPS,
    STEP_S,
    rank_bytes,
    saw_bytes,
    states_bytes,
)
from dstop.units import MIB

if TYPE_CHECKING:
    from dstop.sources.demo.load import Load
    from dstop.sources.demo.neighbours import Neighbour
    from dstop.sources.demo.scenery import Card

NCCL_BYTES = 742 * MIB
"""Buffers of the communicators, and the workspaces of cuBLAS and of flash attention."""
BATCH_S = 6.0
"""From the first layer forward to the optimizer's step."""
_FORWARD, _BACKWARD = 0.42, 0.88
_FIRST_BATCH_S = TRAINING_AGE_S - STEP_S
_BLOCK = 512
"""What every request is rounded up to (kMinBlockSize of CUDACachingAllocator)."""
_PENDING_BYTES = 268 * MIB
_NOTEBOOK = (486 * MIB, 412 * MIB, 1_130 * MIB, 9_832 * MIB)
"""Beside the allocator; allocated; inactive split; the most it ever allocated."""
_SERVER = (1_318 * MIB, 396 * MIB, 184 * MIB)
"""Beside the allocator; cached; inactive split."""


def rank_allocator(card: Card, load: Load, held: int, world_size: int, *, index: int) -> Allocator:
    """Give the allocator of a training rank: activations pile up forward and go away backward.

    Args:
        card: where it runs.
        load: its phase and age.
        held: what the driver counts for it.
        world_size: how many ranks share the states.
        index: PyTorch's number of the device.
    """
    age = min(load.age_s, OOM_AGE_S)
    trains = load.phase not in {Phase.STARTING, Phase.LOADING}
    reserved = max(0, held - CONTEXT_BYTES - (NCCL_BYTES if trains else 0))
    if not trains:
        allocated = pending = _whole(reserved * 0.985)
        peaks = allocated, reserved
    else:
        wave = 0.0 if load.phase is Phase.CHECKPOINT else wave_at(age)
        allocated = _allocated(card, reserved, age, world_size, wave)
        pending = min(reserved, allocated + _whole(_PENDING_BYTES * wave))
        most_allocated, most_reserved = _peaks(card, age, world_size)
        peaks = max(allocated, most_allocated), max(reserved, most_reserved)
    retries = 0
    if card.unlucky and age >= FULL_AGE_S:
        retries = 1 + int((age - FULL_AGE_S) // STEP_S)
    return Allocator(
        index=index,
        gpu_uuid=card.uuid,
        requested_bytes=_whole(allocated * 0.993),
        allocated_bytes=allocated,
        active_bytes=pending,
        reserved_bytes=reserved,
        inactive_split_bytes=_whole((reserved - pending) * (0.72 if card.unlucky else 0.14)),
        peak_allocated_bytes=peaks[0],
        peak_reserved_bytes=peaks[1],
        num_alloc_retries=retries,
        num_ooms=1 if load.phase is Phase.DYING else 0,
    )


def neighbour_allocator(neighbour: Neighbour, gpu_uuid: str) -> Allocator:
    """Give the allocator of a notebook, that keeps what it once needed, or of a server, that uses all it has."""
    if neighbour.role is Role.NOTEBOOK:
        beside, allocated, split, peak = _NOTEBOOK
        reserved = neighbour.memory_bytes - beside
    else:
        beside, cached, split = _SERVER
        reserved = neighbour.memory_bytes - beside
        allocated = peak = reserved - cached
    return Allocator(
        index=0,
        gpu_uuid=gpu_uuid,
        requested_bytes=_whole(allocated * 0.988),
        allocated_bytes=allocated,
        active_bytes=allocated,
        reserved_bytes=reserved,
        inactive_split_bytes=split,
        peak_allocated_bytes=min(peak, reserved),
        peak_reserved_bytes=reserved,
        num_alloc_retries=0,
        num_ooms=0,
    )


def wave_at(age_s: float) -> float:
    """Give the share of a batch's activations that is alive: up forward, down backward, none in the optimizer."""
    part = (age_s - _FIRST_BATCH_S) % BATCH_S / BATCH_S
    if part < _FORWARD:
        return part / _FORWARD
    return max(0.0, 1 - (part - _FORWARD) / (_BACKWARD - _FORWARD))


def _allocated(card: Card, reserved: int, age_s: float, world_size: int, wave: float) -> int:
    """Give the states and the activations; what the next flush lets go is cached."""
    states = min(states_bytes(world_size), reserved)
    lives = max(0, reserved - states - saw_bytes(age_s))
    fill = 0.86 if card.unlucky else 0.95
    return _whole(states + lives * (0.03 + fill * wave))


def _peaks(card: Card, age_s: float, world_size: int) -> tuple[int, int]:
    """Give the most allocated and reserved so far: the story climbs, so it was within the last saw of the cache."""
    saw = STEP_S * FLUSH_STEPS
    first = min(age_s, FULL_AGE_S) - saw
    most_allocated = most_reserved = 0
    second = max(TRAINING_AGE_S, first // 1)
    while second <= age_s:
        held = rank_bytes(card, Phase.TRAINING, second, world_size)
        reserved = max(0, held - CONTEXT_BYTES - NCCL_BYTES)
        most_reserved = max(most_reserved, reserved)
        most_allocated = max(most_allocated, _allocated(card, reserved, second, world_size, 1.0))
        second += 1
    return most_allocated, most_reserved


def _whole(count: float) -> int:
    return int(count) // _BLOCK * _BLOCK
