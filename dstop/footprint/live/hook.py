"""The rung of the hook: modules, parameters and optimizers that are alive in the process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dstop.footprint.live.clues import Clues
from dstop.model.value import Value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dstop.model.segment import ModelFacts

_OPTIMIZERS = {
    "AdamW": "adamw",
    "Adam": "adamw",
    "FusedAdam": "adamw",
    "DeepSpeedCPUAdam": "adamw",
    "AdamW8bit": "adamw8bit",
    "PagedAdamW8bit": "adamw8bit",
    "Adam8bit": "adamw8bit",
    "AdamW4bit": "adamw4bit",
    "Adafactor": "adafactor",
    "Adagrad": "adagrad",
    "Lion": "lion",
    "Muon": "muon",
}
"""Classes of torch, bitsandbytes, torchao and transformers, by what they keep a parameter."""
_DTYPES = {"bfloat16": "bf16", "float16": "fp16", "float32": "fp32", "float8_e4m3fn": "fp8"}
_MOST_OF_IT = 0.5
_WITH_MASTER = 10
"""Bytes a parameter: between the 8 of two fp32 moments and the 12 of a master copy beside them."""
_SHARDED = 0.9
"""Below this share of its parameters a rank has only its shard; above it, buffers and padding account for the rest."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Held(Value):
    """What the hook has counted in a process: bytes by part, whatever model it is."""

    weights_bytes: int
    """Parameters and buffers."""
    gradients_bytes: int
    """0 between the steps of a program that frees them."""
    optimizer_bytes: int
    models: int = 1
    """How many with parameters."""
    largest_bytes: int = 0
    """Parameters of the largest one."""

    @property
    def static_bytes(self) -> int:
        """All of it."""
        return self.weights_bytes + self.gradients_bytes + self.optimizer_bytes


def held_of(facts: ModelFacts | None, device: int | None) -> Held | None:
    """Give what the modules and optimizers hold on one device; None where nothing was counted, or not to the end.

    Args:
        facts: the hook's answer.
        device: PyTorch's number of it; models on several devices count with what is on this one.
    """
    if facts is None or not facts.models or "complete" in facts.unavailable:
        return None
    weights = gradients = largest = 0
    for model in facts.models:
        mine = _on_device(model, device)
        weights += int(mine * (_number(model, "parameter_bytes") + _number(model, "buffer_bytes")))
        gradients += int(mine * _number(model, "gradient_bytes"))
        largest = max(largest, int(mine * _number(model, "parameter_bytes")))
    states = sum(_number(optimizer, "state_bytes") for optimizer in facts.optimizers)
    share = _on_device(facts.models[0], device)
    return Held(
        weights_bytes=weights,
        gradients_bytes=gradients,
        optimizer_bytes=int(states * share),
        models=sum(_number(model, "parameter_bytes") > 0 for model in facts.models),
        largest_bytes=largest,
    )


def hook_clues(facts: ModelFacts | None, world_size: int | None) -> Clues:
    """Give what the hook's answer says of the SPEC: the configuration, the formats, the optimizer, the sharding.

    Args:
        facts: the answer; None where there is no hook, or none yet.
        world_size: of the job, where it is known.
    """
    if facts is None or not facts.models:
        return Clues(rung="hook")
    model = max(facts.models, key=lambda each: _number(each, "parameters"))
    fields: dict[str, object] = {**_training(facts), **_adapters(model)}
    fields["weights"] = _main_dtype(model.get("dtypes"))
    if fields.get("phase") == "training":
        fields |= _layout(model, world_size)
        again = _number(model, "checkpointed")
        fields["checkpointing"] = "full" if again else "none" if "checkpointed" in model else None
    config = facts.config if facts.config is not None and facts.config.get("model_type") else None
    if config is not None:
        fields["attention"] = _attention(config.get("_attn_implementation"))
        if config.get("quantization_config"):
            fields["weights"] = "native"
    return Clues(
        rung="hook",
        config=config,
        fields={name: value for name, value in fields.items() if value is not None},
    )


