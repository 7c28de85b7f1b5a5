"""What the system knew before and after a run, set side by side when it has ended badly."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

from dstop.pytorch.run.cgroup import events_between, read_cgroup_memory, read_host_oom_kills
from dstop.pytorch.run.environment import belongs_to
from dstop.pytorch.run.kernel_log import KERNEL_LOG, KernelLog

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from dstop.pytorch.incident.values import Exit, Incident
    from dstop.pytorch.run.watch import Ending


class Evidence:
    """Taken at the start of a run, and completed at its end."""

    def __init__(self, root: str = "/", kernel_log: str = KERNEL_LOG) -> None:
        self._root = root
        self.started_ns = time.time_ns()
        self._started_s = time.monotonic()
        self._cgroup = read_cgroup_memory(root)
        self._host_oom_kills = read_host_oom_kills(root)
        self._kernel_log = KernelLog(kernel_log)

    def of_exit(self, ending: Ending, oom: Sequence[Incident]) -> Exit:
        """Give what is known of the end; `oom` are the incidents that processes of the run left."""
        from dstop.pytorch.incident.values import Exit  # noqa: PLC0415 - a good end needs none of it

        after = read_cgroup_memory(self._root)
        unavailable = dict(after.unavailable)
        if self._kernel_log.reason is not None:
            unavailable["kernel_lines"] = self._kernel_log.reason
        kills = read_host_oom_kills(self._root)
        if kills is not None and self._host_oom_kills is not None:
            kills -= self._host_oom_kills
        else:
            unavailable["host_oom_kills"] = "the kernel does not count them (Linux 4.13)"
        return Exit(
            code=ending.code,
            signal=ending.signal,
            signal_name=None if ending.signal is None else signal_name(ending.signal),
            core_dumped=ending.core_dumped,
            wall_s=round(time.monotonic() - self._started_s, 3),
            max_rss_bytes=ending.usage.ru_maxrss << 10,
            user_s=round(ending.usage.ru_utime, 3),
            system_s=round(ending.usage.ru_stime, 3),
            memory_events=events_between(self._cgroup, after),
            host_oom_kills=kills,
            memory_max_bytes=after.max_bytes,
            memory_current_bytes=after.current_bytes,
            memory_peak_bytes=after.peak_bytes,
            kernel_lines=self._kernel_log.lines(),
            oom_incidents=tuple(one.name for one in oom),
            unavailable=unavailable,
        )

    def oom_incidents(self, directory: Path, run: str) -> tuple[Incident, ...]:
        """Give the incidents that processes of this run left, oldest first."""
        from dstop.pytorch.incident.listing import list_incidents  # noqa: PLC0415 - as above

        found = list_incidents(directory, self.started_ns)
        return tuple(one for one in found if one.kind == "oom" and belongs_to(one.run, run))

    def close(self) -> None:
        """Give the kernel log back."""
        self._kernel_log.close()


def signal_name(number: int) -> str:
    """Name a signal: `SIGKILL`; one without a name by its number."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
