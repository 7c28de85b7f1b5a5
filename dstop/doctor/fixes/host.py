"""What to do about host memory, by who set its limit and by what was filling it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from dstop.doctor.fixes.prescribe import prescribe
from dstop.doctor.questions.frameworks import ENGINES
from dstop.units import GIB

if TYPE_CHECKING:
    from dstop.doctor.case import Case
    from dstop.model.diagnosis import Fix

_HALF_MORE = 1.5
"""What a limit is raised by: enough to see whether it is a size or a leak."""
_LOADS = r"(?i)loading (?:checkpoint|weights|model|pipeline|safetensors)|from_pretrained|torch\.load|load_checkpoint|Loading extension"
_LOADER_WORKERS = r"(?i)DataLoader|num_workers"
_PREPARES = (
    r"(?i)\b(?:tokeniz(?:ing|er on)|Map \(num_proc|num_proc|preprocess|grouping texts|Generating \w+ split)"
)
_OFFLOADS = r"(?i)offload"
_NO_SECOND_COPY = "Load without a second copy in host memory"


def host_fixes(case: Case, *, first: tuple[str, ...] = (), limit_bytes: int | None = None) -> tuple[Fix, ...]:
    """Give the fixes for a job that needs more host memory than it may have.

    Args:
        case: what happened.
        first: fixes that a rule knows to be better than these.
        limit_bytes: the limit that was hit, where it is known.
    """
    limit, doing = _who_limits(case), _what_fills(case)
    ids = (*first, *limit, *doing, "increase_host_ram", "add_swap")
    titles = {"free_checkpoint_after_load": _NO_SECOND_COPY}
    return prescribe(case, *ids, commands=_commands(case, limit_bytes), titles=titles)


def _who_limits(case: Case) -> tuple[str, ...]:
    constraint = case.first("kernel.constraint")
    group = str(constraint.values.get("cgroup", "")) if constraint is not None else ""
    if case.has("slurm.oom", "slurm.is", "slurm.killed") or "slurm" in group:
        return ("raise_slurm_mem",)
    if case.has("batch.oom"):
        return ("raise_memory_limit",)
    if case.has("kubernetes.oom", "kubernetes.evicted", "kubernetes.is", "docker.is"):
        return ("raise_memory_limit",)
    if is_control_group(case) or case.has("host.exit_137"):
        return ("raise_memory_limit",)
    return ("increase_pagefile",) if is_windows(case) else ()


def is_control_group(case: Case) -> bool:
    """Whether the kernel says that the limit of a control group was hit, and not the end of the machine's memory."""
    if case.has("kernel.cgroup_limit"):
        return True
    constraint = case.first("kernel.constraint")
    if constraint is not None:
        return constraint.values.get("constraint") == "CONSTRAINT_MEMCG"
    killed = case.first("kernel.killed")
    return killed is not None and str(killed.values.get("scope", "")).startswith("Memory cgroup")


def is_windows(case: Case) -> bool:
    """Whether the log is of Windows itself: WSL is a Linux of its own memory."""
    return (
        case.has("host.windows")
        and not case.has("host.wsl")
        and not case.says(r'"/(?:home|root|opt|usr|workspace)/')
    )


def _what_fills(case: Case) -> tuple[str, ...]:
    """Give the fixes for what was filling the memory: the first circumstance that holds decides."""
    is_slurm = case.has("slurm.oom", "slurm.is", "slurm.killed")
    is_stepping = case.has("progress.step")
    offloads = case.says(_OFFLOADS) or case.flag("offload")
    loads = case.phase == "load" or (not is_stepping and case.says(_LOADS))
    ranks_load = ("reduce_tasks_per_node",) if is_slurm else ("increase_host_ram",)
    circumstances: tuple[tuple[bool, tuple[str, ...]], ...] = (
        (case.has("build.is", "build.compiler") and not is_stepping, ("reduce_build_jobs",)),
        (
            case.framework in {"ollama", "llama.cpp"},
            ("increase_host_ram", "use_smaller_model", "reduce_max_model_len"),
        ),
        (
            case.framework == "deepspeed" and offloads,
            ("increase_host_ram", "nvme_offload", "disable_param_offload"),
        ),
        (
            case.framework in ENGINES,
            ("increase_host_ram", "reduce_host_cache_size", "free_checkpoint_after_load"),
        ),
        (
            case.has("host.worker_killed", "host.worker_exited"),
            ("reduce_num_workers", "reduce_dataset_in_ram"),
        ),
        (case.phase == "save", ("increase_host_ram", "sharded_state_dict")),
        (case.says(_PREPARES), ("reduce_dataset_in_ram", "reduce_parallelism", "pretokenize_dataset")),
        (loads, (*ranks_load, "free_checkpoint_after_load")),
        (offloads, ("increase_host_ram", "disable_offload")),
        (is_slurm, ("reduce_num_workers", "reduce_tasks_per_node", "reduce_dataset_in_ram")),
        (
            bool(_who_limits(case)) or case.says(_LOADER_WORKERS),
            ("reduce_num_workers", "reduce_dataset_in_ram"),
        ),
    )
    usual = ("increase_host_ram", "reduce_num_workers", "reduce_dataset_in_ram")
    return next((ids for holds, ids in circumstances if holds), usual)


def _commands(case: Case, limit_bytes: int | None) -> dict[str, str]:
    found = {
        "free_checkpoint_after_load": "torch.load(path, mmap=True, map_location='cpu')  # transformers: low_cpu_mem_usage=True",
        "reduce_parallelism": _fewer_at_once(case),
        "reduce_dataset_in_ram": "numpy.load(path, mmap_mode='r')  # or datasets.load_dataset(…, streaming=True)",
    }
    workers = case.number("workers")
    if workers is not None and workers > 1:
        found["reduce_num_workers"] = f"DataLoader(num_workers={max(1, workers // 4)})  # was {workers}"
    if case.framework == "vllm":
        found["reduce_host_cache_size"] = "--swap-space 0"
    if case.has("host.wsl"):
        found["increase_host_ram"] = (
            "%UserProfile%\\.wslconfig: [wsl2] memory=48GB swap=64GB; then wsl --shutdown"
        )
    if limit_bytes:
        more = math.ceil(limit_bytes * _HALF_MORE / GIB)
        found["raise_slurm_mem"] = f"#SBATCH --mem={more}G"
        is_pod = case.has("kubernetes.oom", "kubernetes.evicted", "kubernetes.is") or case.says(r"kubepods")
        found["raise_memory_limit"] = (
            f"resources.limits.memory: {more}Gi" if is_pod else f"docker run --memory={more}g …"
        )
    return found


def _fewer_at_once(case: Case) -> str:
    if case.has("host.ray", "host.ray_store", "ray.is"):
        return "@ray.remote(num_cpus=4, memory=16 * 1024**3)  # fewer tasks at once"
    return "dataset.map(…, num_proc=2)" if case.says(_PREPARES) else "fewer jobs at once on this machine"
