"""What of the user's settings drawing depends on."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dstop.model.value import Value

if TYPE_CHECKING:
    from dstop.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Look(Value):
    """Thresholds in percent (below the first: low; from the second on: high), and whose processes are ours."""

    utilization_thresholds: tuple[int, int] = (10, 75)
    memory_thresholds: tuple[int, int] = (10, 80)
    user: str | None = None


def look_of(settings: Settings) -> Look:
    """Give the look that the settings ask for, with whoever runs dstop as the one whose processes stand out."""
    return Look(
        utilization_thresholds=settings.utilization_thresholds,
        memory_thresholds=settings.memory_thresholds,
        user=_own_name(),
    )


def _own_name() -> str | None:
    """Name who runs dstop; None for a number without a name."""
    import pwd  # noqa: PLC0415 - only where something is drawn

    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return None


DEFAULT_SLOWDOWN_C = 87
"""Where most boards slow down, for one that does not say."""
ALMOST_FULL_PCT = 95
"""Memory from here on is one allocation away from an out-of-memory error."""


def memory_role(percent: float | None, look: Look) -> str:
    """Colour of a memory share: near full is bad, because the next allocation fails."""
    if percent is None or percent < look.memory_thresholds[0]:
        return "dim"
    if percent >= ALMOST_FULL_PCT:
        return "bad"
    return "warn" if percent >= look.memory_thresholds[1] else "ok"


def utilization_role(percent: float | None, look: Look) -> str:
    """Colour of a utilisation: busy is good, a GPU that idles is what costs money."""
    if percent is None or percent < look.utilization_thresholds[0]:
        return "dim"
    return "ok" if percent >= look.utilization_thresholds[1] else ""


def temperature_role(celsius: float | None, slowdown: float | None) -> str:
    """Colour of a temperature by its distance from the board's own slowdown limit (87 °C when it gives none)."""
    if celsius is None:
        return "dim"
    limit = slowdown or DEFAULT_SLOWDOWN_C
    if celsius >= limit:
        return "bad"
    return "warn" if celsius >= limit - 8 else ""
