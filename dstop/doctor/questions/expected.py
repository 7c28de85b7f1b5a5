"""What the failed job was, in the terms of a plan: its model and layout, where the log or the black box names them."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from dstop.errors import PlanError
from dstop.model.value import Value

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from dstop.doctor.case import Case
    from dstop.footprint.architecture.values import Architecture
    from dstop.footprint.spec.values import Spec

_LAUNCH = re.compile(
    r"(?:^|[\s$>'\"])((?:[\w./-]{0,100}python[\d.]{0,4}|torchrun|deepspeed|accelerate|vllm|sglang)\s)"
)
_NAMED = re.compile(
    r"(?i)(?:model_name_or_path|pretrained_model_name_or_path|model[_-]path|model[_-]id|model[_-]name|base_model|--model"
    r"|(?<![\w.])model(?==[\"']))[\"']?(?:\s{0,3}[=:]\s{0,3}|\s)[\"']?([\w./-]{3,160})"
)
_TRAINED = re.compile(r"trainable params: ([\d,]{1,20}) \|\| all params: ([\d,]{1,20})")
_SERVERS = frozenset(("vllm", "sglang"))
_WORKS = frozenset(("forward", "backward", "training", "optimizer", "save"))
_MOST_TRIES, _MOST_CONFIG, _MOST_LINE = 16, 64 * 1024, 8192
_NEAR = 0.1
"""How far the parameters of named dimensions may be from a named count: else it is another architecture."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Expected(Value):
    """What a plan would be asked for this job."""

    architecture: Architecture
    spec: Spec | None
    """None where the log does not say enough of what was done with the model."""
    knows_step: bool = False
    """Whether batch and sequence are the log's own and no defaults: only then do activations mean anything."""


def expected_of(case: Case) -> Expected | None:
    """Give the model and the layout that a case names; None where it names no model that is known.

    Nothing is guessed: a size alone (`7b`) is no model, and dimensions without the width of the MLP are none.
    """
    names_one = '"model_type"' in case.text or _NAMED.search(case.text) or " serve " in case.text
    if not names_one and _dimensions(case) is None:
        return None
    typed = _typed(case)
    architecture = _architecture(case, typed.pop("model", None))
    if architecture is None:
        return None
    fields = {**_logged(case), **typed}
    knows = fields.get("batch") is not None and fields.get("sequence") is not None
    return Expected(architecture=architecture, spec=_spec(fields, architecture), knows_step=knows)


def _spec(fields: Mapping[str, object], architecture: Architecture) -> Spec | None:
    from dstop.footprint.live.clues import as_spec  # noqa: PLC0415 - only for a case whose model is known
    from dstop.footprint.spec.parse import parse_spec  # noqa: PLC0415

    if fields.get("phase") is None:
        return None
    said = {name: value for name, value in fields.items() if value is not None}
    try:
        return parse_spec(as_spec({"model": architecture.name, **said}), architecture=architecture)
    except PlanError:
        return None


# The model ---------------------------------------------------------------------------------------------------------


def _architecture(case: Case, typed: object) -> Architecture | None:
    """Give the model by its printed configuration, else by a name of the catalog, else by all its dimensions."""
    from dstop.footprint.architecture.config import read_config  # noqa: PLC0415 - only for a case that names a model

    for config in _printed_configs(case.text):
        try:
            return read_config(config)
        except PlanError:
            continue
    from dstop.footprint.catalog.models import find_model  # noqa: PLC0415 - the catalog only for names

    for name in _names(case, typed):
        try:
            return find_model(name)
        except PlanError:
            continue
    dimensions = _dimensions(case)
    if dimensions is None:
        return None
    try:
        found = read_config(dimensions)
    except PlanError:
        return None
    told = case.number("parameters")
    return found if told is not None and abs(found.total_parameters - told) <= _NEAR * told else None


