"""All that the checks look at, gathered once: frozen, without secrets, each None where the machine does not say."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from dstop.model.value import Value
from dstop.pytorch.run.cgroup import CgroupMemory

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dstop.model.sample import Sample
    from dstop.model.unattributed import Holder

SHELL = "this shell"


class Limit(NamedTuple):
    """A resource limit; None is unlimited."""

    soft: int | None
    hard: int | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class DriverFacts(Value):
    """The driver by its files, whether it answers or not."""

    kernel_version: str | None = None
    """Of the module that is loaded."""
    library_version: str | None = None
    """Of the NVML that a program finds here."""
    compat_versions: tuple[str, ...] = ()
    """Of CUDA's forward compatibility libraries (cuda-compat)."""
    modules: frozenset[str] | None = None
    control_errno: int | None = None
    """What opening /dev/nvidiactl fails with; 0 when it opens."""
    pci_gpus: int | None = None
    wsl: bool = False
    minors: tuple[int, ...] = ()
    """The numbers of the cards' device files."""
    has_control: bool = False
    has_uvm: bool = False
    caps: int = 0
    """Device files of MIG instances."""
    has_nvswitch: bool = False
    has_fabric_manager: bool | None = None


class TorchBuild(NamedTuple):
    """A PyTorch that is installed, by its `version.py`."""

    path: str
    """The folder that it is in."""
    version: str
    cuda: str | None
    hip: str | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class ContainerFacts(Value):
    """Where we are."""

    kind: str | None = None
    own_pids: bool = False
    """Whether PIDs here are others than the machine's."""
    own_ipc: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class MemoryFacts(Value):
    """The host's memory, and what of it we may have. Bytes."""

    meminfo: Mapping[str, int] = field(default_factory=dict)
    limit_bytes: int | None = None
    """The lowest limit of our control groups."""
    limit_used_bytes: int | None = None
    cgroup: CgroupMemory = field(default_factory=CgroupMemory)
    host_kills: int | None = None
    """Processes killed for memory since the start of the host."""
    shm_bytes: int | None = None
    shm_free_bytes: int | None = None
    shm_reason: str | None = None
    overcommit: int | None = None
    max_map_count: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class LimitFacts(Value):
    """What the kernel lets us do."""

    limits: Mapping[str, Limit] = field(default_factory=dict)
    """By the kernel's names: `Max open files`."""
    is_root: bool = False
    capabilities: int | None = None
    ptrace_scope: int | None = None
    has_sysctl: bool = False
    infiniband: tuple[str, ...] | None = None
    interfaces: tuple[str, ...] | None = None
    cpu_count: int | None = None
    pids_max: int | None = None
    pids_current: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Board(Value):
    """What NVML says of a card beyond a sample."""

    index: int
    minor: int | None = None
    power_default_mw: int | None = None
    ecc_current: bool | None = None
    """None on cards without ECC."""
    ecc_pending: bool | None = None
    """What ECC will be after a restart."""
    retired_pages_pending: bool | None = None
    pcie_width_max: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Boards(Value):
    """All cards, and the library itself; `reason` where they could not be asked."""

    boards: tuple[Board, ...] = ()
    nvml_version: str | None = None
    reason: str | None = None


class XidRecord(NamedTuple):
    """An error of a GPU in the kernel's log."""

    code: int
    bus: str
    """As the log writes it: `0000:3b:00`."""
    age_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class KernelLogFacts(Value):
    """What the kernel's log tells, newest last."""

    source: str = "/dev/kmsg"
    xids: tuple[XidRecord, ...] = ()
    kills: tuple[str, ...] = ()
    """Processes killed for memory: `python (4242)`."""
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Scope(Value):
    """A place where environment variables are set, with those that matter to GPU jobs, secrets taken out."""

    name: str
    """`this shell`, `/etc/nccl.conf`, `train.py (4242)`."""
    variables: Mapping[str, str] = field(default_factory=dict)
    pid: int | None = None
    state: str | None = None
    rank: int | None = None
    world_size: int | None = None
    job: str | None = None
    same_files: bool = True
    """Whether it sees the devices and files that we see."""
    same_network: bool = True
    open_files: Limit | None = None
    reason: str | None = None
    """Why its environment is not known."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Facts(Value):
    """The state of a machine."""

    sample: Sample | None = None
    no_sample: str | None = None
    """Why the driver gives none."""
    no_sample_fix: str | None = None
    boards: Boards = field(default_factory=Boards)
    driver: DriverFacts = field(default_factory=DriverFacts)
    torches: tuple[TorchBuild, ...] = ()
    container: ContainerFacts = field(default_factory=ContainerFacts)
    memory: MemoryFacts = field(default_factory=MemoryFacts)
    limits: LimitFacts = field(default_factory=LimitFacts)
    kernel_log: KernelLogFacts = field(default_factory=KernelLogFacts)
    shell: Scope = field(default_factory=lambda: Scope(name=SHELL))
    files: tuple[Scope, ...] = ()
    """NCCL's configuration files."""
    jobs: tuple[Scope, ...] = ()
    """Processes that use a GPU."""
    holders: tuple[Holder, ...] = ()
    sees_all_holders: bool = True
    unavailable: Mapping[str, str] = field(default_factory=dict)
    """Parts that could not be gathered, and why."""

    @property
    def scopes(self) -> tuple[Scope, ...]:
        """All places where variables are set, ours first."""
        return (self.shell, *self.files, *self.jobs)
