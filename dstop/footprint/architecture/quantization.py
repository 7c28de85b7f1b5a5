"""What `quantization_config` says of the files: method, bits, groups, and what is left alone.

Sources: transformers, utils/quantization_config.py; compressed-tensors, quantization/quant_args.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dstop.errors import PlanError
from dstop.footprint.architecture.skipped import skipped_modules
from dstop.footprint.architecture.values import Quantization
from dstop.footprint.spec.fields import count, shown, switch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dstop.footprint.architecture.values import Architecture

MOST_GROUP = 1_000_000
MOST_BITS = 16


def read_quantization(said: object, model: Architecture, expert_dtype: str = "") -> Quantization:
    """Read `quantization_config`.

    Args:
        said: the object.
        model: whose tensors it is about.
        expert_dtype: the config's field of that name (DeepSeek-V4: `fp4`, or `fp8` like the rest).

    Raises:
        PlanError: the method is not known, or a field is of another kind.
    """
    if not isinstance(said, dict):
        raise PlanError(f"quantization_config: {shown(said)} is no object of fields", fix="as published")
    method = said.get("quant_method")
    if method == "fp8":
        return _fp8(said, model, expert_dtype)
    if method in {"gptq", "awq"}:
        return _packed(said, method)
    if method == "bitsandbytes":
        return _bitsandbytes(said, model)
    if method == "mxfp4":
        return Quantization(method="mxfp4", bits=4, group=32, experts_only=True)
    if method in {"compressed-tensors", "compressed_tensors"}:
        return _compressed(said, model)
    raise PlanError(
        f"quantization_config.quant_method: {shown(method)} is not known",
        fix="leave quantization_config out and say weights, such as int4 or 4.5bpw",
    )


def _fp8(said: Mapping[str, Any], model: Architecture, expert_dtype: str) -> Quantization:
    """DeepSeek-V4 keeps its experts in mxfp4 beside fp8 (`expert_dtype`, configuration_deepseek_v4.py)."""
    block = said.get("weight_block_size")
    skipped = skipped_modules(said.get("modules_to_not_convert", said.get("ignored_layers")), model)
    if model.family == "deepseek_v4" and expert_dtype in {"", "fp4"}:
        return Quantization(
            method="mxfp4",
            bits=4,
            group=32,
            experts_only=True,
            rest="fp8",
            block=_block(block),
            skipped=skipped,
        )
    return Quantization(method="fp8", bits=8, block=_block(block), skipped=skipped)


def _block(value: object) -> tuple[int, int] | None:
    if value is None:
        return None
    name = "quantization_config.weight_block_size"
    if not isinstance(value, list | tuple) or len(value) != 2:  # noqa: PLR2004 - rows and columns
        raise PlanError(f"{name}: {shown(value)} is no pair", fix="such as [128, 128]")
    rows, columns = ({name: each} for each in value)
    first, second = count(rows, name, MOST_GROUP), count(columns, name, MOST_GROUP)
    if first is None or second is None:
        raise PlanError(f"{name}: {shown(value)} is no pair", fix="such as [128, 128]")
    return first, second


def _packed(said: Mapping[str, Any], method: str) -> Quantization:
    """GPTQ keeps zero points also when they are all alike (`qzeros`); AWQ says it."""
    prefix = "quantization_config."
    bits = count(said, "bits", MOST_BITS, prefix=prefix) or 4
    group = count(said, "group_size", MOST_GROUP, prefix=prefix, least=-1)
    zero = True if method == "gptq" else switch(said, "zero_point", prefix=prefix)
    return Quantization(
        method=method,
        bits=bits,
        group=128 if group is None else max(0, group),
        zero_points=zero is not False,
    )


def _bitsandbytes(said: Mapping[str, Any], model: Architecture) -> Quantization:
    prefix = "quantization_config."
    four = switch(said, "load_in_4bit", prefix=prefix) or switch(said, "_load_in_4bit", prefix=prefix)
    skipped = skipped_modules(said.get("llm_int8_skip_modules"), model)
    if four:
        twice = switch(said, "bnb_4bit_use_double_quant", prefix=prefix) is True
        return Quantization(method="bitsandbytes", bits=4, group=64, twice=twice, skipped=skipped)
    return Quantization(method="bitsandbytes", bits=8, skipped=skipped)


def _compressed(said: Mapping[str, Any], model: Architecture) -> Quantization:
    """One group of modules with one kind of weights; several kinds are refused: which is where is not said simply."""
    groups = said.get("config_groups")
    if not isinstance(groups, dict) or not 0 < len(groups) <= 16:  # noqa: PLR2004 - one is usual
        raise PlanError("quantization_config.config_groups is missing", fix="use the config as published")
    kinds = {}
    for group in groups.values():
        weights = group.get("weights") if isinstance(group, dict) else None
        if not isinstance(weights, dict):
            raise PlanError(
                "quantization_config.config_groups has no weights", fix="use the config as published"
            )
        kinds[repr(sorted((str(key), repr(value)[:80]) for key, value in list(weights.items())[:40]))] = (
            weights
        )
    if len(kinds) != 1:
        raise PlanError(
            "quantization_config.config_groups has several kinds of weights",
            fix="say the average of the files, such as weights 4.8bpw",
        )
    weights = next(iter(kinds.values()))
    prefix = "quantization_config.weights."
    bits = count(weights, "num_bits", MOST_BITS, prefix=prefix)
    if bits is None:
        raise PlanError(f"{prefix}num_bits is missing", fix="use the config as published")
    group = count(weights, "group_size", MOST_GROUP, prefix=prefix, least=-1) or 0
    return Quantization(
        method="compressed-tensors",
        bits=bits,
        group=max(0, group),
        block=_block(weights.get("block_structure")),
        zero_points=switch(weights, "symmetric", prefix=prefix) is False,
        skipped=skipped_modules(said.get("ignore"), model),
    )