def _printed_configs(text: str) -> Iterator[dict[str, Any]]:
    """Give every configuration that transformers has printed (`Model config LlamaConfig {...}`)."""
    decoder = json.JSONDecoder()
    for place in list(re.finditer(r'"model_type"\s{0,2}:', text))[:_MOST_TRIES]:
        start = place.start()
        for _ in range(_MOST_TRIES):
            start = text.rfind("{", max(0, place.start() - _MOST_CONFIG), start)
            if start < 0:
                break
            try:
                config, _end = decoder.raw_decode(text[start : start + _MOST_CONFIG])
            except (ValueError, RecursionError):
                continue
            if isinstance(config, dict) and "model_type" in config:
                yield config
                break


def _names(case: Case, typed: object) -> list[str]:
    """Give the names that stand behind options for one, each with the last part of its path."""
    said = [found[1].rstrip("/.,") for found in _NAMED.finditer(case.text)]
    names = ([typed] if isinstance(typed, str) else []) + said
    return list(dict.fromkeys(part for name in names for part in (name, name.rpartition("/")[2])))[
        :_MOST_TRIES
    ]


def _dimensions(case: Case) -> dict[str, Any] | None:
    named = {
        "hidden_size": case.number("hidden"),
        "num_hidden_layers": case.number("layers"),
        "num_attention_heads": case.number("heads"),
        "intermediate_size": case.number("intermediate"),
        "vocab_size": case.number("vocabulary"),
    }
    if any(value is None for value in named.values()):
        return None
    kv_heads = case.number("kv_heads") or named["num_attention_heads"]
    return {"model_type": "llama", **named, "num_key_value_heads": kv_heads}


# What was done with it ---------------------------------------------------------------------------------------------


def _typed(case: Case) -> dict[str, object]:
    """Give what the command line says, where the log or the black box has it."""
    from dstop.footprint.live.command import command_clues  # noqa: PLC0415 - only for a case that names a model

    for line in islice(_launches(case.text), _MOST_TRIES):
        try:
            words = tuple(shlex.split(line))
        except ValueError:
            words = tuple(line.split())
        clues = command_clues((words,), case.environment, framework=case.framework, model=None)
        if clues.model is not None and not clues.why_not:
            return {"model": clues.model, **clues.fields}
    return {}


def _launches(text: str) -> Iterator[str]:
    """Give what looks like a command line, from its program on; lines that a backslash continues are one."""
    for line in text.replace("\\\n", " ").splitlines():
        if "--" in line or " serve " in line:
            found = _LAUNCH.search(line[:_MOST_LINE])
            if found is not None:
                yield line[found.start(1) : _MOST_LINE]


def _logged(case: Case) -> dict[str, object]:
    """Give what the log says by the names of its settings."""
    fields: dict[str, object] = {
        "phase": _phase(case),
        "batch": case.number("batch"),
        "sequence": case.number("sequence"),
        **_layout(case),
    }
    if fields["phase"] != "training":
        return fields
    fields["checkpointing"] = "full" if case.flag("gradient_checkpointing") else None
    if case.flag("deepspeed"):
        fields |= {"framework": "deepspeed", "weights": "bf16", "master_weights": True}
    elif case.flag("bf16") or case.flag("fp16"):
        fields |= {"weights": "fp32", "autocast": "bf16" if case.flag("bf16") else "fp16"}
    trained = _TRAINED.search(case.text)
    if trained is not None:
        part, whole = (int(digits.replace(",", "")) for digits in trained.groups())
        fields |= {"trainable_fraction": min(1.0, part / whole) if part and whole else None}
    elif case.flag("lora"):
        fields["phase"] = None  # how much is trained, nobody says
    return fields


def _phase(case: Case) -> str | None:
    if case.phase in {"inference", "eval"} or case.framework in _SERVERS:
        return "inference"
    return "training" if case.phase in _WORKS else None


def _layout(case: Case) -> dict[str, object]:
    """Give the layout: ranks that are left when tensor parallelism has its share hold replicas or shards of them."""
    world, ways = case.number("world_size") or 1, case.number("tensor_parallel") or 1
    stage = case.number("zero_stage")
    return {
        "parallel.tp": ways,
        "parallel.dp": world // ways if world % ways == 0 else None,
        "parallel.zero": stage if stage is not None else 3 if case.flag("fsdp") else None,
    }
