"""A model's config.json, read where the process itself would find it: a folder, or its own Hugging Face cache.

Everything here was written by somebody else: sizes are bounded, what is no JSON object is no configuration, and no
content is ever quoted.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MOST_CONFIG_BYTES = 1 << 20
_MOST_REF_BYTES = 256
_LONGEST_PATH = 1024


class Reader(Protocol):
    """Reads a file as the process would see it.

    Raises:
        OSError: it is not there, may not be read, or is no plain file.
    """

    def __call__(self, path: str, most_bytes: int) -> bytes:
        """Give at most so many bytes of it."""
        ...


def local_config(
    model: str, environ: Mapping[str, str], read: Reader
) -> tuple[Mapping[str, Any] | None, str]:
    """Find the config.json of a model, and say where; None and the reason where there is none.

    Args:
        model: as the command line names it: a folder, or `org/name`.
        environ: of the process, for where its cache is.
        read: reads as the process would.
    """
    if len(model) > _LONGEST_PATH:
        return None, "its name is longer than any path"
    if model.startswith(("/", "./", "../", "~")):
        return _object(f"{_home(model, environ)}/config.json", read)
    if model.count("/") == 1:
        found, why = _cached(model, environ, read)
        return (found, why) if found is not None else _object(f"{model}/config.json", read, quiet=why)
    return _object(f"{model}/config.json", read, quiet="it is no folder, and its name has no owner")


def read_object(path: str, environ: Mapping[str, str], read: Reader) -> Mapping[str, Any] | None:
    """Give the JSON object in a file of the process; None where there is none."""
    return _object(_home(path, environ), read)[0] if len(path) <= _LONGEST_PATH else None


def _cached(model: str, environ: Mapping[str, str], read: Reader) -> tuple[Mapping[str, Any] | None, str]:
    """Look into the process' Hugging Face cache.

    Layout (huggingface_hub, "Understand caching"): `models--ORG--NAME/refs/main` has the name of the snapshot.
    """
    hub = _hub(environ)
    if hub is None:
        return None, "where its Hugging Face cache is, is not known"
    folder = f"{hub}/models--{model.replace('/', '--')}"
    try:
        revision = read(f"{folder}/refs/main", _MOST_REF_BYTES).decode("ascii", "replace").strip()
    except OSError:
        return None, "it is not in its Hugging Face cache, or that may not be read"
    if not revision or not revision.isalnum():
        return None, "its Hugging Face cache names no snapshot"
    return _object(f"{folder}/snapshots/{revision}/config.json", read)


def _hub(environ: Mapping[str, str]) -> str | None:
    for name, below in (("HF_HUB_CACHE", ""), ("HUGGINGFACE_HUB_CACHE", ""), ("HF_HOME", "/hub")):
        if environ.get(name):
            return _home(environ[name], environ) + below
    if environ.get("XDG_CACHE_HOME"):
        return environ["XDG_CACHE_HOME"] + "/huggingface/hub"
    return environ["HOME"] + "/.cache/huggingface/hub" if environ.get("HOME") else None


def _home(path: str, environ: Mapping[str, str]) -> str:
    path = path.rstrip("/") or "/"
    if path == "~" or path.startswith("~/"):
        return environ.get("HOME", "~") + path[1:]
    return path


def _object(
    path: str, read: Callable[[str, int], bytes], quiet: str = ""
) -> tuple[Mapping[str, Any] | None, str]:
    try:
        data = read(path, MOST_CONFIG_BYTES + 1)
    except OSError as error:
        return None, quiet or f"its config.json cannot be read ({error.strerror or 'no such file'})"
    if len(data) > MOST_CONFIG_BYTES:
        return None, "its config.json is larger than 1 MiB"
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return None, "its config.json is no JSON"
    return (found, path) if isinstance(found, dict) else (None, "its config.json is no object")
