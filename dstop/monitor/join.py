"""What hooks say, put into the rows of their processes: the allocator of the card, that it is PyTorch, which rank."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dstop.model.allocator import Allocator
    from dstop.model.guest import Guest, ProcessId
    from dstop.model.process import GpuProcess, ProcessFacts
    from dstop.model.sample import Sample

_NO_DEVICE = "its hook names no device"
_NOT_HERE = "PyTorch holds nothing on this card, as far as its hook says"
_FRAMEWORK = "pytorch"
_NO_UUID = "its hook does not say which of its devices is this card"


def with_allocators(sample: Sample, guests: Mapping[ProcessId, Guest]) -> Sample:
    """Give the sample with the allocator of each guest in its rows, or the reason why it is not there.

    The driver and PyTorch number cards each their own way (`CUDA_VISIBLE_DEVICES`): the UUID alone joins them.
    """
    if not guests:
        return sample
    slices = {
        (gpu.index, instance.gpu_instance_id, instance.compute_instance_id): instance.uuid
        for gpu in sample.gpus
        for instance in gpu.mig
    }
    rows_of = Counter(row.id for row in sample.processes)
    rows: list[GpuProcess] = []
    for row in sample.processes:
        guest = guests.get(row.id)
        if guest is None:
            rows.append(row)
            continue
        facts = with_word_of(guest, row.facts)
        mig_uuid = slices.get((row.gpu_index, row.gpu_instance_id or 0, row.compute_instance_id or 0))
        on_slice = mig_uuid if row.gpu_instance_id is not None else None
        found = _device_of(row.gpu_uuid, on_slice, guest, alone=rows_of[row.id] == 1)
        if isinstance(found, str):
            rows.append(replace(row, facts=facts, unavailable={**row.unavailable, "allocator": found}))
        else:
            rows.append(replace(row, facts=facts, allocator=found))
    return replace(sample, processes=tuple(rows))


def with_word_of(guest: Guest, facts: ProcessFacts) -> ProcessFacts:
    """Give the facts with what only the hook knows: that PyTorch is there, and the rank that no environment tells.

    Ranks that `torch.multiprocessing.spawn` made are one job because they have one parent.
    """
    if facts.framework is None and guest.torch_version is not None:
        facts = replace(facts, framework=_FRAMEWORK)
    if facts.rank is None and guest.rank is not None and (guest.world_size or 0) > 1:
        told = {
            "rank": guest.rank,
            "local_rank": guest.local_rank,
            "world_size": guest.world_size,
            "job": facts.job or (f"pid:{facts.ppid}" if facts.ppid is not None and facts.ppid > 1 else None),
        }
        known = {name: value for name, value in told.items() if value is not None}
        why = {name: reason for name, reason in facts.unavailable.items() if name not in known}
        facts = replace(facts, **known, unavailable=why)  # type: ignore[arg-type]  # by name, each of its own type
    return facts


def _device_of(gpu_uuid: str | None, mig_uuid: str | None, guest: Guest, *, alone: bool) -> Allocator | str:
    """Find the guest's device on this card, or say why there is none.

    Args:
        gpu_uuid: of the row's card.
        mig_uuid: of its slice, if it is on one; a process may name the slice or the whole card.
        guest: whose devices they are.
        alone: whether the process has no other row.
    """
    if not guest.devices:
        return guest.unavailable.get("devices", _NO_DEVICE)
    for uuid in (mig_uuid, gpu_uuid):
        if uuid is not None:
            same = [device for device in guest.devices if device.gpu_uuid == uuid]
            if same:
                return same[0]
    if gpu_uuid is not None and not any(_may_be_any(device.gpu_uuid) for device in guest.devices):
        return _NOT_HERE
    holding = [device for device in guest.devices if device.reserved_bytes]
    if alone and len(holding) == 1 and (gpu_uuid is None or _may_be_any(holding[0].gpu_uuid)):
        return holding[0]
    return _NO_UUID


def _may_be_any(uuid: str | None) -> bool:
    """Whether the device can be on any card: a slice is on one that the driver may not name to us."""
    return uuid is None or uuid.startswith("MIG-")
