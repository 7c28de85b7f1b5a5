"""What each optimizer keeps between steps, and what it needs while it steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from dstop.errors import PlanError
from dstop.model.value import Value

if TYPE_CHECKING:
    from dstop.footprint.spec.values import Spec

Step = Literal["none", "copy", "copies", "largest"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Optimizer(Value):
    """One kind of optimizer."""

    moments: float = 0.0
    """Tensors of a parameter's shape that it keeps."""
    bits: float | None = None
    """Bits of an element of them, scales included; None: in the type of the states."""
    factored: bool = False
    """Whether a matrix keeps a row and a column instead (fp32)."""
    orthogonal: bool = False
    """Whether inner matrices keep one moment, and the rest those of AdamW."""
    foreach: Step = "none"
    """What PyTorch's own step on a GPU takes: copies of all parameters, or of the largest."""
    alone: Step = "none"
    """What a fused step, or one of another library, takes."""


_ADAM = Optimizer(moments=2, foreach="copy")
OPTIMIZERS: dict[str, Optimizer] = {
    "adamw": _ADAM,
    "adam": _ADAM,
    "adamw8bit": Optimizer(moments=2, bits=8 + 32 / 256, foreach="largest", alone="largest"),
    "adamw4bit": Optimizer(moments=2, bits=4 + 32 / 128, foreach="largest", alone="largest"),
    "adafactor": Optimizer(factored=True, foreach="largest", alone="largest"),
    "sgd": Optimizer(),
    "sgd_momentum": Optimizer(moments=1),
    "lion": Optimizer(moments=1),
    "lion8bit": Optimizer(moments=1, bits=8 + 32 / 256, foreach="largest", alone="largest"),
    "adagrad": Optimizer(moments=1, foreach="copies"),
    "rmsprop": Optimizer(moments=1, foreach="copy"),
    "muon": Optimizer(moments=1, orthogonal=True, foreach="largest", alone="largest"),
}
"""AdamW: two moments (arXiv 1711.05101); 8 bits in blocks of 256 with an fp32 scale (bitsandbytes, arXiv 2110.02861), 4
bits in blocks of 128 (torchao). Adafactor: a row and a column (arXiv 1804.04235), without momentum as transformers has
it. Lion: one moment (arXiv 2302.06675). Muon: one moment for inner matrices, AdamW for embedding, head and vectors
(Jordan et al., 2024; arXiv 2502.16982). Temporaries of a step: measured with PyTorch 2.14 (`--peaks` of
`benchmarks/footprint/measure.py`): foreach AdamW makes the root of the second moment of all parameters at once."""

_ALIASES = {
    "adamw_torch": "adamw",
    "adamw_torch_fused": "adamw",
    "adamw_hf": "adamw",
    "adamw_apex_fused": "adamw",
    "fused_adam": "adamw",
    "paged_adamw": "adamw",
    "paged_adamw_32bit": "adamw",
    "adam8bit": "adamw8bit",
    "adamw_8bit": "adamw8bit",
    "adamw_bnb_8bit": "adamw8bit",
    "paged_adamw_8bit": "adamw8bit",
    "paged_adamw8bit": "adamw8bit",
    "adam4bit": "adamw4bit",
    "adamw_4bit": "adamw4bit",
    "momentum": "sgd_momentum",
    "sgd-momentum": "sgd_momentum",
    "lion_8bit": "lion8bit",
}


def optimizer_of(spec: Spec) -> Optimizer:
    """Give the optimizer of a spec.

    Raises:
        PlanError: nobody has said what it keeps.
    """
    name = spec.optimizer.strip().lower()
    found = OPTIMIZERS.get(_ALIASES.get(name, name))
    if found is None:
        raise PlanError(
            f"optimizer: what {spec.optimizer!r} keeps is not known",
            fix=f"use one of {', '.join(OPTIMIZERS)}",
        )
    return found


def steps_foreach(spec: Spec) -> bool:
    """Whether the step is PyTorch's default, which works on lists of tensors, and not a fused one.

    Recipes on one GPU in plain PyTorch (torchtune, litgpt) and those that are compiled (torchtitan) ask for
    `fused=True`; Megatron-LM and DeepSpeed have fused kernels of their own; scripts around transformers, and those for
    several GPUs that are not compiled, take the default unless they say more.
    """
    plain = spec.framework == "pytorch" and spec.parallel.replicas > 1 and not spec.compile
    return spec.framework == "hf" or plain
