"""SPEC.json, read and checked: what comes in is hostile, what goes out can be computed with."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any, cast

from dstop.errors import PlanError
from dstop.footprint.architecture.config import read_config
from dstop.footprint.spec import choices
from dstop.footprint.spec.fields import count, refuse_unknown, share, shown, switch, table, word, words
from dstop.footprint.spec.layout import check_layout
from dstop.footprint.spec.values import Lora, Parallel, Spec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dstop.footprint.architecture.values import Architecture
    from dstop.footprint.spec.values import Checkpointing

MOST_RANKS = 1_000_000
MOST_BATCH = 10_000_000
MOST_TOKENS = 1_000_000_000
MOST_LORA_RANK = 65_536
NAMES = ("model", *(field.name for field in fields(Spec) if field.name not in {"architecture", "gpu_bytes"}))
"""The fields of a SPEC, in the order of the contract."""


def parse_spec(data: object, *, architecture: Architecture | None = None) -> Spec:
    """Read a SPEC as JSON gives it.

    Args:
        data: the object. `model` is a name of the catalog or the dictionary of a config.json.
        architecture: used instead of `model`, where the caller has read it.

    Raises:
        PlanError: a field is unknown, of another kind, out of bounds or contradicts another; it is named.
    """
    if not isinstance(data, dict):
        raise PlanError(
            f"a spec is an object of fields, not {shown(data)}", fix='such as {"model": "deepseek-v3"}'
        )
    refuse_unknown(data, NAMES)
    spec = Spec(
        architecture=architecture or _architecture(data.get("model")),
        phase=cast("Any", word(data, "phase", choices.PHASES) or "inference"),
        weights=_weights(data),
        kv_cache=_kv_cache(data),
        batch=count(data, "batch", MOST_BATCH) or 1,
        sequence=count(data, "sequence", MOST_TOKENS),
        parallel=_parallel(table(data, "parallel") or {}),
        optimizer=word(data, "optimizer") or "adamw",
        optimizer_state=word(data, "optimizer_state", choices.ELEMENTS),
        optimizer_in_backward=switch(data, "optimizer_in_backward") or False,
        master_weights=switch(data, "master_weights"),
        gradients=word(data, "gradients", choices.ELEMENTS),
        autocast=word(data, "autocast", choices.ELEMENTS),
        checkpointing=_checkpointing(data),
        attention=word(data, "attention", choices.ATTENTION),
        lora=_lora(table(data, "lora")),
        trainable_fraction=share(data, "trainable_fraction") or 1.0,
        framework=word(data, "framework", choices.FRAMEWORKS),
        gpu_memory_utilization=share(data, "gpu_memory_utilization"),
        max_num_seqs=count(data, "max_num_seqs", MOST_BATCH),
        max_model_len=count(data, "max_model_len", MOST_TOKENS),
        max_num_batched_tokens=count(data, "max_num_batched_tokens", MOST_TOKENS),
        mla_cache=cast("Any", word(data, "mla_cache", choices.MLA_CACHE) or "latent"),
        speculative=cast("Any", word(data, "speculative", choices.SPECULATIVE) or "none"),
        loss=cast("Any", word(data, "loss", choices.LOSSES) or "full"),
        compile=switch(data, "compile") or False,
        **_gpu(data),
    )
    check_layout(spec)
    return spec


def _architecture(model: object) -> Architecture:
    if isinstance(model, dict):
        return read_config(model)
    if isinstance(model, str) and model.strip():
        from dstop.footprint.catalog.models import find_model  # noqa: PLC0415 - the catalog only for names

        return find_model(model)
    says = "is missing" if model is None else f"is {shown(model)}"
    raise PlanError(
        f"the field model {says}", fix="name a model, or put the dictionary of its config.json there"
    )


def _weights(data: Mapping[str, Any]) -> str | None:
    value = data.get("weights")
    if isinstance(value, str) and choices.is_average(value.strip().lower()):
        return value.strip().lower()
    return word(data, "weights", choices.WEIGHTS)


def _kv_cache(data: Mapping[str, Any]) -> str | None:
    found = word(data, "kv_cache", (*choices.KV_CACHE, "auto"))
    return None if found == "auto" else found  # the engines' word for "not said"


def _parallel(data: Mapping[str, Any]) -> Parallel:
    refuse_unknown(data, (field.name for field in fields(Parallel)), "parallel.")

    def ranks(name: str) -> int:
        return count(data, name, MOST_RANKS, prefix="parallel.") or 1

    stage = data.get("stage")
    if isinstance(stage, str):
        stage = word(data, "stage", choices.STAGES, prefix="parallel.")
    elif stage is not None:
        stage = count(data, "stage", MOST_RANKS, prefix="parallel.", least=0)
    return Parallel(
        tp=ranks("tp"),
        pp=ranks("pp"),
        dp=ranks("dp"),
        ep=ranks("ep"),
        cp=ranks("cp"),
        etp=count(data, "etp", MOST_RANKS, prefix="parallel."),
        vpp=ranks("vpp"),
        zero=count(data, "zero", 3, prefix="parallel.", least=0) or 0,
        sequence_parallel=switch(data, "sequence_parallel", prefix="parallel.") or False,
        stage="max" if stage is None else cast("Any", stage),
    )


def _checkpointing(data: Mapping[str, Any]) -> Checkpointing | tuple[str, ...]:
    value = data.get("checkpointing")
    if isinstance(value, list):
        return words(value, "checkpointing")
    if isinstance(value, bool):
        return "full" if value else "none"
    return cast("Checkpointing", word(data, "checkpointing", choices.CHECKPOINTING) or "none")


def _lora(data: Mapping[str, Any] | None) -> Lora | None:
    if data is None:
        return None
    refuse_unknown(data, (field.name for field in fields(Lora)), "lora.")
    rank = count(data, "rank", MOST_LORA_RANK, prefix="lora.")
    if rank is None:
        raise PlanError("lora.rank is missing", fix='such as {"lora": {"rank": 16}}')
    alpha = count(data, "alpha", MOST_LORA_RANK, prefix="lora.") or 2 * rank
    targets = data.get("targets")
    base = word(data, "base", choices.WEIGHTS, prefix="lora.") or "bf16"
    if targets is None:
        return Lora(rank=rank, alpha=alpha, base=base)
    if targets == "all-linear":
        return Lora(rank=rank, alpha=alpha, base=base, targets=("all-linear",))
    return Lora(rank=rank, alpha=alpha, base=base, targets=words(targets, "lora.targets"))


def _gpu(data: Mapping[str, Any]) -> dict[str, Any]:
    name = data.get("gpu")
    if name is None:
        return {}
    if not isinstance(name, str) or not name.strip():
        raise PlanError(f"gpu: {shown(name)} is no name", fix="such as H100-80 or RTX 4090")
    from dstop.footprint.catalog.hardware import find_gpu  # noqa: PLC0415 - the catalog only for names

    gpu = find_gpu(name)
    return {"gpu": gpu.short, "gpu_bytes": gpu.memory_bytes}
