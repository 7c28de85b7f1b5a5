"""Which container, pod or batch job a process belongs to, by the paths in `/proc/PID/cgroup` (cgroups(7))."""

from __future__ import annotations

from dstop.sources.procfs.reading import clean

ID_DIGITS = 12
"""As `docker ps` writes container ids."""

_POD_DIGITS = 8
_ID_LENGTH = 64

_SCOPES = {
    "docker-": "docker",
    "cri-containerd-": "containerd",
    "nerdctl-": "containerd",
    "containerd-": "containerd",
    "crio-": "crio",
    "libpod-": "podman",
}
"""How runtimes name a container's systemd scope: `docker-<64 digits>.scope`."""

_FOLDERS = {
    "docker": "docker",
    "ecs": "ecs",
    "libpod_parent": "podman",
    "actions_job": "docker",
    "buildkit": "buildkit",
}
"""Folders that hold bare container ids when there is no systemd."""


def container_of(text: str) -> str | None:
    """Name the container: `docker:3f2a1b…` (12 digits), `pod:<8 digits>`, `slurm:1234`, `lxc:name`; or None.

    A user's systemd session is no container. The innermost one counts, a pod before its containers.

    Args:
        text: `/proc/PID/cgroup`, of cgroup version 1 (one line a controller) or 2 (one line).
    """
    paths = [line.split(":", 2)[2] for line in text.splitlines() if line.count(":") >= 2]  # noqa: PLR2004 - id:names:path
    split = [[part for part in path.split("/") if part] for path in dict.fromkeys(paths)]
    for find in (_pod, _scope, _slurm, _lxc, _bare):
        for parts in split:
            found = find(parts)
            if found:
                return clean(found)
    return None


def _is_id(text: str) -> bool:
    return len(text) == _ID_LENGTH and not text.strip("0123456789abcdef")


def _pod(parts: list[str]) -> str | None:
    if not any(part.startswith("kubepods") for part in parts):
        return None
    for part in reversed(parts):
        uid = part.removesuffix(".slice").rpartition("pod")[2].replace("_", "").replace("-", "")
        if "pod" in part and len(uid) >= _POD_DIGITS and not uid.strip("0123456789abcdef"):
            return f"pod:{uid[:_POD_DIGITS]}"
    return None


def _scope(parts: list[str]) -> str | None:
    for position in range(len(parts) - 1, -1, -1):
        part = parts[position].removesuffix(".scope")
        for prefix, runtime in _SCOPES.items():
            if part.startswith(prefix) and _is_id(part.removeprefix(prefix)):
                return f"{runtime}:{part.removeprefix(prefix)[:ID_DIGITS]}"
        if _is_id(part) and any(folder in _FOLDERS for folder in parts[:position]):
            runtime = next(_FOLDERS[folder] for folder in reversed(parts[:position]) if folder in _FOLDERS)
            return f"{runtime}:{part[:ID_DIGITS]}"
    return None


def _slurm(parts: list[str]) -> str | None:
    if not any(part.startswith("slurm") or part.endswith("_slurmstepd.scope") for part in parts):
        return None
    for part in parts:
        job = part.removeprefix("job_")
        if job != part and job.isascii() and job.isdigit():
            return f"slurm:{job[:20]}"
    return None


def _lxc(parts: list[str]) -> str | None:
    for position, part in enumerate(parts):
        following = parts[position + 1] if position + 1 < len(parts) else ""
        if part.startswith("lxc.payload.") and len(part) > len("lxc.payload."):
            return f"lxc:{part.removeprefix('lxc.payload.')[:40]}"
        if part in {"lxc", "lxc.payload"} and following:
            return f"lxc:{following[:40]}"
        if part == "machine.slice" and following.startswith("machine-") and following.endswith(".scope"):
            name = following.removeprefix("machine-").removesuffix(".scope").replace("\\x2d", "-")
            return f"nspawn:{name[:40]}" if name else None
    return None


def _bare(parts: list[str]) -> str | None:
    """Find an id that no known runtime put there, such as containerd's `/default/<id>`."""
    found = next((part for part in reversed(parts) if _is_id(part)), None)
    return f"container:{found[:ID_DIGITS]}" if found else None
