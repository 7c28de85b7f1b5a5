"""The process was ended with SIGKILL, which is most often the OOM killer

What it means
    Exit code 137 is 128 + 9, -9 is signal 9 as Python reports it, 247 is -9 in a byte, and a shell prints `Killed`: all are
    SIGKILL, which no program can catch or log. On a machine that trains models it is nearly always the OOM killer.

Evidence
    The launcher's line (torchrun `exitcode: -9`, DeepSpeed `return code = -9`, Docker and kubectl 137, a shell's `Killed`),
    and no error of the program before it. `return code = 1` and `Killing subprocess` are a launcher that cleans up: they say
    nothing of memory.

Fix
    Confirm with `dmesg -T | grep -i -E "killed process|oom"`, the `oom_kill` counter of the control group's memory.events,
    `sacct -o State,MaxRSS` or `kubectl describe pod`; then as for the OOM killer (DS701).

When it is wrong
    A scheduler, a time limit, a spot machine that goes away, a watchdog of the platform or a person send SIGKILL too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.fixes.host import host_fixes
from dstop.doctor.questions.aftermath import FAULTS, SILENT_KILLS, device_failure_before
from dstop.doctor.questions.asking import told_by
from dstop.doctor.questions.builds import is_in_build
from dstop.doctor.rule import DEFAULT, FITS, SUGGESTS, Assessment, Rule
from dstop.model.diagnosis import Evidence

if TYPE_CHECKING:
    from dstop.doctor.case import Case
    from dstop.doctor.evidence.facts import Sign

_STRENGTHS = {
    "host.worker_killed": FITS + 11,
    "host.exit_137": FITS + 8,
    "host.exit_9": FITS + 8,
    "host.sigkill": FITS + 8,
    "host.killed_word": FITS + 4,
    "slurm.killed": FITS,
    "host.exit_247": SUGGESTS + 10,
    "host.pool_broken": SUGGESTS,
    "ray.worker_died": SUGGESTS,
    "host.worker_exited": SUGGESTS - 4,
    "notebook.died": DEFAULT + 8,
}
_LAUNCHERS = frozenset(
    (
        "ChildFailedError",
        "SignalException",
        "CalledProcessError",
        "ProcessExitedException",
        "ProcessRaisedException",
        "WorkerLostError",
        "RayActorError",
        "ActorDiedError",
        "WorkerCrashedError",
        "BrokenProcessPool",
        "TerminatedWorkerError",
        "DeadKernelError",
        "EngineDeadError",
        "ConnectionResetError",
        "BrokenPipeError",
        "EOFError",
        "RuntimeError",
    )
)
"""What is raised because a process has gone; a RuntimeError is also a loader's whose worker was killed."""
_CONFIRM = "SIGKILL leaves no message: `dmesg -T | grep -iE 'killed process|oom'` or oom_kill in the control group's memory.events confirms it"


def _examine(case: Case) -> Assessment | None:
    signs = case.all(*_STRENGTHS)
    if not signs:
        return None
    sign = max(signs, key=lambda one: (_STRENGTHS[one.kind], -one.place.order))
    if _has_other_reason(case, sign) or is_in_build(case, sign):
        return None
    strength = _STRENGTHS[sign.kind]
    evidence = [told_by(sign)]
    evidence += [
        told_by(other) for other in signs if other.kind != sign.kind and other.place.line != sign.place.line
    ][:2]
    against: list[str] = []
    raised = _raised_before(case, sign)
    if raised is not None:
        strength -= 20
        against.append(f"an error stands before it ({raised}): the kill may be the launcher cleaning up")
    if _root_is_another(case):
        strength -= 20
        against.append("torchrun names another exit code as the root cause")
    evidence.append(Evidence(source=str(sign.place), says=_CONFIRM))
    return Assessment(
        strength=strength,
        evidence=tuple(evidence),
        against=tuple(against),
        at=sign.place,
        title=_title(sign),
        fixes=host_fixes(case, first=("num_workers_zero",) if sign.kind == "host.worker_exited" else ()),
    )


def _has_other_reason(case: Case, sign: Sign) -> bool:
    """Whether something else ended the process, or the kill belongs to what came after another failure."""
    if case.has("slurm.other_end", "host.other_kill"):
        return True
    if device_failure_before(case, sign.place) is not None:
        return True
    if any(fault.place.order < sign.place.order for fault in case.all(*FAULTS)):
        return True
    waits = case.first("nccl.watchdog", "nccl.heartbeat", "nccl.monitored_barrier")
    if waits is not None and waits.place.order < sign.place.order:
        return case.has("nccl.aborted", "nccl.forced_exit") or sign.kind not in SILENT_KILLS
    return False


def _raised_before(case: Case, sign: Sign) -> str | None:
    for trace in case.traces:
        if trace.place.order >= sign.place.order:
            break
        if trace.error and trace.frames and trace.error not in _LAUNCHERS and "Memory" not in trace.error:
            return trace.error
    return None


def _root_is_another(case: Case) -> bool:
    """Whether torchrun's summary names as root cause an exit code that is not SIGKILL's."""
    return case.says(
        r"Root Cause[^\n]{0,40}\n(?:[^\n]{0,200}\n){0,5}?[^\n]{0,20}exitcode\s{0,6}: (?!-9\b)-?\d"
    )


def _title(sign: Sign) -> str | None:
    if sign.kind == "host.worker_killed":
        return "A data loader's worker was killed: host memory ran out"
    if _STRENGTHS[sign.kind] < FITS:
        return "The process is gone without a word: host memory is the usual reason"
    return None


RULE = Rule(
    id="DS704",
    name="silent-kill",
    cause="host_ram_oom",
    title="The process was ended with SIGKILL, which is most often the OOM killer",
    page=__doc__ or "",
    examine=_examine,
    fires=(
        """Loading checkpoint shards:  33%|███▎      | 1/3 [00:20<00:41, 20.51s/it]
ERROR:torch.distributed.elastic.multiprocessing.api:failed (exitcode: -9) local_rank: 0 (pid: 4100) of binary: /usr/bin/python3
""",
        "[2024-03-01 10:11:12,123] [ERROR] [launch.py:434:sigkill_handler] ['/usr/bin/python3', '-u', 'train.py'] exits with return code = -9\n",
        "trainer-1  | Killed\ntrainer-1 exited with code 137\n",
        "RuntimeError: DataLoader worker (pid 4100) is killed by signal: Killed. \n",
    ),
    near_miss=(
        """torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 512.00 MiB. GPU 0 has a total capacity of 23.57 GiB of which 310.50 MiB is free. Including non-PyTorch memory, this process has 23.25 GiB memory in use. Of the allocated memory 22.41 GiB is allocated by PyTorch, and 401.20 MiB is reserved by PyTorch but unallocated.
[2024-03-01 10:11:12,100] [INFO] [launch.py:428:sigkill_handler] Killing subprocess 4100
[2024-03-01 10:11:12,123] [ERROR] [launch.py:434:sigkill_handler] ['/usr/bin/python3', '-u', 'train.py'] exits with return code = -9
""",
        """[2024-03-01 10:11:12,100] [INFO] [launch.py:428:sigkill_handler] Killing subprocess 4100
[2024-03-01 10:11:12,123] [ERROR] [launch.py:434:sigkill_handler] ['/usr/bin/python3', '-u', 'train.py'] exits with return code = 1
""",
        """slurmstepd: error: *** STEP 77.0 ON n1 CANCELLED AT 2025-03-02T11:02:03 DUE TO TIME LIMIT ***
srun: error: n1: task 0: Killed
""",
    ),
)
