"""What a line of the process table can be; by its `key`, selection, tags and folds find it again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from dstop.model.value import Value

if TYPE_CHECKING:
    from collections.abc import Hashable

    from dstop.model.process import GpuProcess
    from dstop.model.unattributed import Unattributed

GroupKind = Literal["user", "job"]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ProcessRow(Value):
    """One process on one GPU."""

    process: GpuProcess
    depth: int = 0
    """How far it stands below the top of its tree or group."""
    prefix: str = ""
    """The lines of the tree before its command."""
    hidden: int = 0
    """Rows folded away beneath it."""

    @property
    def key(self) -> Hashable:
        """Its identity; one process may have a row on each MIG slice of a card."""
        process = self.process
        return ("process", *process.key, process.gpu_instance_id, process.compute_instance_id)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class GroupRow(Value):
    """What the rows of one user or one job come to: sums of what is known; `unknown` says what is not."""

    kind: GroupKind
    name: str | None
    """The user or the job; None gathers the rows of which it is not known."""
    owner: str | None = None
    """Whose job it is: two people can give their jobs the same name."""
    count: int
    """Processes; one that is on eight GPUs counts once."""
    gpu_indices: tuple[int, ...]
    gpu_memory_bytes: int | None
    """None when no row has a figure."""
    unknown: int = 0
    """Rows without a memory figure."""
    sm_pct: float | None = None
    """Summed over GPUs: 100 is one of them busy all the time."""
    cpu_pct: float | None = None
    rss_bytes: int | None = None
    allocated_bytes: int | None = None
    cached_bytes: int | None = None
    not_torch_bytes: int | None = None
    """Of the rows whose PyTorch tells, as the two before it."""
    heaviest: GpuProcess | None = None
    """The row with the most memory; for a job, that of its heaviest rank."""
    imbalance_bytes: int | None = None
    """Memory of the heaviest rank minus that of the lightest; None below two ranks with figures."""
    ranks: tuple[int, ...] = ()
    """Those that are here, in order."""
    world_size: int | None = None
    folded: bool = False

    @property
    def key(self) -> Hashable:
        """Its identity, which does not change while members come and go."""
        return ("group", self.kind, self.name, self.owner)

    @property
    def label(self) -> str:
        """What to call it: `alice`, `job 1234`, and how many of its ranks are here: `job 1234 7/8`."""
        if self.kind == "user":
            return self.name or "user not known"
        if self.name is None:
            return "no job"
        present = f" {len(self.ranks)}/{self.world_size}" if self.ranks and self.world_size else ""
        return f"job {self.name}{present}"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class UnattributedRow(Value):
    """Memory of a GPU that no process explains."""

    unattributed: Unattributed

    @property
    def key(self) -> Hashable:
        """Its identity: a GPU has one at most."""
        return ("unattributed", self.unattributed.gpu_index)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class AncestorRow(Value):
    """A parent that is on no GPU itself: a shell, a launcher."""

    pid: int
    command: str
    depth: int = 0
    prefix: str = ""
    hidden: int = 0

    @property
    def key(self) -> Hashable:
        """Its identity."""
        return ("ancestor", self.pid)


Row = ProcessRow | GroupRow | UnattributedRow | AncestorRow
