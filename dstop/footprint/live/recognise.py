"""From what a process shows of itself to what it should hold, rung by rung; or the reason why that is not known."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

from dstop.errors import PlanError
from dstop.footprint.estimate import estimate
from dstop.footprint.live.clues import Clues, as_spec, settled
from dstop.footprint.live.command import command_clues, deepspeed_file
from dstop.footprint.live.files import local_config, read_object
from dstop.footprint.live.hook import hook_clues
from dstop.footprint.live.hypotheses import hypotheses_of
from dstop.footprint.live.known import Known
from dstop.footprint.live.place import layout_of, stage_of
from dstop.footprint.live.training import deepspeed_fields
from dstop.footprint.spec.parse import parse_spec
from dstop.footprint.spec.settle import settle

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from dstop.footprint.architecture.values import Architecture
    from dstop.footprint.live.known import Hypothesis, Witness
    from dstop.footprint.spec.values import Spec
    from dstop.model.footprint import Footprint, RankFootprint

UNKNOWN = "what model this is, is not known"
_STEP = ("activations", "logits")
_SERVED = ("kv_cache", "activations", "logits")
_ENGINES = frozenset({"vllm", "sglang"})
_LONGEST_REASON = 200
_LEAST_CARD_BYTES = 1 << 30
"""A driver that says less of a card's memory does not know it: an engine's share of nothing is no budget."""


def recognise(witness: Witness, of_user: Sequence[Clues] = ()) -> Known | str:
    """Say what a process is and should hold, or why nobody can say.

    Args:
        witness: what can be asked of it.
        of_user: what the user has said of it, the lowest rung.
    """
    facts = witness.facts
    cmdlines = (facts.cmdline, *witness.cmdlines)
    hook = hook_clues(witness.inside, facts.world_size)
    typed = command_clues(cmdlines, witness.environ, framework=facts.framework, model=facts.model)
    rungs = [hook, typed, *_deepspeed(witness, cmdlines), *of_user]
    if typed.why_not and not hook.config and not any(each.model or each.config for each in of_user):
        return typed.why_not
    found = _model(rungs, witness)
    if isinstance(found, str):
        return next((_of_tier(each.tier, rungs) for each in of_user if each.tier is not None), found)
    architecture, name, origin = found
    try:
        return _known(architecture, name, origin, rungs, witness)
    except PlanError as error:
        return f"{name}: {error}"[:_LONGEST_REASON]


def _deepspeed(witness: Witness, cmdlines: Sequence[Sequence[str]]) -> list[Clues]:
    """Give what the DeepSpeed configuration of a training says, where it has one that can be read."""
    path = deepspeed_file(cmdlines, witness.environ)
    if path is None or witness.read is None:
        return []
    said = read_object(path, witness.environ, witness.read)
    return [] if said is None else [Clues(rung="command line", fields=deepspeed_fields(said))]


def _model(rungs: Iterable[Clues], witness: Witness) -> tuple[Architecture, str, str] | str:
    """Give the architecture by the highest rung that has one that is known, its name, and where it is from."""
    from dstop.footprint.architecture.config import read_config  # noqa: PLC0415 - only with a model to read

    tried: list[str] = []
    for rung in rungs:
        read = False
        for config, origin in _configs(rung, witness, tried):
            read = True
            try:
                name = _name(rung.model or witness.facts.model, config)
                return read_config(config, name), name, origin
            except PlanError as error:
                tried.append(str(error))
        if rung.model is not None and not read:
            try:
                return _catalogued(rung.model)
            except PlanError as error:
                tried.append(str(error))
    if not tried:
        why = "its command line names none, and dstop is not attached to it"
        if witness.attached:
            why = "its command line names none, and its hook has not counted its modules yet"
        if witness.inside is not None:
            why = "no module in it carries a Hugging Face configuration, and its command line names none"
        return f"{UNKNOWN}: {why}"
    return f"{UNKNOWN}: {tried[0]}"[:_LONGEST_REASON]


def _catalogued(model: str) -> tuple[Architecture, str, str]:
    """Find a model by its name; a folder by its last part, which is how people call their copies.

    Raises:
        PlanError: the catalog has none of that name.
    """
    from dstop.footprint.catalog.models import find_model  # noqa: PLC0415 - reads the catalog

    last = model.rstrip("/").rpartition("/")[2]
    is_folder = model.startswith(("/", ".", "~"))
    return (
        find_model(last if is_folder else model),
        last,
        "catalog, by the folder's name" if is_folder else "catalog",
    )


def _configs(rung: Clues, witness: Witness, tried: list[str]) -> Iterable[tuple[Mapping[str, object], str]]:
    """Give the configurations that a rung has or names, each with where it is from."""
    if rung.config is not None:
        yield rung.config, rung.rung
    if rung.model is not None and witness.read is not None:
        config, why = local_config(rung.model, witness.environ, witness.read)
        if config is not None:
            yield config, "config.json"
        elif rung.model.startswith(("/", ".", "~")):
            tried.append(f"{rung.model}: {why}")


def _name(model: str | None, config: Mapping[str, object]) -> str:
    if model is not None:
        return model.rstrip("/").rpartition("/")[2]
    classes = config.get("architectures")
    first = classes[0] if isinstance(classes, list) and classes else config.get("model_type")
    return str(first)[:80]


def _known(
    architecture: Architecture, name: str, origin: str, rungs: Sequence[Clues], witness: Witness
) -> Known:
    """Put the fields together and compute.

    Raises:
        PlanError: what the rungs say cannot be, or is not enough.
    """
    fields, sources = settled(rungs)
    if "phase" not in fields:
        raise PlanError(
            "whether it trains or serves is not known", fix="attach to it, or say it in [[footprint]]"
        )
    _one_word_on_adapters(fields)
    layout_of(fields, sources, witness, architecture)
    sources["model"] = origin
    spec = parse_spec({"model": name, **as_spec(fields)}, architecture=architecture)
    if (witness.gpu_bytes or 0) >= _LEAST_CARD_BYTES and spec.gpu_bytes is None:
        spec = replace(spec, gpu_bytes=witness.gpu_bytes)
        sources["gpu"] = "driver"
    spec, taken = settle(spec)
    for assumption in taken:
        sources.setdefault(assumption.subject, "default")
    unknown = _unknown(spec, sources)
    stage = stage_of(fields, spec, witness.facts)
    footprint, rank, supposed = _computed(spec, stage, tuple(unknown))
    parts = rank.parts.by_part()
    missing = sum(parts[part] for part in unknown)
    reported = _reported(rungs, spec, parts)
    told = sum(
        amount - parts[part] for part, amount in reported.items() if part in parts and part not in unknown
    )
    return Known(
        model=name,
        tier=_tier(footprint.total_parameters),
        sources=sources,
        footprint=footprint,
        rank=rank,
        unknown=unknown,
        low_bytes=max(0, rank.low_bytes - missing + told),
        expected_bytes=rank.parts.total_bytes - missing + told,
        high_bytes=None if unknown else rank.high_bytes + told,
        hypotheses=supposed,
        reported=reported,
    )


def _one_word_on_adapters(fields: dict[str, object]) -> None:
    """Keep what says more of adapters: their modules, or the share of parameters that the hook has counted.

    A command line that names no modules leaves them to a library's own choice, which differs from model to model.
    """
    lora = fields.get("lora")
    if isinstance(lora, dict):
        fields.pop(
            "lora" if "targets" not in lora and "trainable_fraction" in fields else "trainable_fraction", None
        )


@lru_cache(maxsize=256)
def _computed(
    spec: Spec, stage: int | None, unknown: tuple[str, ...]
) -> tuple[Footprint, RankFootprint, tuple[Hypothesis, ...]]:
    """Compute once for all ranks that are alike: eight of a node have one SPEC."""
    footprint = estimate(spec)
    index = footprint.chosen if stage is None else min(stage, len(footprint.ranks) - 1)
    rank = footprint.ranks[index]
    return footprint, rank, hypotheses_of(spec, index, rank, dict.fromkeys(unknown, ""))


def _unknown(spec: Spec, sources: Mapping[str, str]) -> dict[str, str]:
    """Give the parts that hang on what nobody has said; an engine decides for itself, and that is known."""
    said = [name for name in ("batch", "sequence") if sources.get(name, "default") == "default"]
    if spec.framework in _ENGINES or not said:
        return {}
    why = f"{' and '.join(said)} {'is' if len(said) == 1 else 'are'} not known"
    return dict.fromkeys(_STEP if spec.phase == "training" else _SERVED, why)


def _reported(rungs: Iterable[Clues], spec: Spec, parts: Mapping[str, int]) -> dict[str, int]:
    """Give what its log tells; an engine that takes a share of the card fills with cache what weights leave."""
    found: dict[str, int] = {}
    for rung in rungs:
        found = {**rung.reported, **found}
    if "weights" in found and "kv_cache" not in found and spec.framework in _ENGINES:
        found["kv_cache"] = max(0, parts["kv_cache"] + parts["weights"] - found["weights"])
    return found


def _of_tier(name: str, rungs: Sequence[Clues]) -> Known | str:
    """Give the range of the sizing guide: what its author claims, and no arithmetic."""
    from dstop.footprint.catalog.tiers import find_tier  # noqa: PLC0415 - only where somebody names one

    try:
        tier = find_tier(name)
    except PlanError as error:
        return str(error)[:_LONGEST_REASON]
    fields, _ = settled(rungs)
    serves = fields.get("phase") == "inference"
    low = tier.inference_low_bytes if serves else tier.training_low_bytes
    high = tier.inference_high_bytes if serves else tier.training_high_bytes
    if low is None:
        return f"{tier.name}: the guide has no range a GPU for its inference"
    sources = {"tier": "user", "range": "the sizing guide, not arithmetic"}
    return Known(
        model=tier.name, tier=tier.name, sources=sources, low_bytes=low, expected_bytes=None, high_bytes=high
    )


def _tier(parameters: int) -> str | None:
    from dstop.footprint.catalog.tiers import tier_of  # noqa: PLC0415 - only with a model

    tier = tier_of(parameters)
    return None if tier is None else tier.name
