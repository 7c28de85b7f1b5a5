"""The cases that verdicts are held against: programs, the change that is asked about, and where the edge is laid.

Everything is drawn from one seed that was chosen once; nothing was left out because a verdict was wrong about it.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import Any

SEED = 20261128
Spec = dict[str, Any]
COMMON: Spec = {
    "late": False,
    "observe": False,
    "max_entries": 1_000_000,
    "fraction": None,
    "checkpointing": False,
    "leak": False,
    "empty": False,
    "prefetch": False,
    "accumulate": 1,
    "optimizer": "adamw",
    "batch": 1,
}
PLAN = {
    "expandable": 9,
    "no-expandable": 2,
    "max_split": 6,
    "roundup": 5,
    "gc": 3,
    "batch": 9,
    "checkpointing": 5,
    "no-leak": 5,
    "capacity": 6,
}
"""How many cases each kind of change has."""
ABUNDANT = {"checkpointing", "no-leak"}
"""A's memory suffices: what the change does to steps that were never seen, nobody can know."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One program as it was run, and as it is run with the change."""

    name: str
    kind: str
    change: str
    """As the command line takes it; `capacity` is completed when the edge is known."""
    spec: Spec
    conf: str
    changed_spec: Spec
    changed_conf: str
    edge: tuple[str, float]
    """Where the capacity lies: `above` the most that was reserved, `below` the most that was in use, or `between`."""
    abundant: bool
    """Whether A is given all that it wants."""


def cases(seed: int = SEED) -> list[Case]:
    """Draw all of them."""
    chance = random.Random(seed)  # noqa: S311 - the same for everybody
    return [
        _case(chance, kind, f"{kind}-{number}") for kind, count in PLAN.items() for number in range(count)
    ]


def _case(chance: random.Random, kind: str, name: str) -> Case:
    spec = _program(chance, kind)
    case = Case(
        name=name,
        kind=kind,
        change=kind,
        spec=spec,
        conf="",
        changed_spec=dict(spec),
        changed_conf="",
        edge=_edge(chance),
        abundant=kind in ABUNDANT,
    )
    return _changed(chance, case)


def _edge(chance: random.Random) -> tuple[str, float]:
    where = chance.choices(["above", "between", "below"], weights=[2, 3, 2])[0]
    if where == "between":
        return where, chance.uniform(0.05, 0.95)
    return where, chance.choice([0.02, 0.03, 0.05, 0.08, 0.12, 0.2, 0.3])


def _changed(chance: random.Random, case: Case) -> Case:
    kind = case.kind
    if kind == "expandable":
        return replace(case, changed_conf="expandable_segments:True")
    if kind == "no-expandable":
        return replace(case, conf="expandable_segments:True")
    if kind in _CONFS:
        value = chance.choice(_VALUES[kind])
        return replace(case, change=f"{kind}={value}", changed_conf=f"{_CONFS[kind]}:{value}")
    if kind == "batch":
        old = case.spec["batch"]
        new = chance.choice([each for each in (2, 3, 4, 6, 8, 12, 16) if each != old])
        spec = case.changed_spec | {"batch": new}
        return replace(case, change=f"batch={old}->{new}", changed_spec=spec, abundant=_once_in(chance, 0.6))
    if kind == "capacity":
        return replace(case, abundant=_once_in(chance, 0.5))
    return replace(case, changed_spec=case.changed_spec | _SPECS[kind])


def _once_in(chance: random.Random, share: float) -> bool:
    return chance.random() < share


def _program(chance: random.Random, kind: str) -> Spec:
    if kind in {"checkpointing", "no-leak"}:
        family = "gpt"
    elif kind == "batch":
        family = chance.choice(["gpt", "gpt", "gpt", "net"])
    else:
        family = chance.choice(["gpt", "gpt", "net", "decode", "churn", "grow"])
    spec = COMMON | {"family": family, "observe": _once_in(chance, 0.5)}
    spec |= _FAMILIES[family](chance)
    if kind == "no-leak":
        spec |= {"leak": True, "lengths": _lengths(chance, chance.choice([6, 8]))}
    if kind == "gc":
        spec["fraction"] = 0.999
    if kind not in {"batch", "checkpointing", "no-leak"}:
        # Who records late has the past as blocks alone.
        spec["late"] = _once_in(chance, 0.25)
    return spec


def _lengths(chance: random.Random, steps: int) -> list[int]:
    if _once_in(chance, 0.4):
        return [chance.choice([256, 384, 512])] * steps
    return [chance.randrange(64, 768) for _ in range(steps)]


def _gpt(chance: random.Random) -> Spec:
    return {
        "layers": chance.choice([2, 4, 6, 8]),
        "width": chance.choice([512, 768, 1024]),
        "words": chance.choice([8000, 16000, 32000]),
        "batch": chance.choice([2, 4, 6, 8, 12]),
        "lengths": _lengths(chance, chance.choice([3, 4, 5])),
        "optimizer": chance.choice(["adamw", "adamw-loop", "momentum", "sgd"]),
        "accumulate": chance.choice([1, 1, 2]),
        "empty": _once_in(chance, 0.15),
        "prefetch": _once_in(chance, 0.25),
    }


def _net(chance: random.Random) -> Spec:
    return {
        "widths": [chance.randrange(256, 4096) for _ in range(chance.choice([4, 8, 12]))],
        "batch": chance.choice([4, 6, 8, 12]),
        "lengths": [chance.randrange(100, 2500) for _ in range(chance.choice([4, 6]))],
        "optimizer": chance.choice(["adamw", "momentum", "sgd"]),
    }


def _decode(chance: random.Random) -> Spec:
    return {
        "layers": chance.choice([4, 8, 12]),
        "width": chance.choice([1024, 2048]),
        "batch": chance.choice([2, 4, 8]),
        "lengths": [chance.randrange(16, 200) for _ in range(chance.choice([8, 14]))],
    }


def _churn(chance: random.Random) -> Spec:
    low = chance.uniform(16, 21)
    return {
        "seed": chance.randrange(1 << 30),
        "requests": chance.choice([300, 800, 2000]),
        "powers": [low, low + chance.uniform(3, 7)],
        "live": chance.choice([600, 1200, 2400]) << 20,
    }


def _grow(chance: random.Random) -> Spec:
    return {
        "seed": chance.randrange(1 << 30),
        "requests": chance.choice([12, 24, 40]),
        "first": chance.choice([24, 40, 96]),
        "more": chance.choice([1, 2, 5]),
        "share": [0.3, chance.uniform(0.4, 0.9)],
        "keep": chance.choice([6, 12, 100]),
    }


_CONFS = {
    "max_split": "max_split_size_mb",
    "roundup": "roundup_power2_divisions",
    "gc": "garbage_collection_threshold",
}
_VALUES: dict[str, list[float]] = {
    "max_split": [24, 32, 64, 128],
    "roundup": [1, 2, 4, 8],
    "gc": [0.5, 0.6, 0.8],
}
_SPECS: dict[str, Spec] = {"checkpointing": {"checkpointing": True}, "no-leak": {"leak": False}}
_FAMILIES = {"gpt": _gpt, "net": _net, "decode": _decode, "churn": _churn, "grow": _grow}
