"""Values of attached processes to start a test from: one training process, half of whose reserve is tensors."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from dstop.model.allocator import Allocator, AllocatorHistory
from dstop.model.guest import Guest
from dstop.model.segment import ACTIVE, INACTIVE, PENDING, Block, Place, Segment, SegmentMap, Site
from dstop.testing.build import TAKEN_AT_S, with_reasons
from dstop.units import GIB, KIB, MIB

if TYPE_CHECKING:
    from collections.abc import Sequence

_REQUESTED, _ALLOCATED, _ACTIVE, _RESERVED = 5 * GIB, 5 * GIB + 64 * MIB, 5 * GIB + 192 * MIB, 9 * GIB
_LARGE, _SMALL = 20 * MIB, 2 * MIB
"""Sizes of the segments that PyTorch asks the driver for (kLargeBuffer, kSmallBuffer of CUDACachingAllocator)."""


def make_allocator(index: int = 0, **overrides: Any) -> Allocator:
    """Give one device of a training process; `stats` follows the figures unless it is given."""
    base = Allocator(
        index=index,
        gpu_uuid=f"GPU-00000000-0000-0000-0000-{index:012d}",
        requested_bytes=_REQUESTED,
        allocated_bytes=_ALLOCATED,
        active_bytes=_ACTIVE,
        reserved_bytes=_RESERVED,
        inactive_split_bytes=640 * MIB,
        peak_allocated_bytes=8 * GIB,
        peak_reserved_bytes=_RESERVED,
        num_alloc_retries=0,
        num_ooms=0,
    )
    device = replace(base, **with_reasons(overrides))
    return device if "stats" in overrides else replace(device, stats=_stats(device))


def make_guest(pid: int = 4000, devices: int | Sequence[Allocator] = 1, **overrides: Any) -> Guest:
    """Give the newest answer of a hook; `make_process` of the same PID is the same process."""
    base = Guest(
        pid=pid,
        started_at_s=float(TAKEN_AT_S - 3600),
        taken_at_ns=TAKEN_AT_S * 10**9,
        hook_version=1,
        how="run",
        python_version="3.12.1",
        torch_version="2.9.1+cu128",
        cuda_version="12.8",
        cuda_initialized=True,
        backend="native",
        allocator_conf="expandable_segments:True",
        rank=0,
        local_rank=0,
        world_size=1,
        devices=tuple(map(make_allocator, range(devices))) if isinstance(devices, int) else tuple(devices),
        black_box=True,
    )
    return replace(base, **with_reasons(overrides))


def make_segment_map(devices: int = 1, *, taken_at_ns: int = TAKEN_AT_S * 10**9) -> SegmentMap:
    """Give a map with all there can be: full, half empty, unused, small, of a private pool, of another stream."""
    segments = tuple(segment for index in range(devices) for segment in _segments(index))
    return SegmentMap(taken_at_ns=taken_at_ns, segments=segments)


def make_sites(device_index: int = 0) -> tuple[Site, ...]:
    """Give the biggest stacks of a recording, and what was there before it began."""
    step = Place("/home/deepa/train.py", 212, "training_step")
    return (
        Site(device_index=device_index, size_bytes=3 * GIB, blocks=291, places=()),
        Site(
            device_index=device_index,
            size_bytes=1536 * MIB,
            blocks=27,
            places=(Place("/venv/torch/nn/functional.py", 1755, "scaled_dot_product_attention"), step),
        ),
        Site(device_index=device_index, size_bytes=512 * MIB, blocks=1, places=(step,)),
    )


def make_allocator_history(steps: int = 60, device: Allocator | None = None) -> AllocatorHistory:
    """Give a past in which each step allocates on the way forward and frees on the way back."""
    now = make_allocator() if device is None else device
    saw = tuple((step % 12) / 12 for step in range(steps))

    def line(count: int | None, swing: float) -> tuple[float | None, ...]:
        return tuple(None if count is None else count * (1 - swing + swing * part) for part in saw)

    return AllocatorHistory(
        requested_bytes=line(now.requested_bytes, 0.4),
        allocated_bytes=line(now.allocated_bytes, 0.4),
        active_bytes=line(now.active_bytes, 0.4),
        reserved_bytes=line(now.reserved_bytes, 0),
    )


def _stats(device: Allocator) -> dict[str, int]:
    figures = {
        "requested_bytes.all.current": device.requested_bytes,
        "allocated_bytes.all.current": device.allocated_bytes,
        "allocated_bytes.all.peak": device.peak_allocated_bytes,
        "active_bytes.all.current": device.active_bytes,
        "reserved_bytes.all.current": device.reserved_bytes,
        "reserved_bytes.all.peak": device.peak_reserved_bytes,
        "inactive_split_bytes.all.current": device.inactive_split_bytes,
        "num_alloc_retries": device.num_alloc_retries,
        "num_ooms": device.num_ooms,
    }
    return {name: value for name, value in figures.items() if value is not None}


def _segments(device: int) -> tuple[Segment, ...]:
    def segment(number: int, *blocks: Block, **values: Any) -> Segment:
        tensors = sum(block.size_bytes for block in blocks if block.state == ACTIVE)
        pending = sum(block.size_bytes for block in blocks if block.state == PENDING)
        return Segment(
            device_index=device,
            address=0x7F00_0000_0000 + number * 64 * MIB,
            total_bytes=sum(block.size_bytes for block in blocks),
            allocated_bytes=tensors,
            active_bytes=tensors + pending,
            blocks=blocks,
            **values,
        )

    def used(size: int) -> Block:
        return Block(size, size - 256, ACTIVE)

    def free(size: int) -> Block:
        return Block(size, None, INACTIVE)

    return (
        segment(0, used(_LARGE)),
        segment(
            1, used(6 * MIB), free(3 * MIB), used(4 * MIB), Block(2 * MIB, 2 * MIB, PENDING), free(5 * MIB)
        ),
        segment(2, free(_LARGE)),
        segment(3, used(512 * KIB), free(_SMALL - 512 * KIB), small=True),
        segment(4, used(8 * MIB), free(12 * MIB), pool=(0, 1)),
        segment(5, used(_LARGE), stream=0x55D0_1000),
        segment(6, used(30 * MIB), free(10 * MIB), expandable=True),
    )
