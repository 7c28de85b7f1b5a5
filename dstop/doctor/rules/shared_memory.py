"""The shared memory at /dev/shm is too small

What it means
    Loader workers, NCCL and engines pass data through files in /dev/shm. In a container it is 64 MiB unless asked for more. A
    file there grows when it is touched, so what does not fit shows as SIGBUS, not as an error.

Evidence
    `DataLoader worker … killed by signal: Bus error`, "insufficient shared memory (shm)", `No space left on device` for a file
    of /dev/shm, `unable to allocate shared memory(shm) for file`.

Fix
    `docker run --shm-size=16g` or `--ipc=host`; in Kubernetes an emptyDir with `medium: Memory` at /dev/shm (it counts as the
    pod's memory). `num_workers=0` needs none. Needed: workers x prefetch x bytes of a batch.

When it is wrong
    A bare bus error also comes from a mapped file that was cut short or lies on a disk that is full; and what a crash has left
    in /dev/shm fills it too: look with `df -h /dev/shm; ls /dev/shm`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.fixes.prescribe import prescribe
from dstop.doctor.questions.aftermath import device_failure_before
from dstop.doctor.questions.asking import told_by
from dstop.doctor.rule import FITS, PROVEN, SAYS_SO, SUGGESTS, Assessment, Rule

if TYPE_CHECKING:
    from dstop.doctor.case import Case

_SHM_FRAMES = r"multiprocessing/shared_memory\.py|multiprocessing/reductions\.py|_share_filename_cpu_|_share_fd_cpu_|shm_broadcast\.py|multiprocessing/synchronize\.py|multiprocessing/heap\.py"


def _examine(case: Case) -> Assessment | None:
    sign, strength = case.first("shm.no_space"), SAYS_SO
    if sign is None:
        sign, strength = case.first("shm.bus_error"), SAYS_SO - 2
    if sign is None and case.in_frames(_SHM_FRAMES) is not None:
        sign, strength = case.first("other.disk_full"), PROVEN + 8
    if sign is None:
        sign, strength = case.first("shm.bare_bus_error"), SUGGESTS + 9
        if sign is not None and (
            case.has("nccl.version", "nccl.unhandled_system") or case.says(r"DataLoader|num_workers")
        ):
            strength = FITS + 2
    if sign is None:
        return None
    if sign.kind == "shm.bare_bus_error" and device_failure_before(case, sign.place) is not None:
        return None
    small = case.first("shm.small")
    evidence = [told_by(sign)] + ([told_by(small)] if small is not None else [])
    workers = case.number("workers")
    commands = (
        {"reduce_num_workers": f"DataLoader(num_workers={max(1, workers // 4)})  # was {workers}"}
        if workers
        else {}
    )
    return Assessment(
        strength=strength,
        evidence=tuple(evidence),
        at=sign.place,
        fixes=prescribe(case, *_fixes(case), commands=commands),
    )


def _fixes(case: Case) -> tuple[str, ...]:
    if case.says(r"DataLoader|dataloader|num_workers|/torch_\d"):
        return (
            "increase_shm",
            "num_workers_zero",
            "ipc_host",
            "reduce_num_workers",
            "sharing_strategy_file_system",
        )
    return ("increase_shm", "ipc_host", "reduce_num_workers")


RULE = Rule(
    id="DS709",
    name="shared-memory",
    cause="shm_too_small",
    title="The shared memory at /dev/shm is too small",
    page=__doc__ or "",
    examine=_examine,
    fires=(
        """ERROR: Unexpected bus error encountered in worker. This might be caused by insufficient shared memory (shm).
RuntimeError: DataLoader worker (pid 4100) is killed by signal: Bus error. It is possible that dataloader's workers are out of shared memory. Please try to raise your shared memory limit.
""",
        "RuntimeError: unable to write to file </torch_38_1a2b>: No space left on device (28)\n",
        """  File "/usr/lib/python3.11/multiprocessing/shared_memory.py", line 122, in __init__
    os.ftruncate(self._fd, size)
OSError: [Errno 28] No space left on device
""",
    ),
    near_miss=(
        """  File "/home/u/train.py", line 9, in save
    torch.save(model.state_dict(), "/data/last.pt")
OSError: [Errno 28] No space left on device
""",
    ),
)
