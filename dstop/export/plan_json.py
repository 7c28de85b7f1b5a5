"""A plan as JSON: the contract of `dstop plan --json`, plain numbers with their unit in the key."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from dstop.export.values import clean, finite
from dstop.model.footprint import PARTS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dstop.footprint.catalog.models import ModelEntry
    from dstop.footprint.catalog.tier_values import TierReport
    from dstop.footprint.catalog.values import Gpu, Price, Tier
    from dstop.footprint.cost import Cost
    from dstop.footprint.plan import Plan
    from dstop.footprint.search.cheapest import Found
    from dstop.footprint.spec.values import Spec
    from dstop.model.footprint import Assumption, Fit, Footprint, RankFootprint

SCHEMA = 1
_NO_PRICE = "no dated price of it is known; --price GPU=USD sets one"


def plan_line(plan: Plan) -> bytes:
    """Write a plan as one line; what nobody asked for is left out."""
    told = plan_object(plan.spec, plan.footprint, plan.fits)
    if plan.searched is not None:
        told["search"] = {
            "found": [found_object(found) for found in plan.searched.found],
            "searched": plan.searched.says,
            "configurations": plan.searched.tried,
        }
    if plan.costs is not None:
        told["cost"] = [cost_object(each) for each in plan.costs]
    if plan.tier is not None:
        told["tier"] = tier_object(plan.tier)
    return line(told)


def line(told: Mapping[str, Any]) -> bytes:
    """Write an object as one line of JSON."""
    return (json.dumps(told, ensure_ascii=False, allow_nan=False) + "\n").encode()


def plan_object(spec: Spec, footprint: Footprint, fits: Sequence[Fit]) -> dict[str, Any]:
    """Give the fields of the contract."""
    unavailable = {}
    if footprint.checkpoint_bytes is None:
        unavailable["checkpoint_bytes"] = "the size of the files in this format is not known"
    return {
        "schema": SCHEMA,
        "model": clean(footprint.model),
        "parameters": {"total": footprint.total_parameters, "active": footprint.active_parameters},
        "phase": footprint.phase,
        "gpus": footprint.gpus,
        "spec": spec_object(spec),
        "per_gpu": rank_object(footprint.per_gpu),
        "ranks": [rank_object(rank) for rank in footprint.ranks],
        "kv_bytes_per_token": finite(footprint.kv_bytes_per_token),
        "checkpoint_bytes": footprint.checkpoint_bytes,
        "fits": [fit_object(fit) for fit in fits],
        "assumptions": [assumption_text(each) for each in footprint.assumptions],
        "unavailable": unavailable,
    }


def rank_object(rank: RankFootprint) -> dict[str, Any]:
    """Give one GPU of a stage: every part, the total and its band."""
    parts = {f"{part}_bytes": amount for part, amount in rank.parts.by_part().items()}
    return {
        **parts,
        "total_bytes": rank.parts.total_bytes,
        "low_bytes": rank.low_bytes,
        "high_bytes": rank.high_bytes,
        "stage": rank.stage,
        "gpus": rank.gpus,
        "layers": rank.layers,
        "parameters": rank.parameters,
        "peak_at": rank.peak_at,
    }


def fit_object(fit: Fit) -> dict[str, Any]:
    """Give one card."""
    return {
        "gpu": fit.gpu,
        "count": fit.count,
        "fits": fit.fits,
        "verdict": fit.verdict,
        "usable_bytes": fit.usable_bytes,
        "headroom_bytes": fit.headroom_bytes,
        "max_batch": fit.max_batch,
        "max_tokens": fit.max_tokens,
        "price_per_hour": fit.price_per_hour,
        "unavailable": {} if fit.price_per_hour is not None else {"price_per_hour": _NO_PRICE},
    }


def assumption_text(assumption: Assumption) -> str:
    """Write an assumption as one text: what it is about, what is taken, and whence."""
    return clean(f"{assumption.subject}: {assumption.says} ({assumption.source})")


def spec_object(spec: Spec) -> dict[str, Any]:
    """Give what was computed with, as a SPEC says it; the model is apart."""
    told: dict[str, Any] = {}
    for field in fields(spec):
        if field.name not in {"architecture", "gpu_bytes"}:
            told[field.name] = _plain(getattr(spec, field.name))
    return told


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    if hasattr(value, "__dataclass_fields__"):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    return value


def found_object(found: Found) -> dict[str, Any]:
    """Give one layout of a search."""
    return {
        "gpu": found.gpu,
        "count": found.count,
        "parallel": _plain(found.spec.parallel),
        "checkpointing": _plain(found.spec.checkpointing),
        "weights": found.spec.weights,
        "verdict": found.fit.verdict,
        "total_bytes": found.total_bytes,
        "headroom_bytes": found.fit.headroom_bytes,
        "price_per_hour": found.fit.price_per_hour,
        "price": price_object(found.price),
        "changes": list(found.changes),
        "unavailable": {} if found.fit.price_per_hour is not None else {"price_per_hour": _NO_PRICE},
    }


def price_object(price: Price | None) -> dict[str, Any] | None:
    """Give a price with who says so since when."""
    if price is None:
        return None
    return {field.name: getattr(price, field.name) for field in fields(price)}


def cost_object(cost: Cost) -> dict[str, Any]:
    """Give what a run costs on one card: arithmetic under assumptions that are named."""
    return {
        field.name: _plain(getattr(cost, field.name))
        if field.name != "assumptions"
        else list(cost.assumptions)
        for field in fields(cost)
    }


def tier_object(report: TierReport) -> dict[str, Any]:
    """Give a tier of the sizing guide: its claims as such, and what arithmetic makes of them."""
    tier = report.tier
    return {
        "name": tier.name,
        "low_parameters": tier.low_parameters,
        "high_parameters": tier.high_parameters,
        "guide": {
            "training_low_bytes": tier.training_low_bytes,
            "training_high_bytes": tier.training_high_bytes,
            "training_batch": tier.training_batch,
            "inference_low_bytes": tier.inference_low_bytes,
            "inference_high_bytes": tier.inference_high_bytes,
            "sample": tier.sample,
            "sample_bytes": tier.sample_bytes,
            "sample_gpus": tier.sample_gpus,
            "claims": list(tier.claims),
        },
        "arithmetic": [
            {
                "parameters": end.parameters,
                "training_bytes": end.training.per_gpu.parts.total_bytes,
                "inference_bytes": end.inference.per_gpu.parts.total_bytes,
                "implied_bytes_per_parameter": end.implied_bytes_per_parameter,
                "states_bytes_per_parameter": end.states_bytes_per_parameter,
            }
            for end in report.ends
        ],
        "contradictions": list(report.contradictions),
        "remarks": list(report.remarks),
    }


def comparison_line(first: Footprint, second: Footprint) -> bytes:
    """Write two footprints and their difference, part by part: second minus first."""
    before, after = rank_object(first.per_gpu), rank_object(second.per_gpu)
    names = [*(f"{part}_bytes" for part in PARTS), "total_bytes", "low_bytes", "high_bytes"]
    return line(
        {
            "schema": SCHEMA,
            "compared": [
                {
                    "model": clean(each.model),
                    "phase": each.phase,
                    "gpus": each.gpus,
                    "parameters": {"total": each.total_parameters, "active": each.active_parameters},
                    "per_gpu": rank,
                    "kv_bytes_per_token": finite(each.kv_bytes_per_token),
                    "checkpoint_bytes": each.checkpoint_bytes,
                }
                for each, rank in ((first, before), (second, after))
            ],
            "difference": {name: after[name] - before[name] for name in names},
        }
    )


def catalog_line(models: Sequence[ModelEntry], tiers: Sequence[Tier], cards: Sequence[Gpu]) -> bytes:
    """Write what is known by name."""
    return line(
        {
            "schema": SCHEMA,
            "models": [
                {
                    "name": each.name,
                    "aliases": list(each.aliases),
                    "parameters": {"total": each.total_parameters, "active": each.active_parameters},
                    "context": each.context,
                    "source": each.source,
                    "unavailable": {"parameters": each.refused} if each.refused else {},
                }
                for each in models
            ],
            "tiers": [
                {
                    "name": each.name,
                    "aliases": list(each.aliases),
                    "low_parameters": each.low_parameters,
                    "high_parameters": each.high_parameters,
                }
                for each in tiers
            ],
            "gpus": [
                {
                    "gpu": each.short,
                    "name": each.name,
                    "memory_total_bytes": each.memory_bytes,
                    "usable_bytes": each.usable_bytes,
                    "bandwidth_gb_s": each.bandwidth_gb_s,
                    "bf16_tflops": each.bf16_tflops,
                }
                for each in cards
            ],
        }
    )
