"""NCCL found no GPU memory for its buffers

What it means
    NCCL allocates its channels and buffers itself, beside PyTorch's allocator: some hundred MiB a communicator, at its first
    collective. PyTorch's cache is no memory to it, and when the card is full it fails in words of its own.

Evidence
    `Cuda failure 2 'out of memory'`, `Failed to CUDA calloc N bytes`, under `unhandled cuda error`. With no reason given below
    `unhandled cuda error`, a full card is only the most frequent one.

Fix
    Leave room: a smaller batch, a lower share for the engine, no second process and no second rank on the card. Fewer channels
    (`NCCL_MAX_NCHANNELS`, `NCCL_BUFFSIZE`, `NCCL_NVLS_ENABLE=0`) and fewer groups take less.

When it is wrong
    After an out-of-memory error of PyTorch it is aftermath. `invalid device function` or `peer access` in the same place are a
    version or a topology (DS604).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.fixes.prescribe import prescribe
from dstop.doctor.questions.aftermath import FAULTS, device_failure_before
from dstop.doctor.questions.arithmetic import gib
from dstop.doctor.questions.asking import told_by
from dstop.doctor.questions.frameworks import ENGINES
from dstop.doctor.rule import SAYS_SO, SUGGESTS, Assessment, Rule
from dstop.model.diagnosis import Evidence

if TYPE_CHECKING:
    from dstop.doctor.case import Case

_CHANNELS = "NCCL_MAX_NCHANNELS=8 NCCL_BUFFSIZE=2097152 NCCL_NVLS_ENABLE=0"
_REASONS = (
    "nccl.cuda_failure",
    "nccl.no_space",
    "nccl.network",
    "nccl.invalid_usage",
    "nccl.duplicate_gpu",
    "nccl.peer_closed",
)


def _examine(case: Case) -> Assessment | None:
    sign = case.first("nccl.oom")
    if sign is None:
        return _unsaid(case)
    if sign.values.get("what") == "host alloc" or device_failure_before(case, sign.place) is not None:
        return None
    evidence = [told_by(sign)]
    tried = next(
        (size for one in case.all("nccl.oom") if (size := one.number("tried_bytes")) is not None), None
    )
    if tried is not None:
        says = f"NCCL asked the driver for {gib(tried)}, beside PyTorch's allocator"
        evidence.append(Evidence(source=str(sign.place), says=says, value=tried))
    if sign.rank is not None:
        evidence.append(
            Evidence(source=str(sign.place), says=f"rank {sign.rank} failed first", value=sign.rank)
        )
    return Assessment(
        strength=SAYS_SO,
        evidence=tuple(evidence),
        at=sign.place,
        subcause="nccl_buffer_oom",
        fixes=prescribe(case, *_fixes(case), commands={"change_config": _CHANNELS}),
    )


def _unsaid(case: Case) -> Assessment | None:
    sign = case.first("nccl.unhandled_cuda")
    if sign is None or case.has(*_REASONS) or device_failure_before(case, sign.place) is not None:
        return None
    if case.has(*FAULTS, "driver.mismatch", "driver.too_old", "other.no_kernel_image"):
        return None
    fixes = prescribe(
        case,
        "nccl_debug",
        "reduce_batch",
        "kill_other_process",
        "upgrade_version",
        commands={"nccl_debug": "NCCL_DEBUG=INFO NCCL_DEBUG_SUBSYS=INIT,ALLOC,ENV"},
    )
    return Assessment(
        strength=SUGGESTS + 5,
        evidence=(told_by(sign),),
        against=(
            "NCCL_DEBUG=INFO prints which call failed; a driver that is too old and peer access fail in the same words",
        ),
        at=sign.place,
        title="A CUDA call failed inside NCCL: a full card is the usual reason",
        fixes=fixes,
    )


def _fixes(case: Case) -> tuple[str, ...]:
    if case.framework in ENGINES:
        lower = "lower_mem_fraction_static" if case.framework == "sglang" else "lower_gpu_memory_utilization"
        return (
            lower,
            "kill_other_process",
            "enforce_eager" if case.framework == "vllm" else "reduce_max_num_seqs",
            "change_config",
        )
    return ("reduce_batch", "kill_other_process", "change_config", "one_gpu_per_rank", "zero3_offload")


RULE = Rule(
    id="DS602",
    name="nccl-memory",
    cause="library_handle_oom",
    title="NCCL found no GPU memory for its buffers",
    page=__doc__ or "",
    examine=_examine,
    fires=(
        """torch.distributed.DistBackendError: NCCL error in: ../torch/csrc/distributed/c10d/NCCLUtils.hpp:275, unhandled cuda error (run with NCCL_DEBUG=INFO for details), NCCL version 2.20.5
ncclUnhandledCudaError: Call to CUDA function failed.
Last error:
Cuda failure 2 'out of memory'
""",
        "gpu07:4100:4177 [0] include/alloc.h:100 NCCL WARN Failed to CUDA calloc async 6291456 bytes\n",
        "RuntimeError: NCCL error in: /pytorch/torch/lib/c10d/ProcessGroupNCCL.cpp:911, unhandled cuda error, NCCL version 2.7.8\n",
    ),
    near_miss=(
        """ncclUnhandledCudaError: Call to CUDA function failed.
Last error:
Cuda failure 'invalid device function'
""",
        """[rank3]: torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 512.00 MiB. GPU 3 has a total capacity of 23.57 GiB of which 310.50 MiB is free. Including non-PyTorch memory, this process has 23.25 GiB memory in use. Of the allocated memory 22.41 GiB is allocated by PyTorch, and 401.20 MiB is reserved by PyTorch but unallocated.
[rank3]: ncclUnhandledCudaError: Call to CUDA function failed.
""",
    ),
)
