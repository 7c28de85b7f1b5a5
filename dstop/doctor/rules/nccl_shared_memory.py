"""NCCL could not create its files in /dev/shm

What it means
    Ranks on one machine without peer access exchange data through /dev/shm: some MiB a channel and pair of ranks. A container
    has 64 MiB there unless asked for more.

Evidence
    `Error while creating shared memory segment /dev/shm/nccl-…`, `failed to extend`, `posix_fallocate failed : No space left on
    device`. A bare `unhandled system error` on one machine, with no word of a socket or a network card, is most often this.

Fix
    `--ipc=host` or `--shm-size=8g`; in Kubernetes an emptyDir with `medium: Memory` at /dev/shm; remove what crashed runs have
    left there (`rm /dev/shm/nccl-*`). `NCCL_SHM_DISABLE=1` avoids it, and is slow.

When it is wrong
    `NCCL_DEBUG=INFO` names the call that failed: a socket, ibverbs and a peer that went away are system errors as well (DS605).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.fixes.prescribe import prescribe
from dstop.doctor.questions.aftermath import first_blow
from dstop.doctor.questions.arithmetic import gib
from dstop.doctor.questions.asking import told_by
from dstop.doctor.rule import SAYS_SO, SUGGESTS, Assessment, Rule
from dstop.model.diagnosis import Evidence

if TYPE_CHECKING:
    from dstop.doctor.case import Case

_OTHER_REASONS = (
    "nccl.network",
    "nccl.memlock",
    "nccl.peer_closed",
    "nccl.oom",
    "nccl.cuda_failure",
    "nccl.duplicate_gpu",
    "nccl.shm_attach",
    "fd.too_many",
)


def _examine(case: Case) -> Assessment | None:
    sign = case.first("nccl.no_space")
    if sign is not None and not case.has("nccl.cuda_failure"):
        evidence = [told_by(sign)]
        tried = next(
            (size for one in case.all("nccl.no_space") if (size := one.number("tried_bytes")) is not None),
            None,
        )
        if tried is not None:
            says = f"a segment of {gib(tried)} found no room; a container has 64 MiB in /dev/shm by default"
            evidence.append(Evidence(source=str(sign.place), says=says, value=tried))
        fixes = prescribe(
            case,
            "increase_shm",
            "ipc_host",
            "change_config",
            commands={"change_config": "NCCL_SHM_DISABLE=1  # slow"},
        )
        return Assessment(strength=SAYS_SO + 1, evidence=tuple(evidence), at=sign.place, fixes=fixes)
    sign = case.first("nccl.unhandled_system")
    if sign is None or case.has(*_OTHER_REASONS) or first_blow(case, sign.place) is not None:
        return None
    return Assessment(
        strength=SUGGESTS + 8,
        evidence=(told_by(sign),),
        against=("nothing names the call that failed: NCCL_DEBUG=INFO does",),
        at=sign.place,
        title="A system call failed inside NCCL: on one machine /dev/shm is the usual reason",
        fixes=prescribe(
            case,
            "ipc_host",
            "nccl_debug",
            "increase_shm",
            commands={"nccl_debug": "NCCL_DEBUG=INFO NCCL_DEBUG_SUBSYS=INIT,SHM,NET"},
        ),
    )


RULE = Rule(
    id="DS603",
    name="nccl-shared-memory",
    cause="shm_too_small",
    title="NCCL could not create its files in /dev/shm",
    page=__doc__ or "",
    examine=_examine,
    fires=(
        """gpu07:97:176 [0] misc/shmutils.cc:88 NCCL WARN Error: failed to extend /dev/shm/nccl-WU88OE to 9637892 bytes, error: No space left on device (28)
gpu07:97:176 [0] misc/shmutils.cc:132 NCCL WARN Error while creating shared memory segment /dev/shm/nccl-WU88OE (size 9637888), error: No space left on device (28)
""",
        """gpu07: Test NCCL failure common.cu:777 'unhandled system error'
RuntimeError: NCCL Error 2: unhandled system error
""",
    ),
    near_miss=(
        """ncclSystemError: System call (e.g. socket, malloc) or external library call failed or device error.
Last error:
socketStartConnect: Connect to 10.0.0.3<41817> failed : Connection refused
""",
    ),
)
