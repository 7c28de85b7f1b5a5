"""Which layers keep only the last tokens: sliding windows, layer by layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dstop.footprint.architecture.fields import Fields

SLIDING, FULL = "sliding_attention", "full_attention"
SWITCHED = frozenset({"qwen2", "qwen2_moe", "qwen3", "qwen3_moe", "smollm3"})
"""Families that do not slide unless `use_sliding_window` says so; from layer 28 on where it is not said."""


def read_windows(fields: Fields, layers: int, *, pattern: int = 1) -> list[int | None]:
    """Give the window of each layer; None where it keeps all tokens.

    `layer_types` says it where it is there. Else every layer slides, but each `pattern`-th keeps all when the pattern
    is above 1 (`sliding_window_pattern`: Gemma 2 has 2, Gemma 3 has 6, Cohere 2 has 4); the pattern of the config goes
    before that of the family. Qwen slides only with `use_sliding_window`, from `max_window_layers` on
    (configuration_qwen2.py).

    Raises:
        PlanError: a layer is of a kind that has no keys and values, such as linear attention.
    """
    window = fields.maybe("positions", "sliding_window")
    kinds = fields.each("layer_types", layers)
    if kinds is not None:
        for kind in kinds:
            if kind not in (SLIDING, FULL):
                raise fields.refuse(
                    "layer_types",
                    f"has layers that dstop has no arithmetic for ({kind!r})"[:90],
                    f"only {SLIDING} and {FULL} are known",
                )
        if SLIDING in kinds and window is None:
            raise fields.refuse("sliding_window", "is missing where layers slide", "such as 4096")
        return [window if kind == SLIDING else None for kind in kinds]
    if window is None:
        return [None] * layers
    if fields.word("model_type") in SWITCHED or "use_sliding_window" in fields:
        if not fields.flag("use_sliding_window"):
            return [None] * layers
        first = fields.count("layers", "max_window_layers", default=28, least=0)
        return [window if index >= first else None for index in range(layers)]
    every = fields.count("layers", "sliding_window_pattern", "_sliding_window_pattern", default=pattern)
    return [None if every > 1 and (index + 1) % every == 0 else window for index in range(layers)]
