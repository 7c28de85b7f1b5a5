"""Who a process is in its job, by its command line and environment: rank, job, framework, model. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from dstop.model.value import Value
from dstop.sources.procfs.command import SPAWN_WORKER, launcher_of
from dstop.sources.procfs.frameworks import framework_of
from dstop.sources.procfs.launch import parse_launch
from dstop.sources.procfs.reading import as_count, words
from dstop.sources.procfs.served import served_model

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from dstop.model.process import ProcessFacts
    from dstop.sources.procfs.launch import Launch

MOST_RANKS = 10**7
"""More than any machine has: a larger rank is garbage."""

_RANK = ("RANK", "SLURM_PROCID", "OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK")
_LOCAL_RANK = (
    "LOCAL_RANK",
    "SLURM_LOCALID",
    "OMPI_COMM_WORLD_LOCAL_RANK",
    "MPI_LOCALRANKID",
    "PMI_LOCAL_RANK",
)
_WORLD_SIZE = ("WORLD_SIZE", "SLURM_STEP_NUM_TASKS", "SLURM_NTASKS", "OMPI_COMM_WORLD_SIZE", "PMI_SIZE")

_LONGEST = 80


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Identity(Value):
    """What a process is to its job; None where nothing says so."""

    rank: int | None = None
    local_rank: int | None = None
    world_size: int | None = None
    job: str | None = None
    framework: str | None = None
    model: str | None = None


def identify(cmdline: Sequence[str], environ: Mapping[str, str], *, ppid: int | None = None) -> Identity:
    """Find out who a process is.

    Args:
        cmdline: its arguments.
        environ: the environment it was started with; empty when it cannot be read.
        ppid: its parent, by which the ranks of a job without a name are told from those of another.
    """
    launch = parse_launch(cmdline)
    framework = framework_of(launch, environ)
    rank, local_rank, world_size = _place(launch, environ)
    return Identity(
        rank=rank,
        local_rank=local_rank,
        world_size=world_size,
        job=_job(environ, rank, ppid),
        framework=framework,
        model=served_model(launch, environ, framework),
    )


def inherit(facts: ProcessFacts, parents: Iterable[ProcessFacts]) -> ProcessFacts:
    """Give a worker what only its parents say: the model, framework and job of the server that started it.

    Args:
        facts: of the worker.
        parents: its ancestors, nearest first; it ends where they leave the program (a shell, another user).
    """
    framework, model, job, command = facts.framework, facts.model, facts.job, facts.command
    for parent in parents:
        if _is_outside(facts, parent):
            break
        framework, model, job = framework or parent.framework, model or parent.model, job or parent.job
        if command == SPAWN_WORKER and parent.command not in {None, SPAWN_WORKER, "forkserver"}:
            command = f"{parent.command} worker"
    if (framework, model, job, command) == (facts.framework, facts.model, facts.job, facts.command):
        return facts
    unavailable = {name: why for name, why in facts.unavailable.items() if name != "job" or job is None}
    return replace(facts, framework=framework, model=model, job=job, command=command, unavailable=unavailable)


_SESSIONS = words(
    "systemd init tini dumb-init docker-init containerd-shim containerd-shim-runc-v2 conmon sshd sshd-session"
    " tmux screen login su sudo cron crond slurmstepd supervisord s6-svscan runsvdir"
    " kubelet dockerd code-server"
)
_SHELLS = words("bash sh dash zsh ksh fish tcsh")


def _is_outside(facts: ProcessFacts, parent: ProcessFacts) -> bool:
    """Whether a parent only houses the program: then what it says is not the program's."""
    if parent.pid <= 1 or (parent.uid is not None and facts.uid is not None and parent.uid != facts.uid):
        return True
    name = (parent.command or "").partition(" ")[0].rstrip(":")
    return name in _SESSIONS or (name in _SHELLS and len(parent.cmdline) <= 1)


