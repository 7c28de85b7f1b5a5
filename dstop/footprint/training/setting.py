"""What a rank computes with: how many tokens, in which types, and in whose code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dstop.model.value import Value

if TYPE_CHECKING:
    from dstop.footprint.spec.values import Spec

HALF, SINGLE = 2, 4
"""Bytes of bf16 and fp16, and of fp32."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Setting(Value):
    """The sizes and types that every activation of a rank is made of."""

    sequences: int
    """Of one micro-batch."""
    local: int
    """Tokens of a sequence that this rank has: its length over cp."""
    length: int
    """Tokens of a whole sequence: what keys are attended to."""
    element: int
    """Bytes of what matrices are multiplied in."""
    residual: int
    """Bytes of the residual stream: 4 where autocast runs over fp32 weights."""
    linear: float
    """Bytes in which a matrix keeps its input for its own gradient: 1 where Transformer Engine multiplies in fp8."""
    casts: bool
    """Whether autocast casts the input of each matrix, and every weight, for itself."""
    fused: bool
    """Whether pointwise operations are fused: torch.compile, or Megatron-LM's and Transformer Engine's kernels."""
    megatron: bool
    frozen: bool
    """Whether only adapters are trained: a frozen matrix does not keep its input."""
    scores: bool
    """Whether attention keeps its scores (eager) or computes them again in tiles (flash, SDPA)."""
    tp: int
    sp: int
    """Ranks over which what lies between matrices is divided: tp with sequence parallelism, else 1."""

    @property
    def tokens(self) -> int:
        """Tokens of one micro-batch on this rank."""
        return self.sequences * self.local


def setting_of(spec: Spec) -> Setting:
    """Read a settled spec.

    FSDP computes in the type that its mixed-precision policy names, residual stream included; autocast leaves the
    residual stream in the weights' type (torch.amp's list of operations that cast).
    """
    stored = weights_type(spec)
    wide = stored == "fp32"
    half = spec.autocast in {"bf16", "fp16", "fp8"} or not wide
    sharded = spec.parallel.zero == 3  # noqa: PLR2004 - ZeRO's third stage, which is FSDP
    mixed = spec.autocast is not None and wide and not sharded
    megatron = spec.framework == "megatron"
    fused = megatron or spec.compile
    length = spec.sequence or 0
    return Setting(
        sequences=spec.batch,
        local=-(-length // spec.parallel.cp),
        length=length,
        element=HALF if half else SINGLE,
        residual=SINGLE if mixed or not half else HALF,
        linear=1.0 if megatron and spec.autocast == "fp8" else HALF if half else SINGLE,
        casts=mixed and not fused,
        fused=fused,
        megatron=megatron,
        frozen=spec.lora is not None,
        scores=spec.attention == "eager",
        tp=spec.parallel.tp,
        sp=spec.parallel.tp if spec.parallel.sequence_parallel else 1,
    )


def weights_type(spec: Spec) -> str:
    """Give the type in which weights are held, such as `fp32`; a quantized base is computed with in bf16."""
    said = spec.lora.base if spec.lora is not None else spec.weights or "native"
    if said == "native":
        return spec.architecture.dtype
    return said
