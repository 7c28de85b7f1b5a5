"""A Hugging Face config.json as an `Architecture`."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Any

from dstop.errors import PlanError
from dstop.footprint.architecture.families import READERS, reader_of_plugins
from dstop.footprint.architecture.fields import Fields
from dstop.footprint.architecture.modality import text_part
from dstop.footprint.architecture.quantization import read_quantization
from dstop.footprint.spec.fields import shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dstop.footprint.architecture.values import Architecture

DTYPES = {"bfloat16": "bf16", "float16": "fp16", "float32": "fp32", "auto": "bf16"}


def read_config(config: Mapping[str, Any], name: str | None = None) -> Architecture:
    """Read the dictionary of a config.json.

    Args:
        config: as published: `model_type` says which family reads it.
        name: what the user or the catalog calls the model; else its `architectures` entry.

    Raises:
        PlanError: the architecture is not known, or a field is missing, of another kind or absurd; it names the field.
    """
    text = text_part(config)
    fields = Fields(text)
    family = fields.word("model_type")
    if not family:
        raise PlanError("model: the config has no model_type", fix="use a config.json as it was published")
    reader = READERS.get(family)
    foreign = reader_of_plugins(family) if reader is None else None
    if reader is None and foreign is None:
        raise PlanError(
            f"model: no reader for model_type {shown(family)}",
            fix=f"dstop knows {', '.join(sorted(READERS))}",
        )
    read = foreign or import_module(f"dstop.footprint.architecture.families.{reader}").read
    model: Architecture = read(fields, family)
    model = replace(
        model, name=name or _class_name(config) or family, family=family, dtype=_dtype(fields, config)
    )
    said = text.get("quantization_config", config.get("quantization_config"))
    return (
        model
        if said is None
        else replace(model, quantization=read_quantization(said, model, fields.word("expert_dtype")))
    )


def _class_name(config: Mapping[str, Any]) -> str:
    names = config.get("architectures")
    if isinstance(names, list | tuple) and names and isinstance(names[0], str):
        return "".join(char for char in names[0][:80] if char.isprintable())
    return ""


def _dtype(fields: Fields, config: Mapping[str, Any]) -> str:
    """Give the dtype of the files; bf16 where it is not said, as every engine of today takes it."""
    said = fields.word("torch_dtype", "dtype") or Fields(config).word("torch_dtype", "dtype")
    said = said.removeprefix("torch.")
    if said and said not in DTYPES:
        raise PlanError(f"torch_dtype: {shown(said)} is not known", fix=f"one of {', '.join(DTYPES)}")
    return DTYPES.get(said, "bf16")
