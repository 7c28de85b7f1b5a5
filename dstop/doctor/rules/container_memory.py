"""The container reached its memory limit

What it means
    Kubernetes, Docker or the service that runs the container has ended it because it used more host memory than its limit, or
    the node was short and evicted the pod. What the container writes into /dev/shm and other emptyDirs in memory counts.

Evidence
    `reason: OOMKilled` (with exit code 137), `The node was low on resource: memory`, `Container killed due to memory usage`, a
    notebook's "more memory than is available".

Fix
    Raise `resources.limits.memory` (and the request with it), or use less: fewer loader workers, mapped data sets. An evicted
    pod needs a request that is near what it uses.

When it is wrong
    OOMKilled is also what a container is called whose child was killed: the main program may have survived until then.
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
    sign = case.first("kubernetes.oom", "kubernetes.evicted", "notebook.oom")
    if sign is None:
        return None
    evidence = [told_by(sign)]
    used = sign.number("used_bytes")
    if used is not None:
        says = f"container {sign.values.get('container', '')} used {gib(used)}"
        evidence.append(Evidence(source=str(sign.place), says=says, value=used))
    evidence += [told_by(one) for one in case.all("host.exit_137")[:1]]
    first = ("raise_memory_limit",) if sign.kind != "notebook.oom" else ()
    is_evicted = sign.kind == "kubernetes.evicted"
    return Assessment(
        strength=SAYS_SO,
        evidence=tuple(evidence),
        at=sign.place,
        title="The node was short of memory and evicted the pod" if is_evicted else None,
        fixes=host_fixes(case, first=first),
    )


RULE = Rule(
    id="DS703",
    name="container-memory",
    cause="host_ram_oom",
    title="The container reached its memory limit",
    page=__doc__ or "",
    examine=_examine,
    fires=(
        """    State:          Terminated
      Reason:       OOMKilled
      Exit Code:    137
""",
        "Pod failed: The node was low on resource: memory. Container train was using 61234176Ki, which exceeds its request of 0.\n",
    ),
    near_miss=(
        """            "Status": "exited",
            "OOMKilled": false,
            "ExitCode": 1,
""",
        "The node was low on resource: ephemeral-storage. Container train was using 61234176Ki, which exceeds its request of 0.\n",
    ),
)
