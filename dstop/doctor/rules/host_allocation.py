"""An allocation in host memory was refused

What it means
    The program asked the operating system for memory and was told no: the machine, the container, `ulimit -v` or (with
    overcommit off) the commit limit had none left. It is the CPU's memory; the GPU is innocent.

Evidence
    `DefaultCPUAllocator: can't allocate memory: you tried to allocate N bytes`, NumPy's `Unable to allocate`, Python's
    MemoryError, C++'s `std::bad_alloc`, `[Errno 12] Cannot allocate memory`: with the size where the message has one.

Fix
    Hold less at once: map files instead of reading them, load weights without a second copy, smaller chunks, fewer processes;
    or add memory or swap. On Windows a larger page file helps at once.

When it is wrong
    A request of terabytes is a wrong shape, not a small machine. `fork: Cannot allocate memory` of a large process can also be
    the overcommit policy (vm.overcommit_memory=2), and a failed mmap the number of mappings (vm.max_map_count).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.fixes.host import host_fixes, is_windows
from dstop.doctor.questions.aftermath import device_failure_before
from dstop.doctor.questions.arithmetic import gib
from dstop.doctor.rule import FITS, PROVEN, SAYS_SO, Assessment, Rule
from dstop.model.diagnosis import Evidence
from dstop.units import TIB

if TYPE_CHECKING:
    from dstop.doctor.case import Case
    from dstop.doctor.evidence.facts import AllocationFailure

_STRENGTHS = {
    "cpu": SAYS_SO,
    "numpy": SAYS_SO - 2,
    "arrow": SAYS_SO - 2,
    "rust": PROVEN + 5,
    "errno": PROVEN + 5,
    "ggml_host": PROVEN + 5,
    "python": PROVEN,
    "cpp": FITS + 10,
}
_IMPLAUSIBLE_BYTES = 2 * TIB


def _examine(case: Case) -> Assessment | None:
    refused = next((one for one in case.host_failures if one.family in _STRENGTHS), None)
    if refused is None or case.has("build.compiler"):
        return None
    strength = _STRENGTHS[refused.family]
    if refused.family in {"cpp", "python"}:
        if device_failure_before(case, refused.place) is not None:
            return None
        told = next(
            (one for one in case.host_failures if one.tried_bytes and one.family in _STRENGTHS), refused
        )
        refused = told if abs(told.place.order - refused.place.order) <= 3 else refused  # noqa: PLR2004 - one message
    evidence = [Evidence(source=str(refused.place), says=refused.text, value=refused.tried_bytes)]
    if refused.tried_bytes:
        says = f"{gib(refused.tried_bytes)} of host memory in one piece was refused"
        evidence.append(Evidence(source=str(refused.place), says=says, value=refused.tried_bytes))
    frame = next((frame for frame in reversed(case.frames) if "site-packages" not in frame.file), None)
    if frame is not None:
        says = f"{frame.file}:{frame.line} in {frame.function}" + (f": {frame.code}" if frame.code else "")
        evidence.append(Evidence(source=str(refused.place), says=says))
    return Assessment(
        strength=strength,
        evidence=tuple(evidence),
        at=refused.place,
        title=f"Host memory: a request of {gib(refused.tried_bytes)} was refused"
        if refused.tried_bytes
        else None,
        fixes=host_fixes(case, first=_first(case, refused)),
    )


def _first(case: Case, refused: AllocationFailure) -> tuple[str, ...]:
    if (refused.tried_bytes or 0) >= _IMPLAUSIBLE_BYTES:
        return ("fix_tensor_size", "reduce_batch")
    if "mmap" in refused.text and "torch_" in refused.text:
        return ("raise_max_map_count", "reduce_num_workers", "sharing_strategy_file_system")
    if is_windows(case):
        return ("increase_pagefile", "increase_host_ram", "reduce_batch")
    if refused.family == "numpy" and case.phase != "load":
        return ("reduce_dataset_in_ram", "increase_host_ram", "reduce_batch")
    if case.phase in {"training", "forward", "backward", "eval", "inference"} and refused.family == "cpu":
        return ("increase_host_ram", "reduce_batch")
    return ()


RULE = Rule(
    id="DS706",
    name="host-allocation",
    cause="host_ram_oom",
    title="An allocation in host memory was refused",
    page=__doc__ or "",
    examine=_examine,
    fires=(
        "RuntimeError: [enforce fail at alloc_cpu.cpp:83] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate 44040192000 bytes. Error code 12 (Cannot allocate memory)\n",
        """  File "/home/u/data.py", line 20, in load
    x = np.zeros((60000, 224, 224, 3))
numpy.core._exceptions._ArrayMemoryError: Unable to allocate 67.3 GiB for an array with shape (60000, 224, 224, 3) and data type float64
""",
        "terminate called after throwing an instance of 'std::bad_alloc'\n  what():  std::bad_alloc\n",
        "OSError: [Errno 12] Cannot allocate memory\n",
    ),
    near_miss=(
        "MemoryError: std::bad_alloc: out_of_memory: CUDA error at: cuda_memory_resource.hpp:70: cudaErrorMemoryAllocation out of memory\n",
        "warning: failed to mlock 1048576-byte buffer (after previously locking 0 bytes): Cannot allocate memory\n",
        """  File "/home/u/a.py", line 9, in f
    except MemoryError:
ValueError: bad shape
""",
    ),
)
