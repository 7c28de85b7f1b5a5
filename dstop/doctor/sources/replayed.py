"""A snapshot's requests, replayed under the changes that fixes stand for."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from dstop.model.study import Verdict
    from dstop.snapshot.study import DeviceStudy


def replayer(_study: DeviceStudy) -> Callable[[str], Verdict | None]:
    """Give what answers whether the recorded requests fit under a change; until the replay is there, nobody can."""
    return lambda _change: None
