"""What can be turned in a plan, and to which values: the ladder of each field for one model."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from dstop.errors import PlanError
from dstop.footprint.architecture.values import Experts
from dstop.footprint.spec.choices import ATTENTION, CHECKPOINTING, FRAMEWORKS, PHASES, SERVING, TRAINABLE
from dstop.footprint.spec.layout import check_layout
from dstop.footprint.spec.values import Lora, Parallel
from dstop.model.value import Value

if TYPE_CHECKING:
    from collections.abc import Callable

    from dstop.footprint.spec.values import Spec

_LAYOUT = frozenset(field.name for field in fields(Parallel))
_MOST_BATCH, _MOST_SEQUENCE, _MOST_RANKS = 4096, 2**20, 4096
_LORA_RANKS = (0, 4, 8, 16, 32, 64, 128, 256)
_OPTIMIZERS = ("adamw", "adamw8bit", "adafactor", "sgd", "lion", "muon")
_SERVED = ("native", "bf16", "fp8", "int8", "int4")
_CACHED = ("bf16", "fp8")
_UTILIZATIONS = tuple(percent / 100 for percent in range(50, 100, 2))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Knob(Value):
    """One field with the values that it may have, in order."""

    name: str
    """The field of the SPEC; those of `parallel` by their own name."""
    choices: tuple[Any, ...]
    value: Any
    """What it is now; it need not be among the choices where the user said something else."""
    slides: bool
    """Whether the choices are an order of magnitude that a slider shows, or just names."""

    @property
    def place(self) -> float:
        """Where the value is on the way from the first choice to the last: 0 to 1."""
        if len(self.choices) < 2:  # noqa: PLR2004 - one choice is no way
            return 1.0
        if self.value in self.choices:
            return self.choices.index(self.value) / (len(self.choices) - 1)
        if not self.slides or self.value is None:
            return 0.0
        return min(1.0, bisect_left(self.choices, self.value) / (len(self.choices) - 1))

    @property
    def text(self) -> str:
        """The value as it is written."""
        return word_of(self.name, self.value)


def word_of(name: str, value: object) -> str:
    """Write the value of a field for people."""
    if value is None:
        return "default"
    if name == "lora":
        return f"rank {value}" if value else "off"
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, float):
        return f"{value:.2f}"
    if isinstance(value, tuple):
        return "+".join(value)
    return f"{value:,}" if isinstance(value, int) else str(value)


def knobs_of(spec: Spec) -> tuple[Knob, ...]:
    """Give what can be turned for this model in this phase, in the order in which people think of it.

    Args:
        spec: settled, so that each knob shows what is computed with.
    """
    training = spec.phase == "training"
    knobs = [
        _named(spec, "phase", PHASES),
        _named(
            spec,
            "framework",
            tuple(name for name in FRAMEWORKS if training != (name in SERVING) or name == "hf"),
        ),
        _sliding(spec, "batch", _ladder(_MOST_BATCH)),
        _sliding(spec, "sequence", _ladder(spec.architecture.positions or _MOST_SEQUENCE, 128)),
    ]
    knobs += _training(spec) if training else _inference(spec)
    return (*knobs, *_layout(spec, training=training))


def _training(spec: Spec) -> list[Knob]:
    rank = spec.lora.rank if spec.lora is not None else 0
    return [
        _named(
            spec, "weights", tuple(name for name in TRAINABLE if name != "native") if not rank else _bases()
        ),
        Knob(name="lora", choices=_LORA_RANKS, value=rank, slides=True),
        _named(spec, "optimizer", _OPTIMIZERS),
        _named(spec, "master_weights", (False, True)),
        _named(spec, "gradients", ("bf16", "fp32")),
        _named(spec, "checkpointing", CHECKPOINTING),
        _named(spec, "attention", ATTENTION),
        _named(spec, "loss", ("full", "chunked", "fused")),
        _named(spec, "compile", (False, True)),
    ]


def _bases() -> tuple[str, ...]:
    return ("bf16", "nf4", "int8")


def _inference(spec: Spec) -> list[Knob]:
    knobs = [
        _named(spec, "weights", _SERVED),
        _named(spec, "kv_cache", _CACHED),
        _named(spec, "attention", ATTENTION),
    ]
    if spec.framework in {"vllm", "sglang"}:
        knobs.append(_sliding(spec, "gpu_memory_utilization", _UTILIZATIONS))
    if spec.architecture.next_token:
        knobs.append(_named(spec, "speculative", ("none", "mtp")))
    if any(layer.attention.kind == "mla" for layer in spec.architecture.layers[:1]):
        knobs.append(_named(spec, "mla_cache", ("latent", "expanded")))
    return knobs


def _layout(spec: Spec, *, training: bool) -> list[Knob]:
    layers = spec.architecture.layers
    heads = layers[0].attention.heads if layers else 1
    experts = max(
        (layer.feed_forward.routed for layer in layers if isinstance(layer.feed_forward, Experts)), default=0
    )
    knobs = [
        _sliding(spec, "tp", _divisors(heads)),
        _sliding(spec, "pp", tuple(range(1, len(layers) + 1))),
        _sliding(spec, "dp", _ladder(_MOST_RANKS)),
        _sliding(spec, "cp", _powers(64)),
    ]
    if experts:
        knobs.append(_sliding(spec, "ep", _divisors(experts)))
    if training:
        knobs += [_sliding(spec, "zero", (0, 1, 2, 3)), _named(spec, "sequence_parallel", (False, True))]
    return knobs


def _value(spec: Spec, name: str) -> Any:
    return getattr(spec.parallel if name in _LAYOUT else spec, name)


def _named(spec: Spec, name: str, choices: tuple[Any, ...]) -> Knob:
    return Knob(name=name, choices=choices, value=_value(spec, name), slides=False)


def _sliding(spec: Spec, name: str, choices: tuple[Any, ...]) -> Knob:
    return Knob(name=name, choices=choices, value=_value(spec, name), slides=True)


def _ladder(most: int, least: int = 1) -> tuple[int, ...]:
    """Give powers of two and the halves between them: 1 2 3 4 6 8 12 16 ..., up to a limit, which is the last."""
    rungs = [value for power in range(31) for value in (2**power, 3 * 2**power // 2) if least <= value < most]
    return (*sorted(set(rungs)), most)


def _powers(most: int) -> tuple[int, ...]:
    return tuple(2**power for power in range(most.bit_length()) if 2**power <= most)


def _divisors(number: int) -> tuple[int, ...]:
    return tuple(ways for ways in range(1, number + 1) if number % ways == 0)


def turned(spec: Spec, knob: Knob, by: int) -> Spec:
    """Give the spec with a knob turned by so many choices; those that the layout refuses are passed over.

    Raises:
        PlanError: there is no choice further that way; what stood in the way of the nearest is said.
    """
    at = _place_of(knob, by)
    step = 1 if by > 0 else -1
    target = max(0, min(len(knob.choices) - 1, at + by))
    refused: PlanError | None = None
    while 0 <= target < len(knob.choices) and (target - at) * step > 0:
        try:
            return put(spec, knob.name, knob.choices[target])
        except PlanError as error:
            refused = refused or error
            target += step
    raise refused or PlanError(f"{knob.name} is at its end", fix=f"it is {knob.text}")


def _place_of(knob: Knob, by: int) -> int:
    """Give where to count from: the value's own place, or between its neighbours when it is none of the choices."""
    if knob.value in knob.choices:
        return knob.choices.index(knob.value)
    if knob.value is None or not knob.slides:
        return -1 if by > 0 else 1
    return bisect_left(knob.choices, knob.value) - (1 if by > 0 else 0)


