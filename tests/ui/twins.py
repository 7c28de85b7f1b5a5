"""Processes that only the tests of the screen have: nothing is ever sent to anybody."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.errors import DstopError
from dstop.sources.hands import ProcessDetail

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

ENVIRONMENT = (("RANK", "3"), ("WANDB_API_KEY", "••• (redacted)"), ("HOME", "/home/deepa"))


class RecordingHands:
    """Remembers which signals it was asked to send, and refuses for some processes."""

    def __init__(self, refuse: Collection[int] = ()) -> None:
        self.sent: list[tuple[int, float | None, int]] = []
        self.refuse = refuse

    def detail(self, pid: int, started_at_s: float | None) -> ProcessDetail:
        """Give the same environment to all."""
        del pid, started_at_s
        return ProcessDetail(environment=ENVIRONMENT, ancestors=((4821, "tmux: server"), (1, "systemd")))

    def parents(self, pids: Iterable[int]) -> Mapping[int, tuple[int | None, str]]:
        """Know nobody's parents."""
        del pids
        return {}

    def signal(self, pid: int, started_at_s: float | None, signum: int) -> None:
        """Remember it.

        Raises:
            DstopError: for the ones that are refused.
        """
        if pid in self.refuse:
            raise DstopError(f"process {pid} is not the one that was shown: nothing was sent")
        self.sent.append((pid, started_at_s, signum))
