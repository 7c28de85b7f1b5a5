"""In which directories the hook of a process may have its socket. Apart, because every first screen asks for it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dstop.pytorch.target import Target

_LONGEST_PATH = 107
"""sun_path has 108 bytes (unix(7)); the hook binds by the whole path."""


def directories(target: Target) -> tuple[str, ...]:
    """Give the directories in which its hook may meet us, the likeliest first, as the target sees them.

    `DSTOP_DIR` is the user's wish; `$XDG_RUNTIME_DIR/dstop` is next, `/tmp/dstop-UID` is there for everybody.
    """
    candidates = [
        target.dstop_dir,
        f"{target.runtime_dir.rstrip('/')}/dstop" if target.runtime_dir else None,
        f"/tmp/dstop-{target.inner_uid}",  # noqa: S108 - private: made with mode 0700 and checked
    ]
    usable = [
        (path.rstrip("/") or "/") for path in candidates if path is not None and _is_usable(path, target)
    ]
    return tuple(dict.fromkeys(usable))


def _is_usable(path: str, target: Target) -> bool:
    whole = f"{path}/{target.socket_name}"
    return path.startswith("/") and path.isprintable() and len(os.fsencode(whole)) <= _LONGEST_PATH
