"""What a difference may come from: the same arithmetic, asked what it would be if one thing were another way."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from dstop.errors import PlanError
from dstop.footprint.estimate import estimate
from dstop.footprint.live.known import Hypothesis
from dstop.units import bytes_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from dstop.footprint.spec.values import Spec
    from dstop.model.footprint import RankFootprint

_HALF = frozenset({"bf16", "fp16"})
_WORTH_SAYING_BYTES = 64 << 20
_TITLES = {
    "kv_cache": "the KV cache",
    "optimizer": "optimizer states",
    "reserved_unallocated": "fragmentation",
}
_ENGINE_SHARES = {"vllm": 0.92}
"""What an engine takes of the card in versions whose default is not the one that is reckoned with: vLLM since 0.12."""


def hypotheses_of(
    spec: Spec, stage: int, now: RankFootprint, unknown: Mapping[str, str]
) -> tuple[Hypothesis, ...]:
    """Give what else the process might be doing, each with the bytes that it would change the total by.

    Args:
        spec: what it is taken to do, settled.
        stage: its pipeline stage.
        now: what it is expected to hold.
        unknown: parts that nobody knows: they are left out on both sides.
    """
    found = []
    for name, sentence, changes in _changes(spec):
        try:
            ranks = estimate(replace(spec, **changes)).ranks
        except PlanError:
            continue  # that other way cannot be
        then = ranks[min(stage, len(ranks) - 1)]
        found.append(_hypothesis(name, sentence, then.parts.by_part(), now, unknown))
    found += _by_parts(spec, now)
    return tuple(each for each in found if abs(each.bytes) >= _WORTH_SAYING_BYTES)


def _hypothesis(
    name: str, sentence: str, then: Mapping[str, int], now: RankFootprint, unknown: Mapping[str, str]
) -> Hypothesis:
    before = now.parts.by_part()
    moved = {
        part: then[part] - before[part]
        for part in before
        if part not in unknown and then[part] != before[part]
    }
    changed = sorted(moved, key=lambda part: -abs(moved[part]))
    amounts = ", ".join(
        f"{_TITLES.get(part, part)} {bytes_text(then[part])} instead of {bytes_text(before[part])}"
        for part in changed[:2]
    )
    return Hypothesis(
        name=name, says=f"{sentence}: {amounts}", bytes=sum(moved.values()), parts=tuple(changed)
    )


def _changes(spec: Spec) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """List the other ways: name, words, and the fields of the SPEC that would differ."""
    yield from _of_training(spec) if spec.phase == "training" else _of_serving(spec)
    layers = spec.architecture.layers
    if spec.phase == "inference" and any(layer.attention.kind == "mla" for layer in layers):
        other = ("expanded", "padded") if spec.mla_cache == "latent" else ("latent",)
        for way in other:
            words = (
                "full keys and values are cached per head, not the latent"
                if way != "latent"
                else "the latent is cached"
            )
            yield f"{way}_mla_cache", words, {"mla_cache": way}


def _of_training(spec: Spec) -> Iterator[tuple[str, str, dict[str, Any]]]:
    if spec.weights in _HALF and spec.lora is None:
        whole = {"weights": "fp32", "gradients": "fp32", "optimizer_state": "fp32", "master_weights": False}
        yield "fp32_states", "weights, gradients and moments are in fp32", whole
        if not spec.master_weights:
            master = {"master_weights": True, "optimizer_state": "fp32", "gradients": None}
            yield "master_weights", "the optimizer keeps an fp32 copy of the weights", master
        if spec.optimizer_state in _HALF:
            yield "fp32_moments", "the optimizer's moments are in fp32", {"optimizer_state": "fp32"}
    if spec.checkpointing != "none":
        yield "no_checkpointing", "activations are not recomputed", {"checkpointing": "none"}
    else:
        yield "checkpointing", "activations are recomputed in the backward pass", {"checkpointing": "full"}
    if spec.attention != "eager":
        yield "eager_attention", "attention keeps its score matrices", {"attention": "eager"}
    if spec.loss != "full":
        yield "logits_spike", "the loss is taken of all logits at once", {"loss": "full"}
    if spec.optimizer == "adamw":
        yield (
            "eight_bit_optimizer",
            "the optimizer's moments are in 8 bits",
            {"optimizer": "adamw8bit", "optimizer_state": None},
        )
    if spec.parallel.replicas > 1:
        other = replace(spec.parallel, zero=0 if spec.parallel.zero else 3)
        name, words = (
            ("not_sharded", "nothing is sharded")
            if spec.parallel.zero
            else ("sharded", "all states are sharded")
        )
        yield name, f"{words} over the {spec.parallel.replicas} replicas", {"parallel": other}


def _of_serving(spec: Spec) -> Iterator[tuple[str, str, dict[str, Any]]]:
    if spec.weights in _HALF or (spec.weights == "native" and spec.architecture.quantization is None):
        yield "fp32_states", "the weights are in fp32", {"weights": "fp32"}
    share = _ENGINE_SHARES.get(spec.framework or "")
    if share is not None and spec.gpu_bytes is not None and spec.gpu_memory_utilization in {None, 0.9}:
        yield "engine_share", f"the engine takes {share:.0%} of the card", {"gpu_memory_utilization": share}


def _by_parts(spec: Spec, now: RankFootprint) -> Iterator[Hypothesis]:
    """Give what no field of a SPEC says: a copy of the weights, and states that are not there yet."""
    weights = now.parts.weights_bytes
    words = f"a second copy of the weights is on the card (a reference model, an old checkpoint): {bytes_text(weights)}"
    if spec.framework not in {"vllm", "sglang"}:  # these fill what is free with cache
        yield Hypothesis(name="second_copy", says=words, bytes=weights, parts=("weights",))
    states = now.parts.optimizer_bytes
    if states:
        yield Hypothesis(
            name="before_first_step",
            says=f"the optimizer's states come with its first step: {bytes_text(states)} are still to come",
            bytes=-states,
            parts=("optimizer",),
        )
