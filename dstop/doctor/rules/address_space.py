"""Virtual address space ran out, and not the card's memory

What it means
    Expandable segments reserve 9/8 of the card's memory of virtual addresses for each stream that allocates. A limit on virtual
    memory (`ulimit -v`, batch systems), or many streams, refuses that reservation while the card has room.

Evidence
    PyTorch 2.15 says so (`Failed to reserve ... of virtual address space`).

Fix
    Lift the limit, use fewer streams, or turn expandable segments off.

When it is wrong
    A mapping that fails with OOM on the device is physical memory (DS101).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.fixes.prescribe import prescribe
from dstop.doctor.rule import SAYS_SO, Assessment, Rule
from dstop.model.diagnosis import Evidence

if TYPE_CHECKING:
    from dstop.doctor.case import Case


def _examine(case: Case) -> Assessment | None:
    failure = next((one for one in case.failures if one.family == "address_space"), None)
    if failure is None:
        return None
    evidence = (Evidence(source=str(failure.place), says=failure.text, value=failure.tried_bytes),)
    fixes = prescribe(case, "raise_ulimit_virtual", "disable_expandable_segments", "upgrade_version")
    return Assessment(strength=SAYS_SO, evidence=evidence, at=failure.place, fixes=fixes)


RULE = Rule(
    id="DS204",
    name="address-space",
    cause="address_space",
    title="Virtual address space ran out, and not the card's memory",
    page=__doc__ or "",
    examine=_examine,
    fires=(
        """RuntimeError: [ExpandableSegmentVA] Failed to reserve 96636764160 bytes (~90.00 GiB) of virtual address space for an expandable CUDA segment on device 0 (driver reported: out of memory). This process already holds 12 live expandable segment(s) reserving 1159641169920 bytes; not physical GPU OOM.
""",
    ),
    near_miss=(
        """torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 1.20 GiB. GPU 0 has a total capacity of 79.15 GiB of which 311.20 MiB is free. Including non-PyTorch memory, this process has 78.84 GiB memory in use. Of the allocated memory 75.40 GiB is allocated by PyTorch, and 1.02 GiB is reserved by PyTorch but unallocated.
""",
    ),
)