def _place(launch: Launch, environ: Mapping[str, str]) -> tuple[int | None, int | None, int | None]:
    """Give rank, local rank and world size; none for a launcher, whose variables count machines.

    What a process spawned itself has its Slurm or MPI variables by descent only: they are not its own place.
    """
    if launcher_of(launch) is not None:
        return None, None, None
    if launch.title is not None and (rank := title_rank(launch.title)) is not None:
        return rank, None, None
    spawned = launch.code is not None
    rank = _variable(environ, _RANK[:1] if spawned else _RANK)
    if rank is None:
        rank = _argument(launch, ("--rank",))
    local_rank = _variable(environ, _LOCAL_RANK[:1] if spawned else _LOCAL_RANK)
    if local_rank is None:
        local_rank = _argument(launch, ("--local_rank", "--local-rank"))
    if rank is None and local_rank is None:
        return None, None, None
    world_size = _variable(environ, _WORLD_SIZE)
    if world_size is None:
        world_size = _argument(launch, ("--world-size", "--world_size"))
    fits = world_size is not None and world_size > 0 and (rank is None or rank < world_size)
    return rank, local_rank, world_size if fits else None


def title_rank(title: str) -> int | None:
    """Read the rank from the name a worker gives itself: `VLLM::Worker_TP3`, `sglang::scheduler_DP0_TP1_EP1`.

    Split in several ways, it follows only while the outer ones (DP, PP) are 0: no title says their sizes.
    """
    tags: dict[str, int] = {}
    for part in title.partition("::")[2].split(" ")[0].split("_"):
        kind, number = (
            part.rstrip("0123456789"),
            as_count(part.lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ"), MOST_RANKS),
        )
        if kind in {"TP", "PP", "DP", "EP"} and number is not None:
            tags[kind] = number
    placing = {kind: number for kind, number in tags.items() if kind != "EP" or len(tags) == 1}
    if len(placing) == 1:
        return next(iter(placing.values()))
    return placing.get("TP") if placing and not placing.get("PP") and not placing.get("DP") else None


def _job(environ: Mapping[str, str], rank: int | None, ppid: int | None) -> str | None:
    """Name the job: what all its ranks have in common, and no other job's."""
    name = _named_job(environ)
    if name is None and rank is not None:
        address, port = environ.get("MASTER_ADDR"), as_count(environ.get("MASTER_PORT"), 1 << 16)
        if address and port:
            name = f"{address}:{port}"
        elif ppid is not None and ppid > 1:
            name = f"pid:{ppid}"
    return None if name is None else name[:_LONGEST]


def _named_job(environ: Mapping[str, str]) -> str | None:
    run = environ.get("TORCHELASTIC_RUN_ID")
    if run and run.lower() != "none":
        return run
    for variable, kind in (
        ("SLURM_JOB_ID", "slurm"),
        ("SLURM_JOBID", "slurm"),
        ("LSB_JOBID", "lsf"),
        ("PBS_JOBID", "pbs"),
    ):
        if environ.get(variable):
            return f"{kind}:{environ[variable]}"
    index, host = environ.get("JOB_COMPLETION_INDEX"), environ.get("HOSTNAME", "")
    if index and "KUBERNETES_SERVICE_HOST" in environ and host.endswith(f"-{index}"):
        return f"k8s:{host.removesuffix(f'-{index}')}"
    return f"ray:{environ['RAY_JOB_ID']}" if environ.get("RAY_JOB_ID") else None


def _variable(environ: Mapping[str, str], names: Sequence[str]) -> int | None:
    for name in names:
        number = as_count(environ.get(name), MOST_RANKS)
        if number is not None:
            return number
    return None


def _argument(launch: Launch, options: Sequence[str]) -> int | None:
    for position, word in enumerate(launch.arguments):
        name, equals, value = word.partition("=")
        if name in options:
            following = launch.arguments[position + 1] if position + 1 < len(launch.arguments) else None
            return as_count(value if equals else following, MOST_RANKS)
    return None
