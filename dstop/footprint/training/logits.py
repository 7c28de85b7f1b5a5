"""What logits and loss take at the end of the forward pass and at the start of the backward pass."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dstop.footprint.training.setting import SINGLE
from dstop.model.value import Value

if TYPE_CHECKING:
    from dstop.footprint.spec.values import Spec
    from dstop.footprint.stages import Stage
    from dstop.footprint.training.setting import Setting

CHUNKS = 8
"""Pieces of a chunked loss: torchtune's default (`CEWithChunkedOutputLoss`)."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Logits(Value):
    """Bytes at three moments; nought where the stage has no head."""

    forward: float = 0.0
    """At the peak of the forward pass, in its last operations."""
    backward: float = 0.0
    """When the backward pass has begun: what is kept, and gradients of it."""
    head: float = 0.0
    """Gradient of the head's weight, made first of all."""


def logits_of(spec: Spec, stage: Stage, setting: Setting) -> Logits:
    """Give what logits take.

    Full, an element of tokens x vocabulary: logits in the type that is computed in, their fp32 copy and its
    log-softmax, 10 bytes (8 in fp32); backward starts with the log-softmax, its gradient and that of the loss: 12,
    measured in every type; 16 where each rank has a part of the vocabulary and the loss is written in single
    operations (torch.distributed.tensor.parallel.loss: log-softmax, nought and ones, its exponent, their sum).
    Megatron-LM: 6, half-precision logits and their fp32 copy, which the fused cross entropy works in place on; divided
    over tp; once more for each multi-token-prediction module. Chunked: code around transformers computes each piece
    again in the backward pass; plain PyTorch (torchtune, litgpt) keeps the logits of all pieces in half precision, and
    their log-softmax unless it is compiled. Fused: never made (Liger, Cut Cross Entropy).
    """
    if not stage.last:
        return Logits()
    cells = setting.tokens * spec.architecture.vocab / (setting.tp if _divided(spec, setting) else 1)
    head = 0.0 if spec.lora is not None else spec.architecture.vocab * spec.architecture.hidden / setting.tp
    weight = head * setting.element
    element = setting.element
    if spec.loss == "fused":
        return Logits(head=weight)
    if setting.megatron:
        both = (element + SINGLE) * cells * (1 + len(stage.next_token))
        return Logits(forward=both, backward=both)
    if spec.loss == "full":
        copy = SINGLE if element < SINGLE else 0
        most = 4 if _divided(spec, setting) else 3
        capped = (
            element * cells if spec.architecture.family == "gemma2" else 0.0
        )  # the tangent of its soft cap
        return Logits(
            forward=(element + copy + SINGLE) * cells + capped,
            backward=most * SINGLE * cells + capped,
            head=weight,
        )
    if spec.framework == "hf":
        stays, forward, piece = 0.0, 2 * SINGLE * cells / CHUNKS, 3 * SINGLE * cells / CHUNKS
    else:
        stays = (element + (0 if spec.compile else SINGLE)) * cells
        forward = piece = (element if spec.compile else 2 * SINGLE) * cells / CHUNKS
    # the head's gradient is a sum over pieces: old, new and their sum at once
    adding = max(piece + weight, 3 * weight)
    return Logits(forward=stays + forward, backward=stays + adding, head=weight)


def _divided(spec: Spec, setting: Setting) -> bool:
    """Whether each rank of a tensor-parallel group has a part of the vocabulary until the loss."""
    return setting.tp > 1 and spec.framework != "hf"
