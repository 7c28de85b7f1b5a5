"""The names under which dstop's figures are in Prometheus: written by the exporter, read by the fleet.

They are a contract with dashboards and alert rules that others have written: a name, its unit and its labels stay.

Conventions (prometheus.io/docs/practices/naming, OpenMetrics 1.0): base units as suffix, so bytes, seconds, celsius,
watts, joules, hertz, and shares of one as `_ratio`; `_total` ends a counter and `_info` a family whose figure is 1 and
whose labels are names. What is not known has no sample: nought is a measurement. A label that says nothing is empty,
which Prometheus takes for absent. `job` and `instance` are the server's own, so the ranks of one training are joined
by `job_id`.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

Kind = Literal["gauge", "counter", "info"]

GPU = ("gpu",)
"""`gpu` is the driver's index; `dstop_gpu_info` has the UUID of it."""
MIG = ("gpu", "mig")
"""`mig` is a slice of a card, as `GPU-INSTANCE/COMPUTE-INSTANCE`."""
PERSON = ("pid", "command", "user", "job_id", "rank")
"""A process; those that did not fit into the bound are one: `pid="other"`."""
ROW = (*MIG, *PERSON)
"""A process on one card; a process on eight cards has eight."""
OTHER = "other"
"""In place of the PID, of the processes that are added up because there are too many."""


class Metric(NamedTuple):
    """One family."""

    name: str
    """As PromQL has it: with `_total` and `_info`."""
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    unit: str = ""
    """The suffix that says it; empty for plain numbers."""

    @property
    def family(self) -> str:
        """The name without the suffix that OpenMetrics adds for the kind."""
        suffix = {"counter": "_total", "info": "_info", "gauge": ""}[self.kind]
        return self.name.removesuffix(suffix)


_UNITS = ("bytes", "bytes_per_second", "seconds", "celsius", "watts", "joules", "hertz", "ratio")


def _gauge(name: str, labels: tuple[str, ...], text: str) -> Metric:
    unit = max((each for each in _UNITS if name.endswith(f"_{each}")), key=len, default="")
    return Metric(f"dstop_{name}", "gauge", text, labels, unit)


def _counter(name: str, labels: tuple[str, ...], text: str) -> Metric:
    base = name.removesuffix("_total")
    unit = max((each for each in _UNITS if base.endswith(f"_{each}")), key=len, default="")
    return Metric(f"dstop_{name}", "counter", text, labels, unit)


def _info(name: str, labels: tuple[str, ...], text: str) -> Metric:
    return Metric(f"dstop_{name}", "info", text, labels)


# The exporter itself -------------------------------------------------------------------------------------------------
UP = _gauge(
    "up", (), "1 while figures of this machine come; 0 when the driver does not answer or they are old."
)
BUILD = _info("build_info", ("version",), "The dstop that exports.")
SIMULATED = _gauge("simulated", (), "1 when no hardware is behind the figures; there is no sample otherwise.")
SAMPLE_TIME = _gauge(
    "sample_timestamp_seconds", (), "When the figures were read, in seconds since the epoch."
)
SAMPLE_AGE = _gauge("sample_age_seconds", (), "How old the figures were when this page was written.")
INTERVAL = _gauge("interval_seconds", (), "Seconds between two readings.")
EXPORTER_CPU = _counter("exporter_cpu_seconds_total", (), "CPU time that dstop itself has taken.")
EXPORTER_MEMORY = _gauge("exporter_resident_memory_bytes", (), "Host memory that dstop itself takes.")
EXPORTER_READ = _gauge("exporter_read_seconds", (), "How long the newest reading of the machine took.")
EXPORTER_LEFT_OUT = _gauge(
    "exporter_left_out",
    ("what",),
    "What has no series of its own on this page because there is too much of it.",
)

