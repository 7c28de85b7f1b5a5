"""The lowest rung: what the user has said of a process, and the log that they have named."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from dstop.footprint.live.clues import Clues
from dstop.footprint.live.engine_log import reported_in

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dstop.model.process import ProcessFacts
    from dstop.settings.profiles import Profile

_LOG_BYTES, _PIECE_BYTES = 4 << 20, 1 << 20
"""Engines tell what they have taken when they start: at the beginning of their log."""


def profile_clues(profiles: Iterable[Profile], facts: ProcessFacts, tier: str | None = None) -> list[Clues]:
    """Give what the entries that match a process say of it, the first of them first; then the tier of the command line.

    A log that cannot be read says nothing.
    """
    found: list[Clues] = []
    for profile in profiles:
        if not profile.fits(facts.cmdline):
            continue
        table = {
            name: value
            for name, value in profile.as_table().items()
            if name not in {"match", "model", "tier", "log"}
        }
        layout = table.pop("parallel", None)
        fields = table | (
            {f"parallel.{name}": value for name, value in layout.items()} if isinstance(layout, dict) else {}
        )
        found.append(Clues(rung="user", model=profile.model, tier=profile.tier, fields=fields))
        if profile.log is not None:
            found.append(Clues(rung="engine log", reported=reported_in(_text(profile.log))))
    if tier is not None:
        found.append(Clues(rung="user", tier=tier))
    return found


def _text(path: str) -> str:
    """Give the beginning of the user's own file; nothing of what is none."""
    try:
        descriptor = os.open(os.path.expanduser(path), os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # noqa: PTH111 - Path is an import too many
    except (OSError, ValueError):
        return ""
    pieces: list[bytes] = []
    left = _LOG_BYTES if stat.S_ISREG(os.fstat(descriptor).st_mode) else 0
    try:
        while left > 0 and (piece := os.read(descriptor, min(left, _PIECE_BYTES))):
            pieces.append(piece)
            left -= len(piece)
    except OSError:
        return ""
    finally:
        os.close(descriptor)
    return b"".join(pieces).decode("utf-8", "replace")
