"""Memory that is used and belongs to no process in the list: how much, and why that may be.

The commonest question on a GPU server is "who has my memory?" when `nvidia-smi` shows none who does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dstop.model.value import Value
from dstop.units import MIB

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dstop.model.gpu import Gpu
    from dstop.model.process import GpuProcess

WORTH_A_ROW_BYTES = 256 * MIB
"""Below this it is bookkeeping of the driver and of contexts, not somebody's tensor."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Holder(Value):
    """A process that has a GPU's device file open, whether the driver lists it or not."""

    pid: int
    command: str
    state: str
    """The kernel's letter: D and Z are the ones that do not go away."""
    gpu_indices: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Unattributed(Value):
    """Bytes of one GPU that no listed process explains; `cause` is the likeliest story, with its evidence."""

    gpu_index: int
    bytes: int
    cause: str


def unattributed_bytes(gpu: Gpu, processes: Iterable[GpuProcess]) -> tuple[int | None, str | None]:
    """Used memory minus the sum over processes, those that the sample leaves out too, or None and the reason.

    The sum may exceed the used figure by a little (the two are read at different moments): then it is 0.
    """
    if gpu.memory_used_bytes is None:
        return None, gpu.unavailable.get("memory_used_bytes", gpu.fault or "the driver gives no used memory")
    if gpu.left_out_bytes is None:
        return None, "a process that is left out here has no memory figure"
    total, silent = gpu.left_out_bytes, 0
    for process in processes:
        if process.gpu_index != gpu.index:
            continue
        if process.gpu_memory_bytes is None:
            silent += 1
        else:
            total += process.gpu_memory_bytes
    if silent:
        return None, f"{silent} process{'es' if silent > 1 else ''} on it without a memory figure"
    return max(0, gpu.memory_used_bytes - total), None


def likely_cause(  # noqa: PLR0911 - one story a line, the likeliest first
    gpu: Gpu, listed: Sequence[GpuProcess], holders: Sequence[Holder], *, sees_all: bool, in_container: bool
) -> str:
    """Say what most likely holds memory that no listed process explains.

    Args:
        gpu: the card.
        listed: the processes the driver lists on it.
        holders: processes that have the card's device file open.
        sees_all: whether every process's open files could be looked at (root, or all are ours).
        in_container: whether dstop runs in a container, where other containers are out of sight.
    """
    here = {process.pid for process in listed if process.gpu_index == gpu.index}
    hidden = [holder for holder in holders if gpu.index in holder.gpu_indices and holder.pid not in here]
    if hidden:
        names = ", ".join(f"{holder.command} ({holder.pid}, state {holder.state})" for holder in hidden[:2])
        more = f" and {len(hidden) - 2} more" if len(hidden) > 2 else ""  # noqa: PLR2004 - two are named
        if any(holder.state in "DZ" for holder in hidden):
            return f"a process that cannot end holds the device: {names}{more}"
        return f"held open without being listed: {names}{more}"
    if gpu.mig_enabled:
        return "MIG keeps memory for its instances"
    if any(process.type == "M" for process in listed if process.gpu_index == gpu.index):
        return "the MPS server keeps memory for its clients"
    if in_container:
        return "a process of another container or of the host (run with --pid=host to see it)"
    if not sees_all:
        return "a process of another user, or of a container (root sees who has the device open)"
    if here:
        return "contexts and allocations that the driver counts for no process"
    return (
        "no process has the device open: leaked by a crash, or kept by the kernel (nvidia-smi -r clears it)"
    )
