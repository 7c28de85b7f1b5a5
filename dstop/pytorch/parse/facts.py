"""Modules, optimizers and the configuration of the model in a process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.errors import AttachError
from dstop.model.segment import ModelFacts
from dstop.pytorch.parse.checks import Plain, items, reasons

if TYPE_CHECKING:
    from collections.abc import Mapping

_MOST_MODELS = 64
_MOST_VALUES, _MOST_CONFIG_VALUES = 4096, 20_000


def parse_facts(reply: Mapping[str, object]) -> ModelFacts:
    """Make facts of the answer to `facts`: any plain values, in bounds.

    Raises:
        AttachError: when neither models nor optimizers are listed in it.
    """
    if not isinstance(reply.get("models"), list) and not isinstance(reply.get("optimizers"), list):
        raise AttachError(
            "the hook in the process sent no readable model facts",
            fix="detach and attach again: it may be of another version",
        )
    config = reply.get("config")
    return ModelFacts(
        models=_objects(reply.get("models")),
        optimizers=_objects(reply.get("optimizers")),
        config=Plain(_MOST_CONFIG_VALUES).mapping(config) if isinstance(config, dict) else None,
        unavailable=reasons(reply.get("unavailable")),
    )


def _objects(value: object) -> tuple[Mapping[str, object], ...]:
    plain = Plain(_MOST_VALUES)
    return tuple(plain.mapping(entry) for entry in items(value, _MOST_MODELS) if isinstance(entry, dict))
