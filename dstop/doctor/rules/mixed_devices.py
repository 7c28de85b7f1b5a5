"""Tensors, or processes, are not on the device they should be on

What it means
    An operation got tensors of two devices or of a device and the CPU, or a forked child inherits a CUDA context that it
    cannot use.

Evidence
    `Expected all tensors to be on the same device`, input and weight types that differ, `Cannot re-initialize CUDA in
    forked subprocess`.

Fix
    Move the inputs to the model's device (with device_map, to that of its first layer); start children with spawn, and
    touch no GPU before.

When it is wrong
    After an out-of-memory error with offloading it may be the half-moved model: look there first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.questions.innocent import not_memory
from dstop.doctor.rule import PROVEN, SAYS_SO, Rule

if TYPE_CHECKING:
    from dstop.doctor.case import Case
    from dstop.doctor.rule import Assessment

_SPAWN = "torch.multiprocessing.set_start_method('spawn', force=True)"


def _examine(case: Case) -> Assessment | None:
    fork = case.first("other.fork")
    if fork is not None:
        commands = {"change_config": _SPAWN}
        if case.framework == "vllm":
            commands["change_config"] = "export VLLM_WORKER_MULTIPROC_METHOD=spawn"
        return not_memory(
            case,
            fork,
            SAYS_SO - 5,
            ("change_config", "num_workers_zero", "upgrade_version"),
            title="A forked process cannot use the CUDA context of its parent",
            commands=commands,
        )
    sign = case.first("other.devices_differ")
    if sign is None:
        return None
    commands = {"fix_device_placement": "inputs = inputs.to(model.device)"}
    return not_memory(
        case,
        sign,
        PROVEN + 5,
        ("fix_device_placement", "upgrade_version", "change_config", "fix_cuda_visible_devices"),
        commands=commands,
    )


RULE = Rule(
    id="DS917",
    name="mixed-devices",
    cause="not_memory",
    title="Tensors, or processes, are not on the device they should be on",
    page=__doc__ or "",
    examine=_examine,
    fires=(
        "RuntimeError: Expected all tensors to be on the same device, but found at least two devices, cuda:0 and cpu!\n",
        "RuntimeError: Cannot re-initialize CUDA in forked subprocess. To use CUDA with multiprocessing, you must use the 'spawn' start method\n",
    ),
    near_miss=(
        "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 512.00 MiB. GPU 0 has a total capacity of 23.57 GiB of which 310.50 MiB is free. Including non-PyTorch memory, this process has 23.25 GiB memory in use. Of the allocated memory 22.41 GiB is allocated by PyTorch, and 401.20 MiB is reserved by PyTorch but unallocated.\n",
    ),
)
