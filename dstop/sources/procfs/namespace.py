"""Where dstop itself runs: in a container or not, in the machine's own PID namespace or in another.

The driver gives PIDs of the machine. In another PID namespace they mean nothing, or worse, another process.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from dstop.sources.procfs.cgroup import container_of
from dstop.sources.procfs.reading import as_count, read_text

if TYPE_CHECKING:
    from collections.abc import Mapping

OTHER_NAMESPACE = "PID in another namespace: run with --pid=host"

_INITIAL = "pid:[4026531836]"
"""The number the kernel gives the first PID namespace (PROC_PID_INIT_INO, include/linux/proc_ns.h)."""

_MOST_LEVELS = 32
"""How deep PID namespaces may nest (MAX_PID_NS_LEVEL, pid_namespaces(7))."""


def own_container(root: str = "/", environ: Mapping[str, str] | None = None) -> str | None:
    """Say what kind of container dstop runs in (`kubernetes`, `podman`, `docker`, …); None outside one.

    Args:
        root: of the file system that holds `proc`, `run` and `.dockerenv`.
        environ: dstop's own environment, unless another is given.
    """
    variables = os.environ if environ is None else environ
    base = root.rstrip("/")
    if "KUBERNETES_SERVICE_HOST" in variables:
        return "kubernetes"
    if os.path.exists(f"{base}/run/.containerenv"):  # noqa: PTH110 - Path is an import too many
        return "podman"
    inside = container_of(read_text(f"{base}/proc/self/cgroup") or "")
    kind = None if inside is None else inside.partition(":")[0]
    if kind is not None and kind != "slurm":
        return "kubernetes" if kind == "pod" else kind
    if os.path.exists(f"{base}/.dockerenv"):  # noqa: PTH110
        return "docker"
    return (variables.get("container") or None) if variables.get("container") != "oci" else "container"


def in_initial_pid_namespace(root: str = "/proc") -> bool:
    """Whether the PIDs we see are the machine's; True also where the kernel does not say."""
    try:
        return os.readlink(f"{root}/self/ns/pid") == _INITIAL  # noqa: PTH115
    except OSError:
        return True


def map_pid(pid: int, root: str = "/proc") -> tuple[int, ...]:
    """Give a process' number in each PID namespace, ours first, its own last: `(4872, 17)`; empty when gone.

    What a log within a container calls 17 is 4872 to the driver (`NSpid`, proc_pid_status(5)).
    """
    text = read_text(f"{root}/{pid}/status", 1 << 13) or ""
    line = next((line for line in text.splitlines() if line.startswith("NSpid:")), "")
    numbers = [as_count(word) for word in line.removeprefix("NSpid:").split()[:_MOST_LEVELS]]
    return tuple(number for number in numbers if number is not None) if None not in numbers else ()
