"""NCCL was called in a way it refuses

What it means
    Two ranks on one card, an argument that does not fit, a backend without the device, or a CUDA call that this build or this
    topology cannot do. It is no lack of memory, although `unhandled cuda error` sounds like one.

Evidence
    `Duplicate GPU detected : rank 1 and rank 0 both on CUDA device …`, `invalid usage`, `invalid argument`, `internal error`,
    or a `Cuda failure` inside NCCL that is not `out of memory` (`invalid device function`, `peer access is not supported`).

Fix
    One card a rank: `torch.cuda.set_device(local_rank)` before the first collective, and no more ranks than cards. For failures
    of CUDA calls: the versions of NCCL, CUDA and the driver.

When it is wrong
    If `NCCL_DEBUG=INFO` shows an allocation that failed before, it is memory (DS602).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.fixes.prescribe import prescribe
from dstop.doctor.questions.aftermath import FAULTS, device_failure_before
from dstop.doctor.questions.asking import told_by
from dstop.doctor.rule import FITS, PROVEN, SAYS_SO, Assessment, Rule

if TYPE_CHECKING:
    from dstop.doctor.case import Case
    from dstop.doctor.evidence.facts import Sign

_STRENGTHS = {
    "nccl.duplicate_gpu": SAYS_SO + 1,
    "nccl.backend_lacks_gpu": PROVEN,
    "nccl.cuda_failure": PROVEN,
    "nccl.memlock": PROVEN,
    "nccl.invalid_usage": PROVEN,
    "nccl.invalid_argument": FITS + 8,
    "nccl.internal": FITS + 4,
}


def _examine(case: Case) -> Assessment | None:
    signs = case.all(*_STRENGTHS)
    if not signs or case.has("nccl.oom"):
        return None
    sign = max(signs, key=lambda one: (_STRENGTHS[one.kind], -one.place.order))
    if device_failure_before(case, sign.place) is not None:
        return None
    if sign.kind != "nccl.duplicate_gpu" and (case.has("nccl.no_space") or case.has(*FAULTS)):
        return None
    if sign.kind == "nccl.internal" and case.has("nccl.watchdog", "nccl.unhandled_system"):
        return None
    fixes = prescribe(case, *_fixes(sign), commands=_commands(sign))
    return Assessment(
        strength=_STRENGTHS[sign.kind],
        evidence=(told_by(sign),),
        at=sign.place,
        title=_title(sign),
        fixes=fixes,
    )


def _title(sign: Sign) -> str | None:
    if sign.kind == "nccl.duplicate_gpu":
        return "Two ranks are on one card, which NCCL refuses"
    if sign.kind == "nccl.cuda_failure":
        return f"A CUDA call failed inside NCCL: {sign.values.get('says', '')}"
    return "The locked-memory limit is too low for the network card" if sign.kind == "nccl.memlock" else None


def _fixes(sign: Sign) -> tuple[str, ...]:
    if sign.kind in {"nccl.duplicate_gpu", "nccl.invalid_usage"}:
        return ("one_gpu_per_rank", "fix_cuda_visible_devices", "change_config", "nccl_debug")
    if sign.kind == "nccl.memlock":
        return ("change_config", "nccl_debug")
    if sign.kind == "nccl.backend_lacks_gpu":
        return ("change_config", "one_gpu_per_rank")
    if sign.kind == "nccl.cuda_failure":
        return ("upgrade_version", "nccl_debug", "change_config", "upgrade_driver")
    return ("nccl_debug", "upgrade_version", "change_config")


def _commands(sign: Sign) -> dict[str, str]:
    debug = {"nccl_debug": "NCCL_DEBUG=INFO NCCL_DEBUG_SUBSYS=INIT,GRAPH,ENV"}
    if sign.kind in {"nccl.duplicate_gpu", "nccl.invalid_usage"}:
        return {
            **debug,
            "one_gpu_per_rank": "torch.cuda.set_device(int(os.environ['LOCAL_RANK']))",
            "change_config": "--nproc_per_node=$(nvidia-smi -L | wc -l)",
        }
    if sign.kind == "nccl.memlock":
        return {**debug, "change_config": "docker run --ulimit memlock=-1 …  # or: ulimit -l unlimited"}
    if sign.kind == "nccl.backend_lacks_gpu":
        return {"change_config": "init_process_group('cpu:gloo,cuda:nccl')"}
    return {**debug, "change_config": "NCCL_P2P_DISABLE=1"}


RULE = Rule(
    id="DS604",
    name="nccl-usage",
    cause="not_memory",
    title="NCCL was called in a way it refuses",
    page=__doc__ or "",
    examine=_examine,
    fires=(
        """torch.distributed.DistBackendError: NCCL error in: ../torch/csrc/distributed/c10d/NCCLUtils.hpp:219, invalid usage (run with NCCL_DEBUG=WARN for details), NCCL version 2.14.3
ncclInvalidUsage: This usually reflects invalid usage of NCCL library.
Last error:
Duplicate GPU detected : rank 1 and rank 0 both on CUDA device 1000
""",
        """ncclUnhandledCudaError: Call to CUDA function failed.
Last error:
Cuda failure 'invalid device function'
""",
    ),
    near_miss=(
        """ncclUnhandledCudaError: Call to CUDA function failed.
Last error:
Cuda failure 2 'out of memory'
""",
    ),
)