# The host ------------------------------------------------------------------------------------------------------------
HOST = _info(
    "host_info",
    ("hostname", "driver_version", "cuda_version", "container", "simulated"),
    "The machine: name, driver, the CUDA of the driver, and the container that dstop is in.",
)
HOST_CPUS = _gauge("host_cpus", (), "Cores.")
HOST_CPU = _gauge("host_cpu_utilization_ratio", (), "All cores together: 1 is every core busy.")
HOST_LOAD = _gauge("host_load1", (), "Load average over one minute.")
HOST_MEMORY = _gauge("host_memory_total_bytes", (), "Host memory; within a container, its limit.")
HOST_MEMORY_USED = _gauge("host_memory_used_bytes", (), "Host memory that programs cannot have.")
HOST_SWAP = _gauge("host_swap_total_bytes", (), "Swap.")
HOST_SWAP_USED = _gauge("host_swap_used_bytes", (), "Swap in use.")
HOST_UPTIME = _gauge("host_uptime_seconds", (), "Since the machine was started.")

# Cards ---------------------------------------------------------------------------------------------------------------
GPU_UP = _gauge("gpu_up", GPU, "1 while the card answers; 0 when it is lost or its driver calls hang.")
GPU_NAMES = _info(
    "gpu_info",
    (
        "gpu",
        "uuid",
        "name",
        "pci_bus_id",
        "compute_capability",
        "compute_mode",
        "virtualization",
        "unified_memory",
    ),
    "The card: its UUID, name and place.",
)
GPU_STALE = _gauge(
    "gpu_stale_seconds", GPU, "How old the figures of a card are whose driver calls hang; else 0."
)
GPU_MEMORY = _gauge("gpu_memory_total_bytes", GPU, "Memory of the card.")
GPU_MEMORY_USED = _gauge("gpu_memory_used_bytes", GPU, "Allocated, without what the driver keeps for itself.")
GPU_MEMORY_RESERVED = _gauge("gpu_memory_reserved_bytes", GPU, "What the driver keeps for itself.")
GPU_MEMORY_FREE = _gauge("gpu_memory_free_bytes", GPU, "Free memory.")
GPU_UNATTRIBUTED = _gauge(
    "gpu_memory_unattributed_bytes", GPU, "Used, and of no process that the driver lists."
)
GPU_BUSY = _gauge("gpu_utilization_ratio", GPU, "Share of time in which a kernel ran.")
GPU_MEMORY_BUSY = _gauge(
    "gpu_memory_utilization_ratio", GPU, "Share of time in which memory was read or written."
)
GPU_ENCODER = _gauge(
    "gpu_encoder_utilization_ratio", GPU, "Share of time in which the video encoder was busy."
)
GPU_DECODER = _gauge(
    "gpu_decoder_utilization_ratio", GPU, "Share of time in which the video decoder was busy."
)
GPU_POWER = _gauge("gpu_power_watts", GPU, "Power draw.")
GPU_POWER_LIMIT = _gauge("gpu_power_limit_watts", GPU, "Power limit that is enforced.")
GPU_ENERGY = _counter("gpu_energy_joules_total", GPU, "Energy since the driver was loaded.")
GPU_TEMPERATURE = _gauge("gpu_temperature_celsius", GPU, "Temperature of the chip.")
GPU_MEMORY_TEMPERATURE = _gauge("gpu_memory_temperature_celsius", GPU, "Temperature of the memory.")
GPU_SLOWDOWN_TEMPERATURE = _gauge(
    "gpu_slowdown_temperature_celsius", GPU, "Where the card begins to slow down."
)
GPU_CLOCK = _gauge("gpu_sm_clock_hertz", GPU, "Clock of the multiprocessors.")
GPU_CLOCK_MAX = _gauge("gpu_sm_clock_max_hertz", GPU, "The highest that it can be.")
GPU_MEMORY_CLOCK = _gauge("gpu_memory_clock_hertz", GPU, "Clock of the memory.")
GPU_FAN = _gauge("gpu_fan_speed_ratio", GPU, "Fan, as a share of its highest speed.")
GPU_STATE = _gauge("gpu_performance_state", GPU, "0 is the fastest (P0), 15 the slowest.")
GPU_THROTTLE = _gauge("gpu_throttle_active", ("gpu", "reason"), "1 while this reason holds the clocks down.")
GPU_ECC = _counter("gpu_ecc_errors_total", ("gpu", "error"), "Memory errors since the driver was loaded.")
GPU_REMAP_PENDING = _gauge("gpu_remapped_rows_pending", GPU, "1 when bad rows wait for a reset of the card.")
GPU_REMAP_FAILED = _gauge("gpu_remapped_rows_failed", GPU, "1 when a bad row could not be remapped.")
GPU_XIDS = _counter(
    "gpu_xid_errors_total", GPU, "Errors that the driver reported since dstop began to watch."
)
GPU_XID_TIME = _gauge(
    "gpu_xid_timestamp_seconds", ("gpu", "xid"), "When the driver reported this Xid last, since the epoch."
)
GPU_PERSISTENCE = _gauge("gpu_persistence_mode", GPU, "1 while the driver stays loaded without clients.")
GPU_MIG_MODE = _gauge("gpu_mig_mode", GPU, "1 while the card is in MIG mode.")
GPU_PCIE_GENERATION = _gauge("gpu_pcie_generation", GPU, "Generation of the PCIe link now.")
GPU_PCIE_WIDTH = _gauge("gpu_pcie_width", GPU, "Lanes of the PCIe link now.")
GPU_PCIE_SENT = _gauge("gpu_pcie_transmit_bytes_per_second", GPU, "From the card to the host.")
GPU_PCIE_RECEIVED = _gauge("gpu_pcie_receive_bytes_per_second", GPU, "From the host to the card.")
GPU_NVLINK_SENT = _gauge("gpu_nvlink_transmit_bytes_per_second", GPU, "Over all NVLinks, from the card.")
GPU_NVLINK_RECEIVED = _gauge("gpu_nvlink_receive_bytes_per_second", GPU, "Over all NVLinks, to the card.")
GPU_SM_ACTIVE = _gauge("gpu_sm_active_ratio", GPU, "Share of multiprocessors that had work (GPM).")
GPU_SM_OCCUPANCY = _gauge("gpu_sm_occupancy_ratio", GPU, "Share of warps that were resident (GPM).")
GPU_TENSOR_ACTIVE = _gauge(
    "gpu_tensor_active_ratio", GPU, "Share of time in which tensor cores worked (GPM)."
)
GPU_DRAM_ACTIVE = _gauge("gpu_dram_active_ratio", GPU, "Share of the memory's bandwidth that was used (GPM).")
GPU_PROCESSES = _gauge("gpu_processes", GPU, "Processes on the card.")
GPU_OTHERS = _gauge("gpu_other_processes", GPU, 'Of these, how many are added up as pid="other".')

