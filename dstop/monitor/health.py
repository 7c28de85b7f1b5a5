"""Which GPUs of a sample can be believed, so that a silent driver is not taken for processes that ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dstop.model.gpu import Gpu
    from dstop.model.sample import Sample

STALE_S = 3.0
"""Figures older than this are worth an event: a driver that is merely slow answers within a second or two."""


def is_stale(gpu: Gpu) -> bool:
    """Whether the driver has not answered for this card for so long that its figures are history."""
    return gpu.stale_s >= STALE_S


def answering(sample: Sample) -> dict[int, Gpu]:
    """Give the GPUs whose figures and process list are of this moment, by index."""
    return {
        gpu.index: gpu
        for gpu in sample.gpus
        if gpu.fault is None and gpu.stale_s <= 0 and "processes" not in gpu.unavailable
    }
