"""Slurm: which job a GPU process belongs to, from its environment, and what slurmstepd writes of its end.

Sources: srun(1) and sbatch(1), "OUTPUT ENVIRONMENT VARIABLES"; the messages of slurmstepd in a job's own log.
"""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from dstop.doctor.case import Case
    from dstop.doctor.rule import Assessment, Rule
    from dstop.model.process import ProcessFacts

hookimpl = pluggy.HookimplMarker("dstop")

_LABELS = {
    "SLURM_JOB_ID": "slurm job",
    "SLURM_JOB_NAME": "slurm name",
    "SLURM_STEP_ID": "slurm step",
    "SLURM_JOB_PARTITION": "partition",
}
_MEMORY = {"SLURM_MEM_PER_NODE": "node", "SLURM_MEM_PER_GPU": "GPU", "SLURM_MEM_PER_CPU": "CPU"}
"""In MiB."""
_JOB = re.compile(r"(/[^\n]{0,500}?/job_\d{1,20})(?:/|$)")
_DIGITS = 19
_LONGEST = 200
"""Of the lines that are looked at: slurmstepd's own are short, and a job may write any others."""


@hookimpl
def labels(environ: Mapping[str, str]) -> Mapping[str, str] | None:
    """Give the job, its step and its limits; None for a process that Slurm did not start."""
    found = {label: environ[name] for name, label in _LABELS.items() if environ.get(name)}
    if not found:
        return None
    for name, what in _MEMORY.items():
        said = environ.get(name, "")
        if said.isascii() and said.isdigit() and int(said[:12]) > 0:
            found["slurm memory"] = f"{int(said[:12]):,} MiB a {what}"
            break
    end = environ.get("SLURM_JOB_END_TIME", "")
    if end.isascii() and end.isdigit() and len(end) <= 10:  # noqa: PLR2004 - seconds until the year 2286
        found["slurm ends"] = time.strftime("%Y-%m-%d %H:%M", time.localtime(int(end)))
    return found


@hookimpl
def figures(process: ProcessFacts) -> Mapping[str, float | str] | None:
    """Give what the job's cgroup holds on this node, its limit, and how often the kernel has killed in it."""
    return job_figures(process.pid)


def job_figures(pid: int, proc: str = "/proc", cgroups: str = "/sys/fs/cgroup") -> Mapping[str, float] | None:
    """Read the cgroup of the job that a process belongs to; None where it is in none.

    Slurm's cgroup/v2 plugin puts a job below `…/slurmstepd.scope/job_ID` (https://slurm.schedmd.com/cgroup_v2.html);
    its files are those of the kernel's memory controller (Documentation/admin-guide/cgroup-v2.rst).
    """
    try:
        lines = Path(f"{proc}/{pid}/cgroup").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    path = next((line[3:] for line in lines if line.startswith("0::/")), "")
    found = _JOB.match(path)
    if found is None or ".." in path:
        return None
    folder = f"{cgroups}{found[1]}"
    told: dict[str, float] = {}
    for name, file in (("job_memory_bytes", "memory.current"), ("job_limit_bytes", "memory.max")):
        text = _read(f"{folder}/{file}").strip()
        if text.isascii() and text.isdigit() and len(text) < _DIGITS:
            told[name] = int(text)
    events = dict(line.split(" ", 1) for line in _read(f"{folder}/memory.events").splitlines() if " " in line)
    count = events.get("oom_kill", "")
    if count.isascii() and count.isdigit() and len(count) < _DIGITS:
        told["job_oom_kills_total"] = int(count)
    return told or None


def _read(path: str) -> str:
    try:
        with Path(path).open(encoding="ascii", errors="replace") as file:
            return file.read(4096)
    except OSError:
        return ""


