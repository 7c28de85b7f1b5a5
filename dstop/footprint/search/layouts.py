"""The layouts of a number of GPUs that make sense for a model, the least intrusive first."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import gcd, log2
from typing import TYPE_CHECKING

from dstop.footprint.architecture.values import Experts
from dstop.model.value import Value

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from dstop.footprint.architecture.values import Architecture
    from dstop.footprint.spec.values import Checkpointing, Parallel, Spec

_TP, _PP, _EP, _ZERO = 3.0, 4.0, 1.0, (0.0, 1.0, 2.0, 4.0)
_CHECKPOINTING: dict[Checkpointing, float] = {"none": 0.0, "selective": 2.0, "full": 6.0}
"""How much a step of each is held against a layout: an order of preference, no measurement. ZeRO 1 and 2 move as many
bytes as plain data parallelism and ZeRO 3 half as many again (Rajbhandari et al., arXiv 1910.02054, section 7);
selective recomputation costs some percent and full a forward pass (Korthikanti et al., arXiv 2205.05198, table 4);
tensor parallelism waits for the other cards in every layer, a pipeline has bubbles and its own schedule."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Layout(Value):
    """One way to lay a model out."""

    parallel: Parallel
    checkpointing: Checkpointing | tuple[str, ...]
    cost: float
    """How intrusive it is; only the order matters."""

    def of(self, spec: Spec) -> Spec:
        """Give the spec laid out so."""
        return replace(spec, parallel=self.parallel, checkpointing=self.checkpointing)


def layouts(spec: Spec, gpus: int, together: int, said: Collection[str]) -> tuple[Layout, ...]:
    """Give the layouts of so many GPUs, the least intrusive first.

    Tensor parallelism divides heads and stays within a server; a pipeline has at least a layer a stage; ZeRO 2 and 3
    go with no pipeline (DeepSpeed refuses them, and gradients would be gathered for each micro-batch). Sequence
    parallelism comes with tensor parallelism in training, as Megatron-LM advises. Inference has one replica.

    Args:
        spec: what was asked.
        gpus: in all.
        together: cards of a server, the most for tensor parallelism.
        said: fields that stay as they are: `tp`, `pp`, `dp`, `ep`, `zero`, `checkpointing`, ...
    """
    found = [
        Layout(parallel=parallel, checkpointing=checkpointing, cost=_cost(parallel) + more)
        for parallel in _parallels(spec, gpus, together, said)
        for checkpointing, more in _recomputed(spec, said)
    ]
    return tuple(sorted(found, key=lambda each: (each.cost, each.parallel.tp, each.parallel.pp)))


def _cost(parallel: Parallel) -> float:
    return _TP * log2(parallel.tp) + _PP * log2(parallel.pp) + _EP * (parallel.ep > 1) + _ZERO[parallel.zero]


def _recomputed(
    spec: Spec, said: Collection[str]
) -> tuple[tuple[Checkpointing | tuple[str, ...], float], ...]:
    if spec.phase == "inference" or "checkpointing" in said:
        return ((spec.checkpointing, 0.0),)
    return tuple(_CHECKPOINTING.items())


def _parallels(spec: Spec, gpus: int, together: int, said: Collection[str]) -> Iterator[Parallel]:
    training = spec.phase == "training"
    asked = spec.parallel
    layers = len(spec.architecture.layers)
    for tp in _ways("tp", asked.tp, tensor_ways(spec.architecture, min(gpus, together)), said):
        for pp in _ways("pp", asked.pp, _powers(min(gpus // tp, layers)), said):
            dp, rest = divmod(gpus, tp * pp * asked.cp)
            if rest or not dp or (not training and "dp" not in said and dp > 1):
                continue
            if "dp" in said and dp != asked.dp:
                continue
            for zero in _stages(asked.zero, dp * asked.cp, pp, said, training=training):
                plain = replace(
                    asked,
                    tp=tp,
                    pp=pp,
                    dp=dp,
                    ep=1,
                    zero=zero,
                    vpp=asked.vpp if pp > 1 else 1,
                    sequence_parallel=asked.sequence_parallel or (training and tp > 1),
                    stage="max",
                )
                yield from _with_experts(spec, plain, said)


def _with_experts(spec: Spec, plain: Parallel, said: Collection[str]) -> Iterator[Parallel]:
    """Give the layout with its experts whole on each rank (or split like the rest), and spread over the ranks."""
    if "ep" in said:
        width = plain.dp * plain.tp * plain.cp
        if width % (spec.parallel.ep * replace(plain, ep=spec.parallel.ep).expert_tp) == 0:
            yield replace(plain, ep=spec.parallel.ep)
        return
    yield plain
    routed = experts_of(spec.architecture)
    spread = gcd(routed, plain.dp * plain.tp * plain.cp) if routed else 1
    if spec.phase == "training" and spread > 1 and plain.etp is None:
        yield replace(plain, ep=spread)


def experts_of(architecture: Architecture) -> int:
    """Give the number of routed experts that all of its expert layers can be divided by; 0 for a dense model."""
    return gcd(
        *(
            layer.feed_forward.routed
            for layer in architecture.layers
            if isinstance(layer.feed_forward, Experts)
        ),
        0,
    )


def tensor_ways(architecture: Architecture, most: int) -> tuple[int, ...]:
    """Give the degrees of tensor parallelism that divide all heads, powers of two, up to `most`."""
    kinds = {id(layer): layer.attention for layer in architecture.layers}.values()
    return tuple(
        ways
        for ways in _powers(most)
        if all(
            each.heads % ways == 0
            and (each.kind != "gqa" or each.kv_heads % ways == 0 or ways % each.kv_heads == 0)
            for each in kinds
        )
    )


def _ways(name: str, asked: int, choices: tuple[int, ...], said: Collection[str]) -> tuple[int, ...]:
    return (asked,) if name in said else choices


def _stages(asked: int, replicas: int, pp: int, said: Collection[str], *, training: bool) -> tuple[int, ...]:
    if "zero" in said:
        return (asked,)
    if not training or replicas == 1:
        return (0,)
    return (0, 1) if pp > 1 else (0, 1, 2, 3)


def _powers(most: int) -> tuple[int, ...]:
    return tuple(2**power for power in range(max(0, most).bit_length()) if 2**power <= most)
