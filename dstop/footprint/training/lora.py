"""Low-rank adapters: their parameters, and what they keep (Hu et al., arXiv 2106.09685)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.errors import PlanError
from dstop.footprint.scheme import QUANTIZED
from dstop.footprint.sharding import held
from dstop.footprint.training.setting import SINGLE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dstop.footprint.architecture.values import Layer, Tensor
    from dstop.footprint.spec.values import Spec
    from dstop.footprint.training.setting import Setting

ALL = "all-linear"
FROZEN_INPUT_FRAMEWORKS = ("hf",)
"""peft keeps adapters in fp32 unless told otherwise (`autocast_adapter_dtype`), so that it casts their input first."""


def check_lora(spec: Spec) -> None:
    """Refuse targets that the model has not.

    Raises:
        PlanError: names the target and what there is.
    """
    if spec.lora is None:
        return
    if spec.lora.rank < 1:
        raise PlanError(f"lora.rank: {spec.lora.rank} is no rank", fix="such as 16")
    names = {_short(tensor) for layer in set_of(spec) for tensor in layer.tensors if len(tensor.shape) > 1}
    names |= {_short(tensor) for tensor in spec.architecture.output if tensor.role == "head"}
    for name in spec.lora.targets:
        if name != ALL and name not in names:
            raise PlanError(
                f"lora.targets: {spec.architecture.name} has no {name!r}",
                fix=f"use {ALL}, or some of {', '.join(sorted(names))}",
            )


def set_of(spec: Spec) -> tuple[Layer, ...]:
    """Give each kind of layer once."""
    return tuple({id(layer): layer for layer in spec.architecture.layers}.values())


def adapted(layer: Layer, spec: Spec) -> tuple[Tensor, ...]:
    """Give the matrices of a layer that have an adapter."""
    if spec.lora is None:
        return ()
    targets = spec.lora.targets
    return tuple(
        tensor
        for tensor in layer.tensors
        if len(tensor.shape) > 1
        and (tensor.role in QUANTIZED if ALL in targets else _short(tensor) in targets)
    )


def head_adapter(tensors: Iterable[Tensor], spec: Spec) -> int:
    """Give the parameters of the head's adapter, where it is a target."""
    targets = spec.lora.targets if spec.lora is not None else ()
    return _pairs((tensor for tensor in tensors if tensor.role == "head" and _short(tensor) in targets), spec)


def adapter_parameters(layer: Layer, spec: Spec) -> int:
    """Give the parameters of the adapters of one layer on one rank: rank x (in + out) for each matrix."""
    return _pairs(adapted(layer, spec), spec)


def _pairs(tensors: Iterable[Tensor], spec: Spec) -> int:
    rank = spec.lora.rank if spec.lora is not None else 0
    total = 0
    for tensor in tensors:
        if len(tensor.shape) == 1:
            continue
        count, shape = held(tensor, spec.parallel)
        total += count * rank * (shape[0] + shape[1])
    return total


def adapter_element(spec: Spec) -> int:
    """Give the bytes of an adapter's weight: fp32 under peft, else the type that is computed in."""
    return SINGLE if spec.framework == "hf" else 2 if spec.weights != "fp32" else SINGLE


def adapters_kept(layer: Layer, spec: Spec, setting: Setting) -> float:
    """Give what the adapters of a layer keep: their inputs, and what lies between A and B.

    peft casts the input of each adapter to fp32 for itself; where adapters have the type of the activations, those
    that read the same tensor share it.
    """
    rank = spec.lora.rank if spec.lora is not None else 0
    own = adapter_element(spec)
    total, seen = quantized_inputs(layer, spec, setting), set()
    for tensor in adapted(layer, spec):
        per_token = tensor.count if tensor.role != "expert" else _chosen(layer)
        width = tensor.shape[1] / (setting.tp if tensor.split == "row" else setting.sp)
        source = _source(tensor)
        if own > setting.element or source not in seen:
            total += setting.tokens * per_token * width * own
        seen.add(source)
        total += setting.tokens * per_token * rank * own
    return total


def quantized_inputs(layer: Layer, spec: Spec, setting: Setting) -> float:
    """Give what 4-bit matrices keep of their inputs in plain PyTorch, in fp32, those that read the same share it.

    bitsandbytes' `MatMul4Bit` kept its input until 2023, in half precision; litgpt's tables since then show twice that
    (the difference between its QLoRA and LoRA rows, over tokens and layers). Under peft nothing is known to be kept.
    """
    lora = spec.lora
    if lora is None or not lora.base.startswith(("nf4", "int4")) or spec.framework == "hf" or spec.compile:
        return 0.0
    inputs = {
        _source(tensor): tensor.shape[1] / (setting.tp if tensor.split == "row" else setting.sp)
        for tensor in layer.tensors
        if tensor.role in QUANTIZED and len(tensor.shape) > 1 and tensor.role != "expert"
    }
    return SINGLE * setting.tokens * sum(inputs.values())


def _chosen(layer: Layer) -> int:
    return getattr(layer.feed_forward, "per_token", 1)


def _short(tensor: Tensor) -> str:
    return tensor.name.rpartition(".")[2]


def _source(tensor: Tensor) -> str:
    """Name the tensor that a matrix reads: matrices of one block that go outwards read the same."""
    name = _short(tensor)
    return name if tensor.split == "row" else f"{tensor.role} {tensor.shape[1]}"
