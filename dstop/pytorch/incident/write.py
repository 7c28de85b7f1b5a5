"""Writing an incident: private from the first moment, and there at once or not at all."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def write_incident(
    directory: Path, name: str, told: Mapping[str, object], files: Mapping[str, bytes]
) -> Path:
    """Write the incident `name` and give its directory.

    It is made under a name that begins with a dot, mode 0700, and renamed when it is complete.

    Args:
        directory: where incidents lie; made when it is not there.
        name: as `incident_name` makes it.
        told: what goes into `incident.json`.
        files: name -> content of the others.

    Raises:
        OSError: when it cannot be written; nothing is left behind then.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix=f".{name}.", dir=directory))
    try:
        for file, content in files.items():
            _write(unfinished / file, content)
        _write(unfinished / "incident.json", json.dumps(told, indent=1, allow_nan=False).encode())
        finished = directory / name
        unfinished.rename(finished)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    return finished


def _write(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
