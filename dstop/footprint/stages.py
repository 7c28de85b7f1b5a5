"""Which layers are on which pipeline stage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dstop.footprint.architecture.values import alike
from dstop.model.value import Value

if TYPE_CHECKING:
    from dstop.footprint.architecture.values import Architecture, Layer, Tensor
    from dstop.footprint.spec.values import Spec


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Stage(Value):
    """What one pipeline stage holds."""

    index: int
    count: int
    """How many stages there are."""
    layers: tuple[Layer, ...]
    next_token: tuple[Layer, ...] = ()
    """Multi-token-prediction modules, on the last stage, where they are trained or served."""
    kinds: tuple[tuple[Layer, int], ...] = ()
    """`alike`, where it has been counted before."""

    @property
    def alike(self) -> tuple[tuple[Layer, int], ...]:
        """Its layers, each kind once with how many there are; work per layer is done once for each kind."""
        return self.kinds or alike((*self.layers, *self.next_token))

    @property
    def first(self) -> bool:
        """Whether it has the embedding."""
        return self.index == 0

    @property
    def last(self) -> bool:
        """Whether it has the head and makes the logits."""
        return self.index == self.count - 1

    def around(self, architecture: Architecture) -> tuple[Tensor, ...]:
        """Give the tensors beside its layers: the embedding on the first stage, final norm and head on the last.

        The head of a tied model is the embedding: with a pipeline the last stage keeps a copy of it.
        Multi-token-prediction needs the embedding on the last stage too (Megatron-LM keeps a copy there).
        """
        tensors: tuple[Tensor, ...] = ()
        if self.first:
            tensors += architecture.embedding
        if self.last:
            tensors += architecture.output
            if not self.first and (architecture.tied or self.next_token):
                tensors += tuple(tensor for tensor in architecture.embedding if tensor.role == "embedding")
        return tensors

    def tensors(self, architecture: Architecture) -> tuple[Tensor, ...]:
        """Give all of its tensors."""
        layers = (*self.layers, *self.next_token)
        return (*self.around(architecture), *(tensor for layer in layers for tensor in layer.tensors))


def stages_of(spec: Spec) -> tuple[Stage, ...]:
    """Divide the layers over pp stages; those that do not divide evenly go to the first stages, as the contract says.

    Training includes the multi-token-prediction modules where the model has them; inference only when `speculative`
    is `mtp`.
    """
    layers, count = spec.architecture.layers, spec.parallel.pp
    extra = spec.architecture.next_token if spec.phase == "training" or spec.speculative == "mtp" else ()
    each, more = divmod(len(layers), count)
    stages = []
    start = 0
    for index in range(count):
        stop = start + each + (index < more)
        last = index == count - 1
        stages.append(
            Stage(
                index=index,
                count=count,
                layers=layers[start:stop],
                next_token=extra if last else (),
                kinds=alike((*layers[start:stop], *(extra if last else ()))),
            )
        )
        start = stop
    return tuple(stages)