def put(spec: Spec, name: str, value: Any) -> Spec:
    """Give the spec with one field changed, and what cannot stay beside it left to its default.

    Raises:
        PlanError: the layout cannot be.
    """
    change = _CHANGES.get(name, _plain)
    changed = change(spec, name, value)
    check_layout(changed)
    return changed


def _plain(spec: Spec, name: str, value: Any) -> Spec:
    change: dict[str, Any] = {name: value}
    if name in _LAYOUT:
        return replace(spec, parallel=replace(spec.parallel, **change))
    return replace(spec, **change)


def _phase(spec: Spec, _name: str, value: Any) -> Spec:
    """Change the phase: what has a meaning in the other one alone is as if it had never been said."""
    if value == spec.phase:
        return spec
    return replace(
        spec,
        phase=value,
        parallel=replace(spec.parallel, zero=0, sequence_parallel=False, vpp=1),
        lora=None,
        weights=None,
        framework=None,
        gradients=None,
        master_weights=None,
        optimizer_state=None,
        trainable_fraction=1.0,
        speculative="none",
    )


def _lora(spec: Spec, _name: str, value: Any) -> Spec:
    """Set the rank of adapters; without any, weights that cannot be trained are as the checkpoint is."""
    if not value:
        weights = spec.weights if spec.weights in TRAINABLE else None
        return replace(spec, lora=None, weights=weights)
    if spec.lora is not None:
        return replace(spec, lora=replace(spec.lora, rank=value, alpha=2 * value))
    return replace(spec, lora=Lora(rank=value, alpha=2 * value), trainable_fraction=1.0)


def _weights(spec: Spec, _name: str, value: Any) -> Spec:
    """Set the format of the weights; gradients and moments follow, and below adapters it is their base."""
    lora = replace(spec.lora, base=value) if spec.lora is not None else None
    return replace(spec, weights=value, lora=lora, gradients=None, optimizer_state=None)


_CHANGES: dict[str, Callable[[Spec, str, Any], Spec]] = {"phase": _phase, "lora": _lora, "weights": _weights}
