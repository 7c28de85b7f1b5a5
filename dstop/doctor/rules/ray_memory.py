"""Ray ended a worker because the node was short of memory

What it means
    Ray's memory monitor ends the newest task or actor when the node (or the container) passes a share of its memory, 95 % by
    default, before the kernel would; or its object store, which lives in /dev/shm, is full.

Evidence
    `Task was killed due to the node running low on memory`, with used / total and the threshold; `N Workers … killed due to
    memory pressure (OOM)`; `ObjectStoreFullError`.

Fix
    Fewer tasks at once (more CPUs or memory asked for each), more memory for the node. Raising the threshold
    (`RAY_memory_usage_threshold`) only hands the kill to the kernel. A full object store: hold fewer references, or give it more.

When it is wrong
    In a container without a limit Ray counts the whole machine: somebody else may have used it up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.fixes.host import host_fixes
from dstop.doctor.questions.arithmetic import gib
from dstop.doctor.questions.asking import told_by
from dstop.doctor.rule import PROVEN, SAYS_SO, Assessment, Rule
from dstop.model.diagnosis import Evidence

if TYPE_CHECKING:
    from dstop.doctor.case import Case


def _examine(case: Case) -> Assessment | None:
    signs = case.all("host.ray")
    if signs:
        told = next(
            (sign for sign in signs if sign.number("limit_bytes") and sign.number("used_bytes")), signs[0]
        )
        used, limit = told.number("used_bytes"), told.number("limit_bytes")
        evidence = [told_by(told)]
        if used and limit:
            says = f"{gib(used)} of {gib(limit)} was in use; Ray ends a worker at {told.values.get('threshold_ratio', 0.95)} of it"
            evidence.append(Evidence(source=str(told.place), says=says, value=used))
        fixes = host_fixes(case, first=("increase_host_ram", "reduce_parallelism", "raise_memory_limit"))
        return Assessment(strength=SAYS_SO, evidence=tuple(evidence), at=signs[0].place, fixes=fixes)
    full = case.first("host.ray_store")
    if full is None:
        return None
    evidence = [told_by(full)]
    small = case.first("ray.shm_small")
    first: tuple[str, ...] = ("raise_memory_limit", "reduce_parallelism")
    if small is not None:
        evidence.append(told_by(small))
        first = ("increase_shm", *first)
    return Assessment(
        strength=PROVEN,
        evidence=tuple(evidence),
        at=full.place,
        title="Ray's object store is full",
        fixes=host_fixes(case, first=first),
    )


RULE = Rule(
    id="DS705",
    name="ray-memory",
    cause="host_ram_oom",
    title="Ray ended a worker because the node was short of memory",
    page=__doc__ or "",
    examine=_examine,
    fires=(
        """ray.exceptions.OutOfMemoryError: Task was killed due to the node running low on memory.
Memory on the node (IP: 10.0.0.3, ID: 3a4b) where the task (task ID: 4161, name=f, pid=548, memory used=12.18GB) was running was 32.53GB / 33.28GB (0.977449), which exceeds the memory usage threshold of 0.95. Ray killed this worker
""",
        "(raylet) node_manager.cc:3084: 4 Workers (tasks / actors) killed due to memory pressure (OOM), 0 Workers crashed due to other reasons\n",
    ),
    near_miss=(
        "(raylet) node_manager.cc:3084: 0 Workers (tasks / actors) killed due to memory pressure (OOM), 2 Workers crashed due to other reasons\n",
    ),
)