MIG_NAMES = _info("mig_info", (*MIG, "uuid", "profile"), "A MIG slice: its UUID and profile.")
MIG_MEMORY = _gauge("mig_memory_total_bytes", MIG, "Memory of the slice.")
MIG_MEMORY_USED = _gauge("mig_memory_used_bytes", MIG, "Allocated in the slice.")
MIG_MEMORY_RESERVED = _gauge("mig_memory_reserved_bytes", MIG, "What the driver keeps of the slice.")
MIG_MEMORY_FREE = _gauge("mig_memory_free_bytes", MIG, "Free in the slice.")

# Processes -----------------------------------------------------------------------------------------------------------
PROCESS_NAMES = _info(
    "process_info",
    (*ROW, "type", "world_size", "local_rank", "framework", "model", "container", "torch_version"),
    "A process on a card: what it is.",
)
PROCESS_LABEL = _info(
    "process_label_info",
    (*ROW, "label", "value"),
    "What a plugin knows of a process: a Slurm job's name, a pod's.",
)
PROCESS_MEMORY = _gauge(
    "process_gpu_memory_bytes", ROW, "What the driver counts for the process on the card."
)
PROCESS_BUSY = _gauge("process_sm_utilization_ratio", ROW, "Share of time in which its kernels ran.")
PROCESS_MEMORY_BUSY = _gauge(
    "process_memory_utilization_ratio", ROW, "Share of time its kernels used memory."
)
PROCESS_ENCODER = _gauge("process_encoder_utilization_ratio", ROW, "Its share of the video encoder.")
PROCESS_DECODER = _gauge("process_decoder_utilization_ratio", ROW, "Its share of the video decoder.")
PROCESS_CPU = _gauge("process_cpu_utilization_ratio", PERSON, "1 is one core.")
PROCESS_RSS = _gauge("process_resident_memory_bytes", PERSON, "Host memory of the process.")
PROCESS_START = _gauge("process_start_time_seconds", PERSON, "When it was started, since the epoch.")
PROCESS_FIGURE = _gauge(
    "process_figure",
    (*PERSON, "figure"),
    "What a process tells of itself, by plugins; the unit ends its name.",
)

