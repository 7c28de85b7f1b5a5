"""The hands of a live machine: one process close up, its parents, and signals that cannot go astray."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.sources.hands import ProcessDetail

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class HostHands:
    """Works on the processes that `/proc` shows; see `dstop.sources.hands.Hands` for what each call promises."""

    def __init__(self, root: str = "/proc") -> None:
        self._root = root
        self._named: dict[int, tuple[int | None, str]] = {}

    def detail(self, pid: int, started_at_s: float | None) -> ProcessDetail:
        """Read environment and ancestors; a process that hangs hangs its reader: call it in a thread."""
        from dstop.sources.procfs.ancestors import ancestors  # noqa: PLC0415 - the first frame does without
        from dstop.sources.procfs.environment import read_environment  # noqa: PLC0415 - as above
        from dstop.sources.procfs.frameworks import mapped_framework  # noqa: PLC0415 - as above
        from dstop.sources.procfs.redaction import redact  # noqa: PLC0415 - as above
        from dstop.sources.procfs.stat import read_stat, same_start  # noqa: PLC0415 - as above

        stat = read_stat(pid, self._root)
        if stat is None or not same_start(stat, started_at_s, self._root):
            reason = (
                "not a process of this PID namespace" if started_at_s is None else "the process has ended"
            )
            return ProcessDetail(unavailable={"environment": reason})
        environment = read_environment(pid, self._root)
        framework = mapped_framework(pid, self._root)
        return ProcessDetail(
            environment=None if environment.values is None else tuple(redact(environment.values).items()),
            ancestors=tuple((parent.pid, parent.command) for parent in ancestors(pid, root=self._root)),
            libraries=() if framework is None else (framework,),
            unavailable={} if environment.reason is None else {"environment": environment.reason},
        )

    def parents(self, pids: Iterable[int]) -> Mapping[int, tuple[int | None, str]]:
        """Give (parent, command) of these processes and of all above them, reading each new one once."""
        from dstop.sources.procfs.lineage import parents_of  # noqa: PLC0415 - only for the tree

        wanted = set(pids)
        found: dict[int, tuple[int | None, str]] = {}
        for pid in wanted:
            for stat in parents_of(pid, 32, self._root):
                if stat.pid in found:
                    break
                found[stat.pid] = self._named.get(stat.pid) or (stat.ppid, stat.comm)
        self._named = found
        return found

    def signal(self, pid: int, started_at_s: float | None, signum: int) -> None:
        """Send a signal to this very process.

        Raises:
            DstopError: with the reason it was not sent.
        """
        from dstop.sources.procfs.signals import send_signal  # noqa: PLC0415 - only when asked

        send_signal(pid, started_at_s, signum, self._root)
