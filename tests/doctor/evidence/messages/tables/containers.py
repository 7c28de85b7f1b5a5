"""Kubernetes, Docker, cloud services and notebooks."""

from __future__ import annotations

from dstop.doctor.evidence.messages.containers import MESSAGES  # noqa: F401 - the table that these lines are for

LINES = (
    ("      Reason:       OOMKilled", "kubernetes.oom", {}),
    ('reason: OOMKilled message: "x" code: 137', "kubernetes.oom", {}),
    ('"OOMKilled": true,', "kubernetes.oom", {}),
    ("Warning  OOMKilling  2m  kernel-monitor  Memory cgroup out of memory", "kubernetes.oom", {}),
    ("User Container killed by docker due to it exceeded the request memory", "kubernetes.oom", {}),
    ("System OOM encountered, victim process: python, pid: 12345", "kubernetes.oom", {}),
    ("OutOfMemoryError: Container killed due to memory usage", "kubernetes.oom", {}),
    (
        "The replica workerpool0-0 ran out-of-memory and exited with a non-zero status of 137(SIGKILL).",
        "kubernetes.oom",
        {},
    ),
    (
        "OutOfMemory: Please use an instance type with more memory, or reduce the size of training data",
        "kubernetes.oom",
        {},
    ),
    ("The container was OOM killed", "kubernetes.oom", {}),
    (
        "The node was low on resource: memory. Container kilo was using 30332Ki, which exceeds its request of 0.",
        "kubernetes.evicted",
        {"container": "kilo", "used_bytes": 31059968},
    ),
    (
        "The node was low on resource: memory. Threshold quantity: 100Mi, available: 12Mi. Container train was using 61234Ki, request is 0",
        "kubernetes.evicted",
        {"used_bytes": 62703616},
    ),
    ("The node had condition: [MemoryPressure].", "kubernetes.evicted", {}),
    ("Pod failed: PodPattern matched", "kubernetes.is", {}),
    ("kubectl describe pod x", "kubernetes.is", {}),
    ("docker run --gpus all x", "docker.is", {}),
    ("Container trainer exited with code 137", "docker.is", {}),
    ("Your session crashed after using all available RAM.", "notebook.oom", {}),
    ("Your notebook tried to allocate more memory than is available. It has restarted.", "notebook.oom", {}),
    ("nbclient.exceptions.DeadKernelError: Kernel died", "notebook.died", {}),
    ("The kernel appears to have died. It will restart automatically.", "notebook.died", {}),
)
"""A message, its kind, and the figures that it must give."""

NOT = (
    ('"OOMKilled": false,', "kubernetes.oom"),
    ("The node was low on resource: ephemeral-storage.", "kubernetes.evicted"),
)
"""What looks alike, and the kind that it must not have."""
