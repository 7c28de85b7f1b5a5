"""Environment variables that matter to GPU jobs, from wherever they are set, with secrets taken out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.environment.facts import SHELL, Scope
from dstop.doctor.environment.gathering.files import read_regular
from dstop.sources.procfs.reading import clean
from dstop.sources.procfs.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Mapping

_PREFIXES = (
    "CUDA",
    "GLOO_",
    "MASTER_",
    "NCC",
    "NCL",
    "NNC",
    "NVIDIA_",
    "OMP_",
    "PYTORCH",
    "PYTROCH",
    "TORCH",
    "UCX_",
)
_NAMES = frozenset({"RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE"})
_LONGEST_NAME, _LONGEST = 80, 4096
_MOST_LINES = 500


def relevant(environ: Mapping[str, str]) -> dict[str, str]:
    """Keep what matters to GPU jobs, harmless to show."""
    kept = {
        clean(name): clean(value[:_LONGEST])
        for name, value in environ.items()
        if len(name) <= _LONGEST_NAME and (name in _NAMES or name.startswith(_PREFIXES) or "NCCL" in name)
    }
    return redact(kept)


def shell_scope(environ: Mapping[str, str]) -> Scope:
    """Give what a job that is started here gets."""
    return Scope(name=SHELL, variables=relevant(environ))


def nccl_files(root: str, environ: Mapping[str, str]) -> tuple[Scope, ...]:
    """Read NCCL's configuration files (NCCL documentation, "Environment Variables"): they are easily forgotten."""
    base = root.rstrip("/")
    home = environ.get("HOME", "").rstrip("/")
    paths = [environ.get("NCCL_CONF_FILE") or f"{home}/.nccl.conf", "/etc/nccl.conf"]
    found = []
    for path in paths:
        text = read_regular(f"{base}{path}") if path.startswith("/") else None
        if text is not None:
            found.append(Scope(name=clean(path)[:80], variables=relevant(_pairs(text))))
    return tuple(found)


def _pairs(text: str) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for line in text.splitlines()[:_MOST_LINES]:
        name, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            pairs.setdefault(name.strip(), value.strip())
    return pairs