_WHO = r"(?:slurmstepd|srun): error: "
_MESSAGES = (
    (
        "slurm.time_limit",
        re.compile(_WHO + r"\*\*\* (?:JOB|STEP) (?P<job>[\d.]+) [^*]{0,80}DUE TO TIME LIMIT"),
    ),
    (
        "slurm.preempted",
        re.compile(_WHO + r"\*\*\* (?:JOB|STEP) (?P<job>[\d.]+) [^*]{0,80}DUE TO PREEMPTION"),
    ),
)


@hookimpl
def evidence(lines: Sequence[str]) -> Iterator[tuple[int, str, Mapping[str, str]]]:
    """Find slurmstepd's lines."""
    for number, line in enumerate(lines):
        if "error: " not in line[:_LONGEST]:
            continue
        for kind, pattern in _MESSAGES:
            found = pattern.search(line[:_LONGEST])
            if found is not None:
                yield number, kind, found.groupdict()
                break


def _by(kind: str, fix: tuple[str, str, str]) -> Callable[[Case], Assessment | None]:
    """Make what examines a case for one of the lines."""

    def examine(case: Case) -> Assessment | None:
        from dstop.doctor.rule import SAYS_SO, Assessment  # noqa: PLC0415 - labels alone need no doctor
        from dstop.model.evidence import Evidence, Fix  # noqa: PLC0415 - as above

        sign = case.first(kind)
        # A job that dies of something else is cancelled too, afterwards: what comes first is the reason.
        if sign is None or (case.failure is not None and case.failure.place.order < sign.place.order):
            return None
        name, title, command = fix
        return Assessment(
            strength=SAYS_SO,
            at=sign.place,
            evidence=(Evidence(source=str(sign.place), says=sign.text),),
            fixes=(Fix(id=name, title=title, command=command or None),),
        )

    return examine


_PAGE = """{title}

What it means
    {means}

Evidence
    {evidence}

Fix
    {fix}

When it is wrong
    {wrong}
"""


@hookimpl
def rules() -> Sequence[Rule]:
    """Give the two rules."""
    from dstop.doctor.rule import Rule  # noqa: PLC0415 - labels alone need no doctor

    return [
        Rule(
            id=number,
            name=name,
            cause=cause,
            title=words["title"],
            page=_PAGE.format(**words),
            examine=_by(kind, fix),
            fires=(fires,),
            near_miss=(near_miss,),
        )
        for number, name, cause, kind, words, fix, fires, near_miss in RULES
    ]


RULES = (
    (
        "SL910",
        "slurm-time-limit",
        "slurm_time_limit",
        "slurm.time_limit",
        {
            "title": "The job ran into its time limit",
            "means": "Slurm ended the job when its time was over. No memory failed.",
            "evidence": "slurmstepd's line with CANCELLED … DUE TO TIME LIMIT.",
            "fix": "A longer `--time`, or checkpoints and `--signal=B:USR1@300`, so that the job can go on.",
            "wrong": "If something failed before it in the same log, that is the reason, and comes first.",
        },
        ("raise_slurm_time", "Ask Slurm for more time", "#SBATCH --time=2-00:00:00"),
        "slurmstepd: error: *** JOB 4711 ON gpu07 CANCELLED AT 2026-05-01T12:00:00 DUE TO TIME LIMIT ***\n",
        "srun: job 4711 queued and waiting for resources\nTime limit of 2 hours is planned\n",
    ),
    (
        "SL911",
        "slurm-preempted",
        "slurm_preempted",
        "slurm.preempted",
        {
            "title": "Slurm preempted the job for another one",
            "means": "A job of higher priority took the nodes. No memory failed.",
            "evidence": "slurmstepd's line with CANCELLED … DUE TO PREEMPTION.",
            "fix": "`--requeue` with checkpoints, or a partition that is not preempted.",
            "wrong": "If something failed before it in the same log, that is the reason.",
        },
        ("requeue", "Have Slurm queue it again", "#SBATCH --requeue"),
        "slurmstepd: error: *** STEP 4711.0 ON gpu07 CANCELLED AT 2026-05-01T12:00:00 DUE TO PREEMPTION ***\n",
        "preemption is enabled in this partition\n",
    ),
)
