"""Who tells, where several dstop run with the same alerts: one of them, or three people are called for one thing.

The first takes a lock that the kernel lets go of with its process (flock); the others look every few seconds whether it
is free. A screen, the recorder and a second screen of one user then tell each thing once.
"""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

from dstop.places import state_home

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dstop.settings.alerts import AlertRule

AGAIN_S = 5.0
"""How often one that has not the lock asks for it."""


def lock_path(rules: Iterable[AlertRule], environ: Mapping[str, str]) -> str:
    """Give the lock of these alerts: with other alerts there is something else to tell."""
    words = repr([(rule.when, rule.name, rule.every_s, rule.do.as_table()) for rule in rules])
    digest = hashlib.sha256(words.encode("utf-8", "replace")).hexdigest()[:16]
    return f"{state_home(environ)}/alerts-{digest}.lock"


class Turn:
    """A lock on a file. Where it cannot be had for a reason of the file system, it counts as ours: twice beats never.

    Args:
        path: of the file; it is made, and left there.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._file: int | None = None
        self._due_s: float | None = None
        self._broken = False

    def is_ours(self, now_s: float) -> bool:
        """Whether this process is the one that tells; asks again when it was not, some seconds later."""
        if self._file is not None or self._broken:
            return True
        if self._due_s is not None and now_s < self._due_s:
            return False
        self._due_s = now_s + AGAIN_S
        return self._take()

    def close(self) -> None:
        """Let another have it; safe to call twice."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _take(self) -> bool:
        import fcntl  # noqa: PLC0415 - only where there are alerts

        file = None
        try:
            os.makedirs(os.path.dirname(self._path), mode=0o700, exist_ok=True)  # noqa: PTH103, PTH120 - as dstop.places says
            file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if file is not None:
                os.close(file)
            return False
        except OSError:
            if file is not None:
                os.close(file)
            self._broken = True
            return True
        self._file = file
        return True
