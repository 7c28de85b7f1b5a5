"""The batch system ended the job: it used more memory than it asked for

What it means
    Slurm (LSF, PBS, Grid Engine, HTCondor, YARN) puts a job into a control group with the memory that was asked for, and all
    that runs in it shares that: every rank, every loader worker, and what it writes into /dev/shm.

Evidence
    `Detected N oom_kill event(s) in StepId=…`, `exceeded memory limit (used > limit)`, `task N: Out Of Memory`, the state
    `OUT_OF_MEMORY`, `TERM_MEMLIMIT`, `mem …kb exceeded limit …kb`: the batch system's own words.

Fix
    Ask for more (`--mem`, `--mem-per-cpu`; `--mem=0` is all of the node), or run fewer ranks and workers a node. `sacct -j JOB
    -o MaxRSS,ReqMem` shows how far it was off; MaxRSS is sampled, and misses peaks.

When it is wrong
    Some versions of slurmstepd report an oom_kill event of another step of the job: see which step has the state.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.fixes.host import host_fixes
from dstop.doctor.questions.arithmetic import gib
from dstop.doctor.questions.asking import told_by
from dstop.doctor.rule import SAYS_SO, Assessment, Rule
from dstop.model.diagnosis import Evidence

if TYPE_CHECKING:
    from dstop.doctor.case import Case


def _examine(case: Case) -> Assessment | None:
    signs = case.all("slurm.oom", "batch.oom")
    if not signs:
        return None
    told = next((sign for sign in signs if sign.number("limit_bytes")), signs[0])
    limit, used = told.number("limit_bytes"), told.number("used_bytes")
    evidence = [told_by(told)]
    if limit and used:
        says = f"{gib(used)} was used, {gib(limit)} was asked for"
        evidence.append(Evidence(source=str(told.place), says=says, value=used))
    evidence += [told_by(sign) for sign in case.all("slurm.efficiency", "slurm.killed")[:2]]
    efficiency = case.first("slurm.efficiency")
    if limit is None and efficiency is not None:
        limit = efficiency.number("limit_bytes")
    who = "Slurm" if told.kind == "slurm.oom" else "The batch system"
    return Assessment(
        strength=SAYS_SO + 2,
        evidence=tuple(evidence),
        at=signs[0].place,
        title=f"{who} ended the job: it used more host memory than it asked for",
        fixes=host_fixes(case, limit_bytes=limit),
    )


RULE = Rule(
    id="DS702",
    name="batch-memory",
    cause="host_ram_oom",
    title="The batch system ended the job: it used more memory than it asked for",
    page=__doc__ or "",
    examine=_examine,
    fires=(
        """slurmstepd: error: Detected 1 oom_kill event in StepId=4402.0. Some of the step tasks have been OOM Killed.
srun: error: gpu07: task 3: Out Of Memory
""",
        "slurmstepd: error: Step 4402.0 exceeded memory limit (67204100 > 67108864), being killed\n",
        "TERM_MEMLIMIT: job killed after reaching LSF memory usage limit.\n",
    ),
    near_miss=(
        """slurmstepd: error: *** JOB 4402 ON gpu07 CANCELLED AT 2025-03-02T11:02:03 DUE TO TIME LIMIT ***
srun: error: gpu07: task 3: Killed
""",
    ),
)
