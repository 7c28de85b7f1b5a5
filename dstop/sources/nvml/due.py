"""Rate classes: what is asked at every reading, and what less often: it changes slowly, or costs much."""

from __future__ import annotations

MEDIUM_S, SLOW_S = 2.0, 5.0
_TOLERANCE = 0.9


class Due:
    """Says when a class is to be read again. Its owner's clock is passed in, in seconds.

    A reading that comes a little early counts (nine tenths of the period): otherwise the jitter of a 1 s
    loop would turn a 2 s class into a 3 s one.
    """

    __slots__ = ("_last_s", "period_s")

    def __init__(self, period_s: float) -> None:
        self.period_s = period_s
        self._last_s: float | None = None

    def now(self, now_s: float) -> bool:
        """Tell whether it is time, and remember that it was read if so."""
        if self._last_s is not None and 0 <= now_s - self._last_s < self.period_s * _TOLERANCE:
            return False
        self._last_s = now_s
        return True

    def reset(self) -> None:
        """Make it due at the next look: what it read belongs to something that is gone."""
        self._last_s = None
