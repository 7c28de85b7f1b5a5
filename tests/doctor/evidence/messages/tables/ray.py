"""Ray's memory monitor and object store."""

from __future__ import annotations

from dstop.doctor.evidence.messages.ray import MESSAGES  # noqa: F401 - the table that these lines are for

LINES = (
    (
        "ray.exceptions.OutOfMemoryError: Task was killed due to the node running low on memory.",
        "host.ray",
        {},
    ),
    (
        "was running was 30.50GB / 32.00GB (0.953125), which exceeds the memory usage threshold of 0.95. Ray killed this worker",
        "host.ray",
        {"limit_bytes": 34359738368, "threshold_ratio": 0.95},
    ),
    (
        "System memory low at node with IP 172.17.0.2. Used memory (24.00GB) / total capacity (33.28GB) (0.709971) exceeds threshold 0.7, killing latest task",
        "host.ray",
        {"used_bytes": 25769803776},
    ),
    (
        "4 Workers (tasks / actors) killed due to memory pressure (OOM), 0 Workers crashed due to other reasons at node",
        "host.ray",
        {},
    ),
    (
        "ray.memory_monitor.RayOutOfMemoryError: More than 95% of the memory on node n1 is used (11.8 / 12.3 GB).",
        "host.ray",
        {},
    ),
    (
        "ray.exceptions.ObjectStoreFullError: Failed to put object ffff in object store because it is full. Object size is 8 bytes.",
        "host.ray_store",
        {},
    ),
    ("The object store is full: see below", "host.ray_store", {}),
    ("because /dev/shm has only 67104768 bytes available", "ray.shm_small", {"free_bytes": 67104768}),
    (
        "Worker unexpectedly exits with a connection error code 2. End of file. There are some potential root causes.",
        "ray.worker_died",
        {},
    ),
    ("(raylet) node_manager.cc:3064", "ray.is", {}),
    ("ray.init(num_cpus=4)", "ray.is", {}),
)
"""A message, its kind, and the figures that it must give."""

NOT = (
    ("0 Workers (tasks / actors) killed due to memory pressure (OOM), 2 Workers crashed", "host.ray"),
    ("torch.cuda.OutOfMemoryError: CUDA out of memory.", "host.ray"),
)
"""What looks alike, and the kind that it must not have."""