def _attention(name: object) -> str | None:
    if not isinstance(name, str):
        return None
    return "flash" if name.startswith("flash") else {"eager": "eager", "sdpa": "sdpa"}.get(name)


def _training(facts: ModelFacts) -> dict[str, object]:
    """Say whether it trains: an optimizer, or gradients, is what only training has."""
    gradients = sum(_number(model, "gradient_bytes") for model in facts.models)
    if not facts.optimizers and not gradients:
        return {"phase": "inference", "framework": "hf"}
    fields: dict[str, object] = {"phase": "training", "framework": "pytorch"}
    if not facts.optimizers:
        return fields
    optimizer = max(facts.optimizers, key=lambda each: _number(each, "state_bytes"))
    name = str(optimizer.get("class", "")).rpartition(".")[2]
    defaults = optimizer.get("defaults")
    if name == "SGD":
        momentum = defaults.get("momentum") if isinstance(defaults, dict) else None
        fields["optimizer"] = "sgd_momentum" if momentum else "sgd"
    else:
        fields["optimizer"] = _OPTIMIZERS.get(name)
    if fields["optimizer"] in {"adamw", "lion", "sgd_momentum", "muon"}:
        fields["optimizer_state"] = _main_dtype(optimizer.get("state_dtypes"))
    if fields["optimizer"] == "adamw" and _has_master(facts, _number(optimizer, "state_bytes")):
        fields["master_weights"] = True
    return fields


def _has_master(facts: ModelFacts, state_bytes: int) -> bool:
    """Whether Adam's states are large enough for a third fp32 number a parameter: two moments and the master copy.

    Of a model in fp32 the parameters are their own master, and two moments are 8 bytes (Megatron-LM's accounting,
    `theoretical_memory_usage.py`: 12 with the copy).
    """
    trained = 0.0
    for model in facts.models:
        count, mine = _number(model, "parameters"), _number(model, "local_parameters")
        trained += _number(model, "trainable") * (mine / count if count and mine else 1.0)
    return trained > 0 and state_bytes > _WITH_MASTER * trained


def _adapters(model: Mapping[str, object]) -> dict[str, object]:
    """Give the share that is trained, where most of the model is frozen (adapters, a frozen tower)."""
    count, trained = _number(model, "parameters"), _number(model, "trainable")
    return {"trainable_fraction": trained / count} if 0 < trained < count else {}


def _layout(model: Mapping[str, object], world_size: int | None) -> dict[str, object]:
    """Say how the ranks of a job share a model that is sharded by PyTorch itself (DTensor: FSDP2), or not at all."""
    count, mine = _number(model, "parameters"), _number(model, "local_parameters")
    if not world_size or world_size < 2 or not count:  # noqa: PLR2004 - a job of one has no layout
        return {}
    if mine < _SHARDED * count or "FullyShardedDataParallel" in str(model.get("class", "")):
        return {"parallel.zero": 3}
    return {}


def _on_device(model: Mapping[str, object], device: int | None) -> float:
    """Give the share of a model's bytes that is on a device; all of it where the hook does not say."""
    devices = model.get("devices")
    if device is None or not isinstance(devices, dict) or not devices:
        return 1.0
    amounts = {str(name): value for name, value in devices.items() if isinstance(value, int)}
    total = sum(amounts.values())
    return amounts.get(f"cuda:{device}", 0) / total if total else 0.0


def _main_dtype(dtypes: object) -> str | None:
    """Give the format that most of the bytes are in; None where no format has most of them, or dstop has no name."""
    if not isinstance(dtypes, dict):
        return None
    amounts = {str(name): value for name, value in dtypes.items() if isinstance(value, int)}
    total = sum(amounts.values())
    name, most = max(amounts.items(), key=lambda pair: pair[1], default=("", 0))
    return _DTYPES.get(name) if total and most > _MOST_OF_IT * total else None


def _number(values: Mapping[str, object], name: str) -> int:
    value = values.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0
