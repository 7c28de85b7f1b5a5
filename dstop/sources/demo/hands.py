"""The hands of the demo: what its processes would say of themselves, and why no signal reaches them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.errors import DstopError
from dstop.sources.hands import ProcessDetail

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dstop.model.process import GpuProcess
    from dstop.sources import Source

_SHELL = ((4821, "tmux: server"), (1, "systemd"))


class DemoHands:
    """Answers from the facts of the newest sample; nothing here is read from this machine."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def detail(self, pid: int, started_at_s: float | None) -> ProcessDetail:
        """Give an environment that fits the process' facts."""
        del started_at_s
        process = self._find(pid)
        if process is None or process.facts.user is None:
            return ProcessDetail(unavailable={"environment": "not a process of this PID namespace"})
        facts = process.facts
        user = facts.user or "nobody"
        pairs: list[tuple[str, str]] = [
            ("CUDA_DEVICE_ORDER", "PCI_BUS_ID"),
            ("USER", user),
            ("HOME", f"/home/{user}"),
        ]
        if facts.rank is not None and facts.world_size is not None:
            pairs += [
                ("RANK", str(facts.rank)),
                ("LOCAL_RANK", str(facts.local_rank if facts.local_rank is not None else facts.rank)),
                ("WORLD_SIZE", str(facts.world_size)),
                ("MASTER_ADDR", "127.0.0.1"),
                ("PYTORCH_CUDA_ALLOC_CONF", "expandable_segments:False"),
                ("WANDB_API_KEY", "••• (redacted)"),
            ]
        return ProcessDetail(environment=tuple(pairs), ancestors=self._ancestors(process))

    def parents(self, pids: Iterable[int]) -> Mapping[int, tuple[int | None, str]]:
        """Give launchers and shells above these processes."""
        found: dict[int, tuple[int | None, str]] = {}
        for pid in pids:
            process = self._find(pid)
            chain = self._ancestors(process) if process is not None else ()
            for place, (parent, command) in enumerate(chain):
                found[parent] = (chain[place + 1][0] if place + 1 < len(chain) else None, command)
        return found

    def signal(self, pid: int, started_at_s: float | None, signum: int) -> None:
        """Refuse: there is no such process.

        Raises:
            DstopError: always.
        """
        del started_at_s, signum
        raise DstopError(f"process {pid} is simulated: nothing was sent")

    def _find(self, pid: int) -> GpuProcess | None:
        return next((process for process in self._source.read().processes if process.pid == pid), None)

    def _ancestors(self, process: GpuProcess) -> tuple[tuple[int, str], ...]:
        facts = process.facts
        if facts.ppid is None or facts.ppid == 1:
            return ()
        launcher = "torchrun train.py" if facts.rank is not None else "bash"
        return ((facts.ppid, launcher), *_SHELL)
