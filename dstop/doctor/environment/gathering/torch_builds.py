"""Which PyTorch is installed, and for which CUDA, by its `version.py`: nothing of it is imported or run."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from dstop.doctor.environment.facts import TorchBuild
from dstop.doctor.environment.gathering.files import exists, names_in, read_regular
from dstop.sources.procfs.reading import clean

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_VERSION = re.compile(r"^__version__(?:\s*:[^=\n]{1,60})?\s*=\s*['\"]([^'\"\n]{1,60})['\"]", re.MULTILINE)
_BUILT_FOR = r"^{}(?:\s*:[^=\n]{{1,60}})?\s*=\s*['\"]([0-9][0-9A-Za-z.\-]{{0,30}})['\"]"
_CUDA = re.compile(_BUILT_FOR.format("cuda"), re.MULTILINE)
_HIP = re.compile(_BUILT_FOR.format("hip"), re.MULTILINE)
_MOST_PLACES = 64
_MOST_BUILDS = 8
_PYTHON = re.compile(r"python3(?:\.\d{1,3}t?)?")


def find_torch_builds(root: str, environ: Mapping[str, str]) -> tuple[TorchBuild, ...]:
    """Find installations, the one that `python3` would import first in front; at most eight.

    Looked at: PYTHONPATH, VIRTUAL_ENV, CONDA_PREFIX, the folders above every `python3` on PATH, and the user's own.
    """
    base = root.rstrip("/")
    found: dict[str, TorchBuild] = {}
    for folder in _site_folders(base, environ):
        text = read_regular(f"{base}{folder}/torch/version.py")
        build = None if text is None else _parse(text, folder)
        if build is not None:
            found.setdefault(folder, build)
        if len(found) >= _MOST_BUILDS:
            break
    return tuple(found.values())


def _parse(text: str, folder: str) -> TorchBuild | None:
    version = _VERSION.search(text)
    if version is None:
        return None
    cuda, hip = _CUDA.search(text), _HIP.search(text)
    return TorchBuild(
        clean(folder), clean(version[1]), None if cuda is None else cuda[1], None if hip is None else hip[1]
    )


def _site_folders(base: str, environ: Mapping[str, str]) -> Iterator[str]:
    yield from _entries(environ.get("PYTHONPATH"))
    met: set[str] = set()
    for prefix in _prefixes(base, environ):
        if prefix not in met:
            met.add(prefix)
            yield from _of_prefix(base, prefix)


def _prefixes(base: str, environ: Mapping[str, str]) -> Iterator[str]:
    for name in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        value = environ.get(name, "").rstrip("/")
        if value.startswith("/"):
            yield value
    for entry in _entries(environ.get("PATH")):
        if entry.endswith("/bin") and exists(f"{base}{entry}/python3"):
            yield entry.removesuffix("/bin")
            if entry == "/usr/bin":
                yield "/usr/local"
    home = environ.get("HOME", "").rstrip("/")
    if home.startswith("/"):
        yield f"{home}/.local"


def _of_prefix(base: str, prefix: str) -> Iterator[str]:
    for lib in ("lib", "lib64"):
        for name in names_in(f"{base}{prefix}/{lib}") or ():
            if _PYTHON.fullmatch(name):
                yield f"{prefix}/{lib}/{name}/site-packages"
                yield f"{prefix}/{lib}/{name}/dist-packages"


def _entries(value: str | None) -> list[str]:
    parts = (part.rstrip("/") for part in (value or "").split(":")[:_MOST_PLACES])
    return [part for part in dict.fromkeys(parts) if part.startswith("/") and "\0" not in part]
