"""The OOM killer ended the process: host memory ran out

What it means
    The kernel, or a daemon that acts before it, has picked the process that frees most and ended it with SIGKILL. No GPU memory
    is involved, and the program could not say a word.

Evidence
    `Killed process PID (name) … anon-rss`, `oom-kill:constraint=…`, `systemd-oomd`, `earlyoom`. `CONSTRAINT_MEMCG` says that
    the limit of a control group was hit (a container, a Slurm job, a unit), `CONSTRAINT_NONE` that the whole machine was full:
    Linux, mm/oom_kill.c. What counts is anon-rss and shmem-rss; total-vm is address space, of which CUDA takes much.

Fix
    For a control group raise its limit; for a full machine use less, or add memory. Fewer loader workers, data that is mapped
    instead of read, and one copy of the weights instead of one a rank are what helps most.

When it is wrong
    The victim need not be the culprit: compare its resident memory with the machine's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.fixes.host import host_fixes, is_control_group
from dstop.doctor.questions.arithmetic import gib
from dstop.doctor.questions.asking import told_by
from dstop.doctor.rule import PROVEN, SAYS_SO, Assessment, Rule
from dstop.model.diagnosis import Evidence

if TYPE_CHECKING:
    from dstop.doctor.case import Case
    from dstop.doctor.evidence.facts import Sign

COMPILERS = frozenset(
    (
        "cc1plus",
        "cc1",
        "cicc",
        "ptxas",
        "nvcc",
        "lto1",
        "lto1-wpa",
        "ld",
        "lld",
        "rustc",
        "cudafe++",
        "clang",
        "clang++",
    )
)
_KILLS = (
    "kernel.killed",
    "kernel.constraint",
    "kernel.oomd",
    "kernel.earlyoom",
    "kernel.unit_oom",
    "kernel.no_killable",
)


def _examine(case: Case) -> Assessment | None:
    first = case.first(*_KILLS)
    sign = _best(case) or case.first("kernel.invoked", "kernel.reaped", "kernel.cgroup_limit")
    if sign is None or sign.values.get("command") in COMPILERS:
        return None
    limit = _limit_bytes(case)
    evidence = [told_by(sign)]
    resident = _resident_bytes(sign)
    if resident is not None:
        says = f"{sign.values.get('command', 'it')} held {gib(resident)} of memory that cannot be dropped"
        evidence.append(Evidence(source=str(sign.place), says=says, value=resident))
    if limit is not None:
        source = case.first("kernel.cgroup_limit")
        says = f"the limit of its control group is {gib(limit)}"
        evidence.append(Evidence(source=str(source.place if source else sign.place), says=says, value=limit))
    evidence.append(Evidence(source=str(sign.place), says=_whose_limit(case)))
    return Assessment(
        strength=SAYS_SO + 1 if first is not None else PROVEN,
        evidence=tuple(evidence),
        at=sign.place,
        title=_title(sign, resident),
        fixes=host_fixes(case, limit_bytes=limit),
    )


def _best(case: Case) -> Sign | None:
    """Give the kill that says most; of equals the first."""
    kills = case.all(*_KILLS)
    return max(kills, key=lambda sign: (len(sign.values), -sign.place.order), default=None)


def _resident_bytes(sign: Sign) -> int | None:
    resident = sign.number("resident_bytes")
    return None if resident is None else resident + (sign.number("shared_bytes") or 0)


def _limit_bytes(case: Case) -> int | None:
    limits = [limit for sign in case.all("kernel.cgroup_limit") if (limit := sign.number("limit_bytes"))]
    return limits[0] if limits else None


def _whose_limit(case: Case) -> str:
    if case.has("kernel.oomd", "kernel.earlyoom") and not case.has("kernel.killed"):
        return "a daemon ended it before the kernel had to: the machine was nearly full"
    if is_control_group(case):
        return "a control group's limit was hit (a container, a job or a unit); the machine itself may have had memory left"
    return "nothing names a control group: the whole machine was out of memory"


def _title(sign: Sign, resident: int | None) -> str:
    command = sign.values.get("command")
    who = f"The OOM killer ended {command}" if command else "The OOM killer ended the process"
    return f"{who} at {gib(resident)}: host memory ran out" if resident else f"{who}: host memory ran out"


RULE = Rule(
    id="DS701",
    name="oom-killer",
    cause="host_ram_oom",
    title="The OOM killer ended the process: host memory ran out",
    page=__doc__ or "",
    examine=_examine,
    fires=(
        """Nov 02 04:11:09 gpu07 kernel: python3 invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0
Nov 02 04:11:09 gpu07 kernel: memory: usage 67108864kB, limit 67108864kB, failcnt 4411
Nov 02 04:11:09 gpu07 kernel: oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=c1,mems_allowed=0-1,oom_memcg=/docker/8f2a,task_memcg=/docker/8f2a,task=python3,pid=31337,uid=0
Nov 02 04:11:09 gpu07 kernel: Memory cgroup out of memory: Killed process 31337 (python3) total-vm:212345678kB, anon-rss:66012345kB, file-rss:70000kB, shmem-rss:512kB, UID:0 pgtables:140000kB oom_score_adj:0
""",
        """[83121.123456] Out of memory: Kill process 4711 (python) score 905 or sacrifice child
[83121.123460] Killed process 4711 (python) total-vm:190345678kB, anon-rss:125012345kB, file-rss:1024kB
""",
        'earlyoom[812]: sending SIGTERM to process 57834 uid 1000 "python3": badness 866, VmRSS 27112 MiB\n',
    ),
    near_miss=(
        "Nov 02 04:11:09 gpu07 earlyoom[812]: mem avail: 27949 of 31880 MiB (87.67%), swap free: 4433 of 4915 MiB (90.22%)\n",
        """[83121.123456] Out of memory: Killed process 4711 (cc1plus) total-vm:9034567kB, anon-rss:8501234kB, file-rss:1024kB, shmem-rss:0kB
c++: fatal error: Killed signal terminated program cc1plus
""",
    ),
)
