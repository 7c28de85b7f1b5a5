"""The entries of the catalog: GPUs, servers, and the tiers of the sizing guide."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dstop.model.value import Value

if TYPE_CHECKING:
    from dstop.footprint.spec.values import Checkpointing


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Price(Value):
    """What an hour costs, and who said so when: prices are a list with dates, never a fact."""

    per_hour: float
    currency: str = "USD"
    as_of: str = ""
    """YYYY-MM-DD."""
    source: str = ""
    """`user` where the user's own list says it."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Gpu(Value):
    """One kind of card."""

    name: str
    """As NVML says it: `NVIDIA H100 80GB HBM3`."""
    short: str
    """What people type: `H100-80`, `RTX 4090`."""
    aliases: tuple[str, ...] = ()
    vendor: str = "NVIDIA"
    architecture: str = ""
    compute_capability: str = ""
    memory_bytes: int
    """Total as the driver reports it (NVML), not as it is marketed."""
    reserved_bytes: int
    """What the driver keeps of it: NVML's total minus what cudaMemGetInfo calls total."""
    kept: str = ""
    """How that is known: what was seen in public logs, of which other card it is taken, or `default`."""
    memory_type: str = ""
    bandwidth_gb_s: float | None = None
    """Of its memory, 1e9 bytes a second."""
    bf16_tflops: float | None = None
    """Dense; likewise below. None where the card has no bf16 (V100, T4) or no such figure is known."""
    fp16_tflops: float | None = None
    fp8_tflops: float | None = None
    int8_tops: float | None = None
    fp4_tflops: float | None = None
    nvlink_gb_s: float = 0
    """Both directions summed; 0: none."""
    pcie_generation: int | None = None
    tdp_w: int | None = None
    notes: tuple[str, ...] = ()
    """What people get wrong about it, and what else it may report."""
    source: str = ""

    @property
    def usable_bytes(self) -> int:
        """What a process can have: total minus what the driver keeps."""
        return self.memory_bytes - self.reserved_bytes


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Server(Value):
    """A box or a cloud instance: several cards of a kind with what joins them."""

    name: str
    """`p4d.24xlarge`, `DGX H100`."""
    aliases: tuple[str, ...] = ()
    gpu: str
    """Name of a `Gpu`."""
    count: int
    interconnect: str = ""
    """Between its cards: `NVSwitch`, `NVLink pairs`, `PCIe`."""
    network_gbit_s: float | None = None
    price: Price | None = None
    """Of the whole instance."""
    notes: tuple[str, ...] = ()
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Tier(Value):
    """A tier of the sizing guide: its ranges are claims of that text, never ours. Bytes are its GB, 1e9 each."""

    name: str
    """`DeepSeek-Lite`."""
    aliases: tuple[str, ...] = ()
    low_parameters: float
    high_parameters: float | None
    """None: no upper end (100 B and more)."""
    like: str
    """The model that the guide compares with."""
    sequence: int
    """Tokens of a sequence of that model: the guide names none."""
    training_low_bytes: int
    """Per GPU."""
    training_high_bytes: int
    training_batch: int | None
    training_gpus: int
    inference_low_bytes: int | None
    """None where the guide only counts cards."""
    inference_high_bytes: int | None
    inference_gpus: int
    sample: str
    """The guide's own example: `4 GPUs, 3D parallelism, fp16: about 32 GB each`."""
    sample_bytes: int
    """Per GPU."""
    sample_gpus: int
    sample_dtype: str
    sample_zero: int | None = None
    """The ZeRO stage that the example names; None where it names none."""
    checkpointing: Checkpointing
    """`none`, `selective` or `full`, as its techniques say."""
    cards: str
    """What the guide recommends."""
    claims: tuple[str, ...]
    """What the guide says of its techniques."""
    notes: tuple[str, ...]
    """What is known about it and is no arithmetic."""

    def implied_bytes_per_parameter(self, parameters: float) -> float:
        """Give what the guide's example comes to: bytes on all its GPUs over the parameters, activations and all."""
        return self.sample_bytes * self.sample_gpus / parameters
