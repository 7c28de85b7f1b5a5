"""A snapshot's requests, replayed under the changes that fixes stand for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.errors import SnapshotError
from dstop.snapshot.replay.change import parse_what_if
from dstop.snapshot.replay.what_if import what_if

if TYPE_CHECKING:
    from collections.abc import Callable

    from dstop.model.study import Verdict
    from dstop.snapshot.study import DeviceStudy


_MOST_OFF = 0.25
"""Of what it needs: a replay that may be off by more is of another run."""


def replayer(study: DeviceStudy) -> Callable[[str], Verdict | None]:
    """Give what answers whether the recorded requests fit under a change, in the words of `dstop snapshot --what-if`.

    It answers None where the recording cannot be replayed, or not nearly as it was.
    """

    def answer(change: str) -> Verdict | None:
        try:
            verdict = what_if(study, parse_what_if(change))
        except SnapshotError:
            return None
        return verdict if (verdict.error_bytes or 0) <= _MOST_OFF * verdict.peak_reserved_bytes else None

    return answer
