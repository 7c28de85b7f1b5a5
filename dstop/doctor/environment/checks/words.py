"""The words that checks share: which cards, which places, how to take a variable away."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from dstop.doctor.environment.facts import SHELL

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dstop.doctor.environment.facts import Board, Facts, Scope
    from dstop.model.gpu import Gpu

_MOST_NAMED = 3
_LONGEST_VALUE = 60


def numbers(values: Iterable[int]) -> str:
    """Write numbers as people do: `0-3, 7`."""
    runs = groupby(enumerate(sorted(set(values))), key=lambda pair: pair[1] - pair[0])
    spans = [[value for _, value in run] for _, run in runs]
    return ", ".join(f"{span[0]}-{span[-1]}" if len(span) > 1 else str(span[0]) for span in spans)


def cards(indices: Iterable[int], facts: Facts) -> str:
    """Name cards: `GPU 3`, `GPU 0-3, 7`, `all 8 GPUs`."""
    chosen = set(indices)
    count = 0 if facts.sample is None else len(facts.sample.gpus)
    return f"all {count} GPUs" if len(chosen) == count > 1 else f"GPU {numbers(chosen)}"


def answering(facts: Facts) -> list[Gpu]:
    """Give the cards that have figures."""
    return [] if facts.sample is None else [gpu for gpu in facts.sample.gpus if gpu.fault is None]


def card_list(chosen: Iterable[Gpu | Board]) -> str:
    """Write cards as nvidia-smi's `-i` takes them."""
    return ",".join(str(each.index) for each in chosen)


def on_host(facts: Facts) -> str:
    """Remind who is in a container that a command is for the host."""
    return "  # on the host" if facts.container.kind is not None else ""


def places(scopes: Sequence[Scope]) -> str:
    """Name the places where something is set: the first three, and how many more."""
    named = ", ".join(scope.name for scope in scopes[:_MOST_NAMED])
    more = len(scopes) - _MOST_NAMED
    return f"{named} and {more} more" if more > 0 else named


def without(name: str, scopes: Sequence[Scope]) -> str:
    """Give the command that takes a variable away where it is set.

    Args:
        name: of the variable; ours, or known to be letters, digits and underscores.
        scopes: where it is set, at least one.
    """
    if any(scope.name == SHELL for scope in scopes):
        return f"unset {name}"
    if scopes[0].pid is None:
        return f"sed -i '/^{name}=/d' {scopes[0].name}" if _is_plain(scopes[0].name) else f"unset {name}"
    return f"unset {name}  # where the job is started"


def shown(value: str) -> str:
    """Give a value short enough for a sentence."""
    return value if len(value) <= _LONGEST_VALUE else f"{value[: _LONGEST_VALUE - 1]}…"


def counted(count: int, one: str, many: str | None = None) -> str:
    """Write a count with its noun: `1 process`, `3 processes`."""
    return f"{count} {one if count == 1 else many or one + 's'}"


def _is_plain(path: str) -> bool:
    return path.replace("/", "").replace(".", "").replace("_", "").replace("-", "").isalnum()
