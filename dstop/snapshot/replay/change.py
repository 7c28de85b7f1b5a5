"""What may be asked: `expandable`, `max_split=128`, `batch=12->8` … and several at once, joined by `+` or `,`."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from dstop.errors import UsageError
from dstop.model.value import Value
from dstop.snapshot.replay.rules import INTERVALS, LEAST_SPLIT
from dstop.units import MIB, bytes_text, parse_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

    from dstop.snapshot.replay.rules import Rules

THERE_IS = (
    "there are expandable, no-expandable, max_split=128, gc=0.8, roundup=4, batch=12->8 (or batch=8 with --batch 12, "
    "or batch=x0.5), checkpointing, no-leak and capacity=24GiB; join several with +"
)
_MOST_FACTOR = 4096.0
_MOST_TEXT = 200


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class WhatIf(Value):
    """A condition other than the recorded one; what is None or False stays as it was."""

    expandable: bool | None = None
    max_split_bytes: int | None = None
    gc_threshold: float | None = None
    divisions: int | None = None
    """Of every interval; 0 and 1 round to 512 bytes."""
    factor: float | None = None
    """New micro-batch / old; what depends on the batch has so much of its size."""
    batches: tuple[int, int] | None = None
    """(old, new) where they were given."""
    checkpointing: bool = False
    no_leak: bool = False
    capacity_bytes: int | None = None
    """What the process may reserve: the device less about 0.5 GiB for its context."""

    @property
    def what(self) -> str:
        """In words."""
        return ", ".join(_words(self)) or "as it was"

    def setting(self, rules: Rules) -> str:
        """Give the line to paste, with what the recording had set and the change leaves; empty where none is needed.

        Args:
            rules: of the recording.
        """
        own = (self.expandable, self.max_split_bytes, self.gc_threshold, self.divisions)
        if all(each is None for each in own):
            return ""
        options = _options(self.rules(rules))
        return f"PYTORCH_CUDA_ALLOC_CONF={','.join(options) or 'expandable_segments:False'}"

    def rules(self, rules: Rules) -> Rules:
        """Give the rules of the allocator under this condition.

        Args:
            rules: of the recording.
        """
        if self.expandable is not None:
            rules = replace(rules, expandable=self.expandable)
        if self.max_split_bytes is not None:
            rules = replace(rules, max_split_bytes=self.max_split_bytes)
        if self.gc_threshold is not None:
            rules = replace(rules, gc_threshold=self.gc_threshold)
        if self.divisions is not None:
            every = {1 << number: self.divisions for number in range(INTERVALS)} if self.divisions > 1 else {}
            rules = replace(rules, divisions=every)
        return rules


def _words(change: WhatIf) -> list[str]:
    words = []
    if change.expandable is not None:
        words.append("expandable segments" if change.expandable else "no expandable segments")
    if change.max_split_bytes is not None:
        words.append(f"blocks of {bytes_text(change.max_split_bytes)} and more never split")
    if change.gc_threshold is not None:
        words.append(f"garbage collection from {change.gc_threshold:.0%}")
    if change.divisions is not None:
        words.append(f"sizes rounded to {change.divisions} steps a power of two")
    if change.batches is not None:
        words.append(f"batch {change.batches[1]} instead of {change.batches[0]}")
    elif change.factor is not None:
        words.append(f"{change.factor:g} times the batch")
    if change.checkpointing:
        words.append("activation checkpointing")
    if change.no_leak:
        words.append("without what leaks")
    if change.capacity_bytes is not None:
        words.append(f"{bytes_text(change.capacity_bytes)} for PyTorch")
    return words


def _options(rules: Rules) -> list[str]:
    options = []
    if rules.expandable:
        options.append("expandable_segments:True")
    if rules.max_split_bytes is not None:
        options.append(f"max_split_size_mb:{rules.max_split_bytes // MIB}")
    if rules.gc_threshold:
        options.append(f"garbage_collection_threshold:{rules.gc_threshold:g}")
    values = set(rules.divisions.values())
    if len(values) == 1 and len(rules.divisions) == INTERVALS:
        options.append(f"roundup_power2_divisions:{values.pop()}")
    elif rules.divisions:
        pieces = ",".join(f"{start}:{count}" for start, count in sorted(rules.divisions.items()))
        options.append(f"roundup_power2_divisions:[{pieces}]")
    return options


def parse_what_if(text: str, batch: int | None = None) -> WhatIf:
    """Read a condition as the command line has it.

    Args:
        text: such as `expandable`, `batch=12->8` or `max_split=128+roundup=4`.
        batch: the recorded micro-batch, for `batch=8`.

    Raises:
        UsageError: when there is no such condition, or its value cannot be.
    """
    change = WhatIf()
    parts = [part.strip() for part in re.split(r"[+,]", text[:_MOST_TEXT])]
    for part in parts:
        name, _, value = part.partition("=")
        change = _add(change, name.strip().lower(), value.strip(), batch)
    return change


def _add(change: WhatIf, name: str, value: str, batch: int | None) -> WhatIf:
    plain = {
        "expandable": {"expandable": True},
        "no-expandable": {"expandable": False},
        "checkpointing": {"checkpointing": True},
        "no-leak": {"no_leak": True},
    }
    if name in plain and not value:
        return replace(change, **plain[name])  # type: ignore[arg-type]
    read = _VALUES.get(name)
    if read is None:
        shown = name if name.isprintable() else "?"
        raise UsageError(f"--what-if knows no {shown!r}", fix=THERE_IS)
    if not value:
        raise UsageError(f"--what-if {name} needs a value", fix=THERE_IS)
    return read(change, value, batch)


def _max_split(change: WhatIf, value: str, _: int | None) -> WhatIf:
    size = _whole(value, "max_split") * MIB
    if size < LEAST_SPLIT:
        raise UsageError(f"max_split={value} is too small", fix="torch takes 20 (MiB) and more")
    return replace(change, max_split_bytes=size)


def _gc(change: WhatIf, value: str, _: int | None) -> WhatIf:
    share = _number(value, "gc")
    if not 0 < share < 1:
        raise UsageError(f"gc={value} cannot be", fix="it is a share of the capacity, such as gc=0.8")
    return replace(change, gc_threshold=share)


def _roundup(change: WhatIf, value: str, _: int | None) -> WhatIf:
    count = _whole(value, "roundup")
    if count & (count - 1) or count > 1 << 16:
        raise UsageError(f"roundup={value} cannot be", fix="torch takes powers of two, such as roundup=4")
    return replace(change, divisions=count)


def _batch(change: WhatIf, value: str, batch: int | None) -> WhatIf:
    if value.lower().startswith("x"):
        return replace(change, factor=_factor(_number(value[1:], "batch"), value), batches=None)
    first, arrow, second = value.partition("->")
    old = _whole(first, "batch") if arrow else batch
    new = _whole(second if arrow else first, "batch")
    if old is None:
        raise UsageError(
            f"batch={value} needs the recorded batch",
            fix=f"write batch=12->{new} or add --batch 12 (or batch=x0.5)",
        )
    if old < 1 or new < 1:
        raise UsageError(f"batch={value} cannot be", fix="a batch has one sample at least")
    return replace(change, factor=_factor(new / old, value), batches=(old, new))


def _factor(factor: float, value: str) -> float:
    if not 1 / _MOST_FACTOR <= factor <= _MOST_FACTOR:
        raise UsageError(
            f"batch={value} is too far from the recorded one", fix="ask for at most 4096 times as much"
        )
    return factor


def _capacity(change: WhatIf, value: str, _: int | None) -> WhatIf:
    try:
        size = parse_bytes(value)
    except ValueError as error:
        raise UsageError(f"capacity: {error}", fix="write capacity=24GiB") from error
    return replace(change, capacity_bytes=size)


def _whole(value: str, name: str) -> int:
    if not re.fullmatch(r"\d{1,9}", value.strip(), re.ASCII):
        raise UsageError(f"{name}={value[:20]!r} is not a whole number", fix=THERE_IS)
    return int(value)


def _number(value: str, name: str) -> float:
    if not re.fullmatch(r"\d{0,9}\.?\d{0,9}", value.strip(), re.ASCII) or not re.search(r"\d", value):
        raise UsageError(f"{name}={value[:20]!r} is not a number", fix=THERE_IS)
    return float(value)


_VALUES: dict[str, Callable[[WhatIf, str, int | None], WhatIf]] = {
    "max_split": _max_split,
    "gc": _gc,
    "roundup": _roundup,
    "batch": _batch,
    "capacity": _capacity,
}
