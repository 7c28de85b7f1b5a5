"""The machine while nothing can be read of it: its cards by name, and no figure that was true once."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from dstop.model.gpu import Gpu
from dstop.model.host import Host

if TYPE_CHECKING:
    from dstop.model.sample import Sample


def without_figures(sample: Sample, reason: str, now_ns: int) -> Sample:
    """Give the cards of an old sample with the reason in place of their figures, and no processes.

    A program that sums up memory does not look whether a line repeats the one before.

    Args:
        sample: the last that came.
        reason: why there is none now.
        now_ns: nanoseconds since the epoch.
    """
    return replace(
        sample,
        taken_at_ns=now_ns,
        host=Host(name=sample.host.name, container=sample.host.container),
        gpus=tuple(
            Gpu(
                index=gpu.index,
                uuid=gpu.uuid,
                name=gpu.name,
                pci_bus_id=gpu.pci_bus_id,
                fault=reason,
                xids=gpu.xids,
            )
            for gpu in sample.gpus
        ),
        processes=(),
        unattributed=(),
        notices=(),
    )
