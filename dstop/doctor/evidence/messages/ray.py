"""Ray: its memory monitor, which kills before the kernel does, and its object store."""

from __future__ import annotations

from dstop.doctor.evidence.pattern import Pattern

_GB = r"[\d.]{1,12}"

MESSAGES: tuple[Pattern, ...] = (
    Pattern(
        "host.ray",
        "running low on memory",
        r"(?:[Tt]ask|[Aa]ctor|[Ww]orker)[^\n]{0,60}killed due to the node running low on memory[^\n]{0,20}",
    ),
    Pattern(
        "host.ray",
        "memory usage threshold",
        rf"was (?P<used_size>{_GB}GB) / (?P<limit_size>{_GB}GB) \((?P<share_ratio>[\d.]{{1,10}})\), which exceeds the memory usage "
        r"threshold of (?P<threshold_ratio>\d(?:\.\d{1,6})?)",
    ),
    Pattern(
        "host.ray",
        "System memory low",
        rf"System memory low at node[^\n]{{0,80}}Used memory \((?P<used_size>{_GB}GB)\) / total capacity \((?P<limit_size>{_GB}GB)\)"
        r"[^\n]{0,80}",
    ),
    Pattern(
        "host.ray",
        "killed due to memory pressure",
        r"(?<!\d)[1-9]\d{0,6} Workers \(tasks / actors\) killed due to memory pressure \(OOM\)",
    ),
    Pattern(
        "host.ray",
        "RayOutOfMemoryError",
        rf"RayOutOfMemoryError: More than \d{{1,3}}% of the memory on node [^\n]{{0,80}}?"
        rf"\((?P<used_ratio>{_GB}) / (?P<limit_size>{_GB} GB)\)",
    ),
    Pattern("host.ray", "OutOfMemoryError", r"ray\.exceptions\.(?:Ray)?OutOfMemoryError[^\n]{0,160}"),
    Pattern("host.ray_store", "ObjectStoreFullError", r"ObjectStoreFullError[^\n]{0,160}"),
    Pattern(
        "host.ray_store", "object store", r"(?:in|[Tt]he) object store (?:because it is|is) full[^\n]{0,120}"
    ),
    Pattern(
        "ray.shm_small",
        "shm has only",
        r"\B/dev/shm has only (?P<free_bytes>\d{1,15}) bytes available",
    ),
    Pattern(
        "ray.worker_died",
        "potential root causes",
        r"[Ww]orker (?:unexpectedly exits|exit)[^\n]{0,160}(?:potential )root causes[^\n]{0,60}",
    ),
    Pattern("ray.is", "raylet", r"\braylet\b"),
    Pattern("ray.is", "ray.", r"\bray\.(?:exceptions|get|init|remote|worker)\b"),
)
