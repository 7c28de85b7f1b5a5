"""The settings there are, what each may be, and how a wrong one is told."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from dstop.model.value import Value
from dstop.settings.prices import parse_prices, parse_prices_text
from dstop.settings.profiles import parse_profiles

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dstop.settings.alerts import AlertRule
    from dstop.settings.profiles import Profile

SHORTEST_INTERVAL_S = 0.25
"""NVML renews its utilisation one to six times a second: reading faster costs and shows nothing new."""

LONGEST_INTERVAL_S = 86400.0

THEMES = ("auto", "dark", "light", "high-contrast", "mono")
COLORS = ("auto", "always", "never")
MODES = ("auto", "full", "compact")
SORTS = (
    "gpu",
    "mem",
    "sm",
    "cpu",
    "rss",
    "time",
    "pid",
    "user",
    "command",
    "rank",
    "alloc",
    "cached",
    "other",
    "expected",
    "excess",
)
GROUPS = ("none", "user", "job")

_MOST_CHARS = 1000
_MOST_COLUMNS = 64


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Settings(Value):
    """Every choice that outlives one run. The names are those of the configuration file."""

    interval_s: float = 1.0
    """Seconds between two readings."""
    theme: str = "auto"
    ascii: bool = False
    """Draw with ASCII alone."""
    color: str = "auto"
    """`auto` asks NO_COLOR, FORCE_COLOR, TERM and whether the output is a terminal."""
    readonly: bool = False
    """Offer nothing that changes a process."""
    mode: str = "auto"
    """How much room a GPU gets."""
    sort: str = "gpu"
    """The order of the process table, by the names of `dstop.view.order`."""
    filter: str = ""
    tree: bool = False
    group: Literal["user", "job"] | None = None
    """Put the processes of one user or one job together."""
    utilization_thresholds: tuple[int, int] = (10, 75)
    """Percent: below the first is low, from the second on is high."""
    memory_thresholds: tuple[int, int] = (10, 80)
    columns: tuple[str, ...] = ()
    """Columns of the process table, in order; empty for what fits."""
    footprint: tuple[Profile, ...] = ()
    """What models are, where dstop cannot know it by itself."""
    alerts: tuple[AlertRule, ...] = ()
    """What to tell others of, and how."""
    prices: tuple[tuple[str, float], ...] = ()
    """Cards and instances, and what an hour of one costs; they stand in place of the catalog's."""


def parse_value(name: str, value: object) -> object:
    """Check one setting and give it in the type that `Settings` has.

    Raises:
        ValueError: with words that say what it must be.
        KeyError: when there is no such setting.
    """
    return _CHECKS[name](value)


def parse_text(name: str, text: str) -> object:
    """Read one setting from the text of an environment variable.

    Raises:
        ValueError: with words that say what it must be.
    """
    check = _CHECKS[name]
    if check is _truth:
        return _truth_of_text(text)
    if check is _interval:
        return _interval(_number_of_text(text))
    if check is _thresholds:
        return _thresholds([int(part) if part.strip().isdecimal() else part for part in text.split(",")])
    if check is parse_prices:
        return parse_prices_text(text)
    if check is _columns:
        return _columns([part.strip() for part in text.split(",") if part.strip()])
    return check(text)


def suggestion(name: str) -> str:
    """Give `did you mean "theme"?` for a name that is close to a setting's, or the list of all."""
    import difflib  # noqa: PLC0415 - needed for a mistake alone

    near = difflib.get_close_matches(name, _CHECKS, n=1, cutoff=0.5)
    return f'did you mean "{near[0]}"?' if near else f"the settings are {', '.join(_CHECKS)}"


def _number_of_text(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _interval(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("must be a number of seconds, such as 1 or 0.5")  # noqa: TRY004 - one kind of mistake
    if not math.isfinite(value) or not SHORTEST_INTERVAL_S <= value <= LONGEST_INTERVAL_S:
        raise ValueError(f"must be at least {SHORTEST_INTERVAL_S} seconds and at most a day")
    return float(value)


def _truth(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be true or false")  # noqa: TRY004 - one kind of mistake
    return value


def _truth_of_text(text: str) -> bool:
    word = text.strip().lower()
    if word in {"1", "true", "yes", "on"}:
        return True
    if word in {"0", "false", "no", "off"}:
        return False
    raise ValueError("must be 1 or 0 (or true, false, yes, no, on, off)")


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("must be a text in quotes")  # noqa: TRY004 - one kind of mistake
    if len(value) > _MOST_CHARS or not value.isprintable():
        raise ValueError(f"must be printable and at most {_MOST_CHARS} characters long")
    return value


def _name(value: object) -> str:
    text = _text(value)
    if not text:
        raise ValueError("must not be empty")
    return text


def _one_of(words: tuple[str, ...]) -> Callable[[object], str]:
    def check(value: object) -> str:
        if not isinstance(value, str) or value not in words:
            raise ValueError("must be one of " + ", ".join(f'"{word}"' for word in words))
        return value

    return check


def _group(value: object) -> Literal["user", "job"] | None:
    word = _one_of(GROUPS)(value)
    return "user" if word == "user" else "job" if word == "job" else None


def _thresholds(value: object) -> tuple[int, int]:
    if (
        isinstance(value, list | tuple)
        and len(value) == 2  # noqa: PLR2004 - low and high
        and all(isinstance(part, int) and not isinstance(part, bool) for part in value)
        and 0 <= value[0] < value[1] <= 100  # noqa: PLR2004 - percent
    ):
        return value[0], value[1]
    raise ValueError("must be two whole percentages, the lower first, such as [10, 75]")


def _columns(value: object) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or len(value) > _MOST_COLUMNS:
        raise ValueError('must be a list of column names, such as ["pid", "user"]')
    return tuple(_name(part) for part in value)


def _alerts(value: object) -> tuple[AlertRule, ...]:
    from dstop.settings.alerts import parse_alerts  # noqa: PLC0415 - most have none

    return parse_alerts(value)


_CHECKS: Mapping[str, Callable[[object], object]] = {
    "interval_s": _interval,
    "theme": _one_of(THEMES),
    "ascii": _truth,
    "color": _one_of(COLORS),
    "readonly": _truth,
    "mode": _one_of(MODES),
    "sort": _one_of(SORTS),
    "filter": _text,
    "tree": _truth,
    "group": _group,
    "utilization_thresholds": _thresholds,
    "memory_thresholds": _thresholds,
    "columns": _columns,
    "footprint": parse_profiles,
    "alerts": _alerts,
    "prices": parse_prices,
}
NAMES = tuple(_CHECKS)
