"""Resource limits, capabilities, and the network's devices."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from dstop.doctor.environment.facts import ContainerFacts, Limit, LimitFacts
from dstop.doctor.environment.gathering.files import exists, link, names_in, read_count, read_regular
from dstop.sources.procfs.namespace import in_initial_pid_namespace, own_container
from dstop.sources.procfs.reading import as_count, clean

if TYPE_CHECKING:
    from collections.abc import Mapping

_INITIAL_IPC = "ipc:[4026531839]"
"""PROC_IPC_INIT_INO of include/linux/proc_ns.h."""
_NAME_CELLS = 26
"""The kernel pads names to it (proc_pid_limits(5))."""
_MOST = 2**64


def read_limits(root: str) -> LimitFacts:
    """Read what binds us below `root`."""
    base = root.rstrip("/")
    status = read_regular(f"{base}/proc/self/status") or ""
    pids_max, pids_current = _pids(base)
    return LimitFacts(
        limits=parse_limits(read_regular(f"{base}/proc/self/limits") or ""),
        is_root=_field(status, "Uid")[1:2] == ["0"],
        capabilities=_capabilities(status),
        ptrace_scope=read_count(f"{base}/proc/sys/kernel/yama/ptrace_scope"),
        has_sysctl=exists(f"{base}/proc/sys/kernel"),
        infiniband=_devices(f"{base}/sys/class/infiniband", f"{base}/sys/class"),
        interfaces=_devices(f"{base}/sys/class/net", None),
        cpu_count=os.cpu_count(),
        pids_max=pids_max,
        pids_current=pids_current,
    )


def read_container(root: str, environ: Mapping[str, str]) -> ContainerFacts:
    """Find out where we are."""
    ipc = link(f"{root.rstrip('/')}/proc/self/ns/ipc")
    kind = own_container(root, environ)
    return ContainerFacts(
        kind=None if kind is None else clean(kind)[:40],
        own_pids=not in_initial_pid_namespace(f"{root.rstrip('/')}/proc"),
        own_ipc=None if ipc is None else ipc != _INITIAL_IPC,
    )


def parse_limits(text: str) -> dict[str, Limit]:
    """Read `/proc/PID/limits` by the kernel's names."""
    found: dict[str, Limit] = {}
    for line in text.splitlines()[1:40]:
        name, words = line[:_NAME_CELLS].strip(), line[_NAME_CELLS:].split()
        values = [as_count(word, _MOST) for word in words[:2]]
        known = all(
            value is not None or word == "unlimited" for value, word in zip(values, words, strict=False)
        )
        if name.startswith("Max ") and len(values) == 2 and known:  # noqa: PLR2004 - soft and hard
            found[name] = Limit(values[0], values[1])
    return found


def _field(status: str, name: str) -> list[str]:
    line = next((line for line in status.splitlines() if line.startswith(f"{name}:")), "")
    return line.removeprefix(f"{name}:").split()


def _capabilities(status: str) -> int | None:
    words = _field(status, "CapEff")
    try:
        return int(words[0][:16], 16)
    except (IndexError, ValueError):
        return None


def _devices(folder: str, above: str | None) -> tuple[str, ...] | None:
    """Give the names of a class's devices; none where the class is not there and its kin are."""
    found = names_in(folder)
    if found is None:
        return () if above is not None and exists(above) else None
    return tuple(clean(name) for name in found)


def _pids(base: str) -> tuple[int | None, int | None]:
    """Give limit and use of the control group that is nearest to its limit of processes and threads."""
    groups = (read_regular(f"{base}/proc/self/cgroup") or "").splitlines()
    split = [line.split(":", 2) for line in groups if line.count(":") >= 2]  # noqa: PLR2004 - id:names:path
    found: list[tuple[int, int]] = []
    for names, mount in (("", "sys/fs/cgroup"), ("pids", "sys/fs/cgroup/pids")):
        path = next((part[2] for part in split if names in part[1].split(",")), None)
        parts = [part for part in (path or "").split("/") if part and part != ".."]
        for length in range(len(parts), -1, -1) if path is not None else ():
            folder = "/".join([base, mount, *parts[:length]])
            most, now = read_count(f"{folder}/pids.max"), read_count(f"{folder}/pids.current")
            found += [] if most is None else [(most, now or 0)]
    return min(found, key=lambda pair: pair[0] - pair[1]) if found else (None, None)
