"""Trials of a search: each configuration is computed once, and only where its weights and states alone would fit."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from dstop.errors import PlanError
from dstop.footprint.estimate import estimate
from dstop.footprint.fit import on_card, verdict_of
from dstop.footprint.pool import pool_headroom
from dstop.footprint.search.layouts import layouts
from dstop.footprint.spec.settle import SERVING, settle
from dstop.footprint.spec.values import Parallel
from dstop.model.footprint import Fit

if TYPE_CHECKING:
    from collections.abc import Collection

    from dstop.footprint.architecture.values import Architecture
    from dstop.footprint.catalog.values import Gpu
    from dstop.footprint.search.layouts import Layout
    from dstop.footprint.spec.values import Spec
    from dstop.model.footprint import Footprint, Parts

MOST_GPUS = 1024
_SAFE = 0.7
"""Of what comes and goes on one GPU with the same tensor parallelism, any layout takes at least this: in a pipeline the
first stage keeps as many micro-batches as there are stages, each of its share of the layers, which is the same."""
_CLEARLY = 1.05
"""Recomputing takes a little more where a stage has one layer alone: what is beyond by less is computed."""


class Trials:
    """The configurations of one search.

    Args:
        spec: what was asked.
        said: fields that stay as they are.
        count: cards in all, where that is not searched.
    """

    def __init__(self, spec: Spec, said: Collection[str], count: int | None = None) -> None:
        self._said = said
        self._count = count
        self.spec = replace(spec, gpu=None, gpu_bytes=None)
        self.count = 0
        self._pooled = spec.phase == "inference" and settle(spec)[0].framework in SERVING
        self._known: dict[tuple[object, ...], Footprint | None] = {}
        self._alones: dict[tuple[object, ...], Parts | None] = {}
        self._layouts: dict[tuple[int, int], tuple[Layout, ...]] = {}
        self._body, self._experts = _shares(spec.architecture)

    def layouts(self, gpus: int, together: int) -> tuple[Layout, ...]:
        """Give the layouts of so many GPUs, the least intrusive first."""
        key = (gpus, together)
        if key not in self._layouts:
            self._layouts[key] = layouts(self.spec, gpus, together, self._said)
        return self._layouts[key]

    def laid_out(self, gpu: Gpu, weights: str | None, layout: Layout) -> Spec:
        """Give the spec of a trial on its card."""
        return on_card(self._with(weights, layout.parallel, layout.checkpointing), gpu)

    def counts(self, gpu: Gpu, weights: str | None) -> tuple[int, ...]:
        """Give the numbers of cards to try, the fewest first: those on which weights and states alone could lie."""
        if self._count is not None:
            return (self._count,)
        static = self._alone(weights, 1, self.spec.checkpointing)
        least = 0.0 if static is None else static.static_bytes / gpu.usable_bytes
        counts = tuple(2**power for power in range(MOST_GPUS.bit_length()))
        return tuple(count for count in counts if count >= least) or counts[-1:]

    def fit(self, gpu: Gpu, weights: str | None, layout: Layout) -> Fit | None:
        """Hold a layout against a card; None where it does not fit up to the high end of its band."""
        if self._cannot(gpu, weights, layout) or self._cannot_recomputed(gpu, weights, layout):
            return None
        footprint = self._footprint(weights, layout.parallel, layout.checkpointing)
        if footprint is None:
            return None
        most = max(rank.parts.total_bytes for rank in footprint.ranks)
        headroom = gpu.usable_bytes - most
        if self._pooled:
            self.count += 1
            spec = settle(self._with(weights, layout.parallel, layout.checkpointing))[0]
            headroom, verdict = pool_headroom(spec, footprint, gpu)
        else:
            verdict = verdict_of(footprint, gpu.usable_bytes)
        if verdict != "fits":
            return None
        return Fit(
            gpu=gpu.short,
            count=footprint.gpus,
            usable_bytes=gpu.usable_bytes,
            verdict=verdict,
            headroom_bytes=headroom,
        )

    def total_bytes(self, weights: str | None, layout: Layout) -> int:
        """Give what the largest rank of a layout that fits is expected to hold, without a card."""
        footprint = self._footprint(weights, layout.parallel, layout.checkpointing)
        return 0 if footprint is None else max(rank.parts.total_bytes for rank in footprint.ranks)

    def _cannot(self, gpu: Gpu, weights: str | None, layout: Layout) -> bool:
        """Whether a bound from below is beyond the card: states divided as evenly as can be, and most of the rest."""
        parallel = layout.parallel
        whole = self._alone(weights, 1, layout.checkpointing)
        alone = self._alone(weights, parallel.tp, layout.checkpointing)
        if whole is None or alone is None:
            return True
        static = (
            whole.weights_bytes * self._share(parallel, sharded=parallel.zero >= 3)  # noqa: PLR2004 - ZeRO's stages
            + whole.gradients_bytes * self._share(parallel, sharded=parallel.zero >= 2)  # noqa: PLR2004
            + whole.optimizer_bytes * self._share(parallel, sharded=parallel.zero >= 1)
        )
        passing = alone.activations_bytes + alone.logits_bytes if self.spec.phase == "training" else 0
        return static + _SAFE * passing > gpu.usable_bytes

    def _cannot_recomputed(self, gpu: Gpu, weights: str | None, layout: Layout) -> bool:
        """Whether the same layout is clearly beyond the card even where everything is computed again."""
        if layout.checkpointing not in {"none", "selective"} or self.spec.phase == "inference":
            return False
        found = self._footprint(weights, layout.parallel, "full")
        return found is None or max(rank.high_bytes for rank in found.ranks) > _CLEARLY * gpu.usable_bytes

    def _share(self, parallel: Parallel, *, sharded: bool) -> float:
        """Give the least share of the layers' weights that the largest rank holds: of all, and of the experts."""
        layers = len(self.spec.architecture.layers)
        deepest = -(-layers // parallel.pp) / layers
        rest = (self._body - self._experts) / parallel.tp / (parallel.replicas if sharded else 1)
        experts = self._experts / (parallel.ep * parallel.expert_tp)
        return deepest * (rest + experts / (parallel.expert_replicas if sharded else 1))

    def _alone(self, weights: str | None, tp: int, checkpointing: object) -> Parts | None:
        """Give the parts with this tensor parallelism and no other."""
        key = (weights, tp, checkpointing)
        if key not in self._alones:
            parallel = Parallel(tp=tp, sequence_parallel=tp > 1 and self.spec.phase == "training")
            found = self._footprint(weights, parallel, checkpointing)
            self._alones[key] = None if found is None else found.per_gpu.parts
        return self._alones[key]

    def _footprint(self, weights: str | None, parallel: Parallel, checkpointing: object) -> Footprint | None:
        """Give a footprint, computed once; None where the layout cannot be."""
        key = (weights, parallel, checkpointing)
        if key not in self._known:
            self.count += 1
            try:
                self._known[key] = estimate(self._with(weights, parallel, checkpointing))
            except PlanError:
                self._known[key] = None
        return self._known[key]

    def _with(self, weights: str | None, parallel: Parallel, checkpointing: object) -> Spec:
        spec = replace(self.spec, parallel=parallel, checkpointing=checkpointing)  # type: ignore[arg-type]
        return spec if weights is None else replace(spec, weights=weights)


def _shares(architecture: Architecture) -> tuple[float, float]:
    """Give what the layers, and the routed experts in them, have of all parameters: 0 to 1."""
    layers = experts = 0
    for layer in architecture.layers:
        layers += sum(tensor.parameters for tensor in layer.tensors)
        experts += sum(tensor.parameters for tensor in layer.tensors if tensor.role == "expert")
    total = architecture.total_parameters
    return layers / total, experts / total
