"""One configuration of a model on GPUs: the fields of SPEC.json, read and checked.

The contract says what each field means; None is "not said": `spec.settle` decides, and writes down
what it took.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from dstop.model.value import Value

if TYPE_CHECKING:
    from dstop.footprint.architecture.values import Architecture
    from dstop.model.footprint import Phase

Checkpointing = Literal["none", "selective", "full", "offload"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Parallel(Value):
    """The layout. GPUs = tp x pp x dp x cp; ep is laid over dp x tp x cp."""

    tp: int = 1
    pp: int = 1
    dp: int = 1
    ep: int = 1
    cp: int = 1
    etp: int | None = None
    """Tensor parallelism inside an expert; unsaid: tp when ep is 1, else 1."""
    vpp: int = 1
    """Virtual pipeline stages per rank (interleaved 1F1B)."""
    zero: int = 0
    """0: replicas; 1: optimizer states sharded over dp x cp; 2: gradients too; 3: weights too (FSDP)."""
    sequence_parallel: bool = False
    stage: Literal["max", "first", "last"] | int = "max"

    @property
    def gpus(self) -> int:
        """GPUs of the whole job."""
        return self.tp * self.pp * self.dp * self.cp

    @property
    def expert_tp(self) -> int:
        """Ranks that share the matrices of one expert."""
        if self.etp is not None:
            return self.etp
        return self.tp if self.ep == 1 else 1

    @property
    def replicas(self) -> int:
        """Ranks that hold the same weights and over which ZeRO shards: dp x cp."""
        return self.dp * self.cp

    @property
    def expert_replicas(self) -> int:
        """Ranks that hold the same experts: dp x tp x cp / (ep x etp)."""
        return max(1, self.dp * self.tp * self.cp // (self.ep * self.expert_tp))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Lora(Value):
    """Low-rank adapters on frozen weights."""

    rank: int
    alpha: float = 16
    targets: tuple[str, ...] = ("q_proj", "v_proj")
    """Names of modules; `all-linear` for all but the head."""
    base: str = "bf16"
    """Format of the frozen weights: `bf16`, `nf4` (QLoRA), `nf4-dq`, `int8`."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Spec(Value):
    """What one plan is about."""

    architecture: Architecture
    phase: Phase
    weights: str | None = None
    """Format of the weights: `bf16`, `fp16`, `fp32`, `fp8`, `int8`, `int4`, `nf4`, `nf4-dq`, `q8_0`, `q4_k_m`,
    `awq`, `gptq`, `mxfp4`, `"5.67bpw"`, or `native`: as the checkpoint is."""
    kv_cache: str | None = None
    batch: int = 1
    """Sequences per model replica: the micro-batch in training."""
    sequence: int | None = None
    parallel: Parallel = Parallel()
    optimizer: str = "adamw"
    """`adamw`, `adamw8bit`, `adamw4bit`, `adafactor`, `sgd`, `sgd_momentum`, `lion`, `muon`, `adagrad`, ..."""
    optimizer_state: str | None = None
    optimizer_in_backward: bool = False
    master_weights: bool | None = None
    gradients: str | None = None
    autocast: str | None = None
    checkpointing: Checkpointing | tuple[str, ...] = "none"
    attention: str | None = None
    lora: Lora | None = None
    trainable_fraction: float = 1.0
    framework: str | None = None
    """`pytorch`, `hf`, `vllm`, `sglang`, `megatron`, `deepspeed`, `llama.cpp`."""
    gpu_memory_utilization: float | None = None
    """vLLM's share of the card; SGLang's `mem_fraction_static`."""
    max_num_seqs: int | None = None
    max_model_len: int | None = None
    max_num_batched_tokens: int | None = None
    mla_cache: Literal["latent", "expanded", "padded"] = "latent"
    speculative: Literal["none", "mtp"] = "none"
    loss: Literal["full", "chunked", "fused"] = "full"
    compile: bool = False
    gpu: str | None = None
    """A name of the catalog; `gpu_bytes` is what it has."""
    gpu_bytes: int | None = None
    """Memory of one GPU as NVML reports it; for budgets of serving engines."""
