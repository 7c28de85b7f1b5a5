"""Layouts that cannot be: refused before anything is computed, with the field's name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.errors import PlanError
from dstop.footprint.architecture.values import Experts
from dstop.footprint.spec.choices import SERVING, TRAINABLE

if TYPE_CHECKING:
    from dstop.footprint.spec.values import Spec


def check_layout(spec: Spec) -> None:
    """Refuse contradictions between the fields of a spec, and between it and its model.

    Raises:
        PlanError: names the field.
    """
    _tensor_parallel(spec)
    _experts(spec)
    _pipeline(spec)
    _sequence(spec)
    _phase(spec)
    _cache(spec)


def _tensor_parallel(spec: Spec) -> None:
    ways = spec.parallel.tp
    if ways == 1:
        return
    for attention in {id(layer): layer.attention for layer in spec.architecture.layers}.values():
        if attention.heads % ways:
            raise PlanError(
                f"parallel.tp: {ways} does not divide the {attention.heads} attention heads",
                fix=f"use one of {_divisors(attention.heads)}",
            )
        if attention.kind == "gqa" and attention.kv_heads % ways and ways % attention.kv_heads:
            raise PlanError(
                f"parallel.tp: {ways} neither divides the {attention.kv_heads} key/value heads nor is a multiple",
                fix=f"use one of {_divisors(attention.kv_heads)}, or a multiple of {attention.kv_heads}",
            )


def _experts(spec: Spec) -> None:
    parallel = spec.parallel
    counts = {
        layer.feed_forward.routed
        for layer in spec.architecture.layers
        if isinstance(layer.feed_forward, Experts)
    }
    if not counts:
        for name, ways in (("ep", parallel.ep), ("etp", parallel.etp or 1)):
            if ways > 1:
                raise PlanError(
                    f"parallel.{name}: {spec.architecture.name} has no experts",
                    fix=f"leave parallel.{name} out",
                )
        return
    for routed in counts:
        if routed % parallel.ep:
            raise PlanError(
                f"parallel.ep: {parallel.ep} does not divide the {routed} experts",
                fix=f"use one of {_divisors(routed)}",
            )
    width = parallel.dp * parallel.tp * parallel.cp
    if width % (parallel.ep * parallel.expert_tp):
        raise PlanError(
            f"parallel.ep: {parallel.ep} x etp {parallel.expert_tp} does not divide dp x tp x cp = {width}",
            fix="raise dp, or lower ep",
        )


def _pipeline(spec: Spec) -> None:
    parallel, layers = spec.parallel, len(spec.architecture.layers)
    if parallel.pp > layers:
        raise PlanError(f"parallel.pp: {parallel.pp} stages for {layers} layers", fix=f"at most {layers}")
    if parallel.vpp > 1 and parallel.pp == 1:
        raise PlanError("parallel.vpp: there is no pipeline to interleave", fix="raise pp, or leave vpp out")
    if parallel.pp * parallel.vpp > layers:
        raise PlanError(
            f"parallel.vpp: {parallel.pp} x {parallel.vpp} virtual stages for {layers} layers",
            fix=f"at most {layers // parallel.pp}",
        )
    if isinstance(parallel.stage, int) and parallel.stage >= parallel.pp:
        raise PlanError(
            f"parallel.stage: {parallel.stage} of {parallel.pp} stages",
            fix=f"0 to {parallel.pp - 1}, first, last or max",
        )


def _sequence(spec: Spec) -> None:
    length, ways = spec.sequence, spec.parallel.cp
    if length is not None and ways > length:
        raise PlanError(f"parallel.cp: {ways} ranks for {length} tokens", fix=f"at most {length}")
    if (
        spec.architecture.family == "gpt2"
        and length is not None
        and length > (spec.architecture.positions or length)
    ):
        raise PlanError(
            f"sequence: {length} tokens, but the model has learned {spec.architecture.positions} positions",
            fix=f"at most {spec.architecture.positions}",
        )


def _phase(spec: Spec) -> None:
    if spec.phase == "training":
        if spec.framework in SERVING:
            raise PlanError(
                f"framework: {spec.framework} does not train", fix="use pytorch, hf, deepspeed or megatron"
            )
        if spec.lora is None and spec.weights is not None and spec.weights not in TRAINABLE:
            raise PlanError(
                f"weights: {spec.weights} cannot be trained in",
                fix=f"use {', '.join(TRAINABLE)}, or train adapters (lora)",
            )
        if spec.lora is not None and spec.trainable_fraction != 1:
            raise PlanError(
                "trainable_fraction: with lora the adapters alone are trained", fix="leave one of them out"
            )
    elif spec.lora is not None:
        raise PlanError(
            "lora: adapters are planned for training", fix='set "phase": "training", or leave lora out'
        )


def _cache(spec: Spec) -> None:
    kinds = {layer.attention.kind for layer in spec.architecture.layers}
    name = spec.architecture.name
    if spec.mla_cache != "latent" and "mla" not in kinds:
        raise PlanError(f"mla_cache: {name} has no latent attention", fix="leave mla_cache out")
    if spec.kv_cache in {"fp8_ds_mla", "nvfp4_ds_mla"} and "mla" not in kinds:
        raise PlanError(
            f"kv_cache: {spec.kv_cache} is a format of latent attention, which {name} has not", fix="use fp8"
        )
    if spec.mla_cache != "latent" and spec.kv_cache in {"fp8_ds_mla", "nvfp4_ds_mla"}:
        raise PlanError(
            f"kv_cache: {spec.kv_cache} stores latents, which mla_cache {spec.mla_cache} has not",
            fix="use fp8",
        )
    if spec.speculative == "mtp" and not spec.architecture.next_token:
        raise PlanError(f"speculative: {name} has no next-token layers", fix='use "none"')


def _divisors(number: int, most: int = 12) -> str:
    """Give the small divisors of a count of heads or experts, for a sentence."""
    return ", ".join([str(ways) for ways in range(1, number + 1) if number % ways == 0][:most])
