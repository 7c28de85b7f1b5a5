"""What cannot be trained, or of whose training nobody has said what it keeps: refused by the name of the field."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.errors import PlanError
from dstop.footprint.training.lora import check_lora
from dstop.footprint.training.optimizers import optimizer_of
from dstop.footprint.training.recompute import check_recompute

if TYPE_CHECKING:
    from dstop.footprint.spec.values import Spec


def check_training(spec: Spec) -> None:
    """Refuse what has no answer.

    Raises:
        PlanError: names the field and what it may be.
    """
    optimizer_of(spec)
    check_recompute(spec)
    check_lora(spec)
    if spec.gradients in {"fp8", "int8", "int4"}:
        raise PlanError(f"gradients: {spec.gradients} holds no gradients", fix="use fp32, bf16 or fp16")
    if any(layer.attention.kind == "compressed" for layer in spec.architecture.layers):
        raise PlanError(
            f"phase: what {spec.architecture.name} keeps in training is not published: its compressed attention and "
            "its several residual streams",
            fix='plan its inference ("phase": "inference")',
        )
