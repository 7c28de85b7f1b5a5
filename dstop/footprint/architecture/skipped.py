"""Which modules a quantized checkpoint leaves in the model's dtype, by the patterns of its config."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.errors import PlanError
from dstop.footprint.spec.fields import shown

if TYPE_CHECKING:
    from dstop.footprint.architecture.values import Architecture

PLACES = {
    "attention": "model.layers.0.self_attn.{}",
    "indexer": "model.layers.0.self_attn.{}",
    "mlp": "model.layers.0.mlp.{}",
    "shared_expert": "model.layers.0.mlp.{}",
    "expert": "model.layers.0.mlp.{}",
}
MOST_PATTERNS = 4096


def skipped_modules(value: object, model: Architecture) -> tuple[str, ...]:
    """Give the names of the model's matrices that one of the patterns means in every layer.

    A pattern with the number of a layer means that layer alone and is passed over: the share is small, and which
    modules of one layer are plain cannot be said here. Patterns are never run as regular expressions, for they are
    not ours: `.*` and `(a|b)` are all that is understood.

    Raises:
        PlanError: it is no list of short texts.
    """
    if value is None:
        return ()
    if not isinstance(value, list | tuple) or len(value) > MOST_PATTERNS:
        raise PlanError(
            f"quantization_config: {shown(value)} is no list of modules", fix='such as ["lm_head"]'
        )
    wanted: list[str] = []
    for item in value:
        if not isinstance(item, str) or len(item) > 400:  # noqa: PLR2004 - a name or a pattern
            raise PlanError(f"quantization_config: {shown(item)} is no module", fix='such as "lm_head"')
        wanted.extend(_plain(item))
    names: dict[str, str] = {}
    for layer in {id(layer): layer for layer in model.layers}.values():
        for tensor in layer.tensors:
            if tensor.role in PLACES and len(tensor.shape) > 1:
                names[tensor.name] = PLACES[tensor.role].format(tensor.name)
    return tuple(name for name, path in names.items() if any(_means(text, path) for text in wanted))


def _plain(pattern: str) -> list[str]:
    """Give what a pattern asks for as runs of text, with one alternative spelt out."""
    text = pattern.removeprefix("re:").replace("\\.", ".").strip("^$")
    before, opened, rest = text.partition("(")
    inside, closed, after = rest.partition(")")
    if opened and closed:
        return [f"{before}{each}{after}" for each in inside.split("|")[:16]]
    return [text]


def _means(pattern: str, path: str) -> bool:
    """Whether the runs of a pattern, between its stars, are in the path in that order at borders of names."""
    runs = [run.strip(".") for run in pattern.replace(".*", "*").split("*")]
    runs = [run for run in runs if run]
    if not runs or any(part.isdecimal() for run in runs for part in run.split(".")):
        return False
    padded, at = f".{path}.", 0
    for run in runs:
        found = padded.find(f".{run}.", at)
        if found < 0:
            return False
        at = found + len(run) + 1
    return True
