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

    from dstop.pytorch.incident.values import Exit, Incident
    from dstop.pytorch.run.options import Run
    from dstop.pytorch.run.watch import Ending

_CLOCKS_DIFFER_NS = 3600 * 10**9
"""A file server's clock may be behind ours; incidents before it need not be read."""


class Evidence:
    """Taken at the start of a run, and completed at its end."""

    def __init__(self, root: str = "/", kernel_log: str = KERNEL_LOG) -> None:
        self._root = root
        self._started_ns = time.time_ns()
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
            oom_incidents=tuple(str(one.directory) for one in oom),
            unavailable=unavailable,
        )

    def oom_incidents(self, run: Run) -> tuple[Incident, ...]:
        """Give the incidents that processes of this run left, oldest first."""
        from pathlib import Path  # noqa: PLC0415 - as above

        from dstop.pytorch.incident.listing import list_incidents  # noqa: PLC0415 - as above
        from dstop.pytorch.incident.place import all_places  # noqa: PLC0415 - as above

        since_ns = self._started_ns - _CLOCKS_DIFFER_NS
        places = dict.fromkeys(Path(place) for place in all_places(run.environ))
        found = [one for place in places for one in list_incidents(place, since_ns)]
        ours = (one for one in found if one.kind == "oom" and belongs_to(one.run, run.id))
        return tuple(sorted(ours, key=lambda one: one.name))

    def close(self) -> None:
        """Give the kernel log back."""
        self._kernel_log.close()


def signal_name(number: int) -> str:
    """Name a signal: `SIGKILL`; one without a name by its number."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
