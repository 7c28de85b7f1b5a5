"""Power, heat and clocks of a card: what follows from its load, with the lag that real metal has.

Temperature and energy depend on the past, and a source that is a pure function of time has none. The story is
periodic, so both are worked out once for a whole loop and read off after that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dstop.model.value import Value
from dstop.sources.demo.load import load_at
from dstop.sources.demo.story import LOOP_S

if TYPE_CHECKING:
    from dstop.sources.demo.scenery import Card

POWER_LIMIT_W = 700.0
SLOWDOWN_C = 89
CLOCK_SM_MAX_MHZ, CLOCK_MEMORY_MHZ, CLOCK_IDLE_MHZ = 1980, 2619, 345
CLOCK_GRAIN_MHZ = 15
_AIR_C, _LAG_S = 25.0, 14.0
_C_PER_WATT, _C_PER_WATT_HOT = 0.060, 0.113
_TOO_HOT_C, _COOL_AGAIN_C = 86.5, 82.5
_HOT_WATTS = 0.74
"""What is left of the power when the driver slows a card that is too hot."""
_LOOP = int(LOOP_S)
_DRIVER_LOADED_S = 12 * 86_400


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Curve(Value):
    """One loop of one card, a value a second."""

    celsius: tuple[float, ...]
    too_hot: tuple[bool, ...]
    joules: tuple[float, ...]
    """Since the beginning of the loop; one longer than the loop, its last value is the whole of it."""

    def celsius_at(self, at_s: float) -> float:
        """Give the temperature of the chip."""
        second, part = divmod(at_s % LOOP_S, 1)
        here, there = self.celsius[int(second) % _LOOP], self.celsius[(int(second) + 1) % _LOOP]
        return here + (there - here) * part

    def too_hot_at(self, at_s: float) -> bool:
        """Say whether the driver holds the card back for its temperature."""
        return self.too_hot[int(at_s % LOOP_S) % _LOOP]

    def millijoules_at(self, at_s: float) -> int:
        """Give the energy since the driver was loaded; it never falls while time goes on."""
        loops, into = divmod(at_s, LOOP_S)
        second, part = divmod(into, 1)
        here = self.joules[min(int(second), _LOOP - 1)]
        there = self.joules[min(int(second), _LOOP - 1) + 1]
        whole = self.joules[-1]
        before = _DRIVER_LOADED_S * whole / LOOP_S
        return round(1000 * (before + loops * whole + here + (there - here) * part))


def curve_of(card: Card) -> Curve:
    """Run the story on a card until the heat of one loop no longer depends on the loop before it."""
    watts = [load_at(card, second + 0.5).watts for second in range(_LOOP)]
    per_watt = _C_PER_WATT_HOT if card.hot else _C_PER_WATT
    heat, slow = _AIR_C + per_watt * watts[0], False
    celsius: list[float] = []
    too_hot: list[bool] = []
    joules = [0.0]
    for lap in range(3):
        for second in range(_LOOP):
            slow = heat > (_COOL_AGAIN_C if slow else _TOO_HOT_C)
            drawn = drawn_watts(watts[second], too_hot=slow)
            if lap == 2:  # noqa: PLR2004 - the third lap is the settled one
                celsius.append(heat)
                too_hot.append(slow)
                joules.append(joules[-1] + drawn)
            heat += (_AIR_C + per_watt * drawn - heat) / _LAG_S
    return Curve(tuple(celsius), tuple(too_hot), tuple(joules))


def drawn_watts(wanted: float, *, too_hot: bool) -> float:
    """Give what a card draws of what its load asks for."""
    allowed = min(wanted, POWER_LIMIT_W)
    return min(allowed, max(120.0, _HOT_WATTS * allowed)) if too_hot else allowed


def clock_mhz(wanted: float, *, held: bool, too_hot: bool) -> int:
    """Give the SM clock: full while a program holds the card, less for power or for heat.

    Dynamic power goes with about the square of the clock there: 10 % too many watts cost 5 %.
    """
    if not held:
        return CLOCK_IDLE_MHZ
    share = (POWER_LIMIT_W / wanted) ** 0.5 if wanted > POWER_LIMIT_W else 1.0
    if too_hot:
        share = min(share, _HOT_WATTS)
    return int(CLOCK_SM_MAX_MHZ * share) // CLOCK_GRAIN_MHZ * CLOCK_GRAIN_MHZ
