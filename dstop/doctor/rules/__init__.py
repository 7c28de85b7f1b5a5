"""The rules, one file each; a new one is a file and a name in this list."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dstop.doctor.rule import Rule

_NAMES = [
    "batch_too_large",
    "weights_too_large",
    "optimizer_states",
    "logits_spike",
    "huge_request",
    "library_handle",
    "fragmented_cache",
    "fraction_limit",
    "leak",
    "evaluation_keeps",
    "checkpoint_copy",
    "other_process",
    "mig_slice",
    "foreach_temporaries",
    "long_sample",
    "eager_attention",
    "full_precision",
    "coarse_sharding",
    "router_loss",
    "private_pools",
    "address_space",
    "handler_keeps",
]


def _loaded() -> tuple[Rule, ...]:
    rules = [import_module(f"dstop.doctor.rules.{name}").RULE for name in _NAMES]
    return tuple(sorted(rules, key=lambda rule: rule.id))


RULES: tuple[Rule, ...] = _loaded()


def rule_of(text: str) -> Rule | None:
    """Give the rule of a number (`DS201`, `ds201`) or of a name; None where there is none."""
    wanted = text.strip().lower()
    return next((rule for rule in RULES if wanted in {rule.id.lower(), rule.name}), None)