TORCH_REQUESTED = _gauge("torch_requested_bytes", ROW, "What live tensors asked for.")
TORCH_ALLOCATED = _gauge("torch_allocated_bytes", ROW, "What live tensors have, rounded up to whole blocks.")
TORCH_ACTIVE = _gauge(
    "torch_active_bytes", ROW, "Allocated, and freed blocks that another stream still uses."
)
TORCH_RESERVED = _gauge("torch_reserved_bytes", ROW, "What PyTorch's allocator has from the driver.")
TORCH_CACHED = _gauge("torch_cached_bytes", ROW, "Reserved and not active: free for this process alone.")
TORCH_FRAGMENTED = _gauge(
    "torch_inactive_split_bytes",
    ROW,
    "Free parts of segments that are also in use: fragmented, not to be given back.",
)
TORCH_PEAK_ALLOCATED = _gauge("torch_peak_allocated_bytes", ROW, "The most that was allocated at once.")
TORCH_PEAK_RESERVED = _gauge("torch_peak_reserved_bytes", ROW, "The most that was reserved at once.")
TORCH_RETRIES = _counter(
    "torch_alloc_retries_total", ROW, "Cache flushes because the driver had nothing left."
)
TORCH_OOMS = _counter("torch_out_of_memory_errors_total", ROW, "Errors raised, also those that were caught.")
TORCH_STALE = _gauge(
    "torch_stale_seconds", PERSON, "Age of figures whose newest request was not answered in time."
)
NOT_TORCH = _gauge(
    "process_not_torch_bytes", ROW, "Held beside PyTorch's allocator: context, NCCL, libraries."
)

EXPECTED = _gauge("process_expected_bytes", ROW, "What its model should make the driver count on this card.")
EXPECTED_LOW = _gauge("process_expected_low_bytes", ROW, "The least that its model should need.")
EXPECTED_HIGH = _gauge(
    "process_expected_high_bytes", ROW, "The most; no sample where a part cannot be known."
)
EXPECTED_MODEL = _info(
    "process_expected_info", (*ROW, "model", "tier", "phase", "verdict"), "What is expected, of what."
)

# What dstop noticed --------------------------------------------------------------------------------------------------
FINDING = _gauge(
    "finding_active",
    ("rule", "cause", "severity", "gpu", "pid"),
    "1 while this finding stands; `dstop explain RULE` prints its page.",
)
FINDINGS = _gauge("findings", ("severity",), "How many findings stand, also those that have no series.")
EVENTS = _counter("events_total", ("event",), "What happened since dstop began to watch.")

METRICS: tuple[Metric, ...] = tuple(each for each in globals().values() if isinstance(each, Metric))
"""Every family, in the order of this page."""
BY_NAME = {each.name: each for each in METRICS}
