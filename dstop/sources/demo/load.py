"""How hard a card works at a moment: the causes from which power, heat and clocks then follow."""

from __future__ import annotations

from math import sin
from typing import TYPE_CHECKING, NamedTuple

from dstop.sources.demo.noise import scramble
from dstop.sources.demo.story import Phase, launch_of, phase_of
from dstop.sources.demo.training import FLUSH_STEPS, STEP_S

if TYPE_CHECKING:
    from dstop.sources.demo.scenery import Card

_FLUSH_FOR_S = 0.9
_IDLE_W, _CONTEXT_W = 71.0, 117.0
"""An H100 with no program on it, and with one that does nothing."""


class Work(NamedTuple):
    """What the rank on a card makes of it in one phase."""

    busy: float
    """Share of time, 0 … 1, in which kernels run."""
    memory_busy: float
    watts: float
    """Beyond a card that holds a context and does nothing."""
    cpu_pct: float
    host_to_gpu: float
    """Bytes a second over PCIe."""
    gpu_to_host: float
    nvlink: float
    """Bytes a second over NVLink, each way."""
    tensor: float
    """Share of cycles with a tensor core at work."""


_NOTHING = Work(0, 0, 0, 0, 0, 0, 0, 0)
_WORK = {
    Phase.ABSENT: _NOTHING,
    Phase.STARTING: Work(0.0, 0.0, 2, 98, 4e6, 1e6, 0, 0),
    Phase.LOADING: Work(0.07, 0.03, 24, 164, 9.4e9, 3e6, 0, 0),
    Phase.TRAINING: Work(0.985, 0.53, 476, 127, 210e6, 46e6, 148e9, 0.47),
    Phase.CHECKPOINT: Work(0.03, 0.01, 16, 196, 12e6, 6.8e9, 0, 0),
    Phase.HANGING: Work(1.0, 0.0, 54, 100, 1e6, 1e6, 0, 0),
    Phase.DYING: Work(0.0, 0.0, 3, 61, 1e6, 1e6, 0, 0),
}
_FLUSH = Work(0.71, 0.36, 318, 121, 190e6, 40e6, 92e9, 0.29)
"""The step that begins with an empty cache: it waits for the driver at every allocation."""


class Load(NamedTuple):
    """Everything that works on one card at one moment, before noise."""

    phase: Phase
    age_s: float
    launch: int
    rank: Work
    server: float
    """Share of time, 0 … 1, in which the servers' kernels run."""
    watts: float
    """What the card would draw if nothing held it back."""

    @property
    def busy(self) -> float:
        """Share of time, 0 … 1, in which any kernel runs."""
        return min(1.0, self.rank.busy + self.server)


def load_at(card: Card, at_s: float) -> Load:
    """Say what works on a card at a moment of the story."""
    launch, age = launch_of(at_s)
    phase = Phase.ABSENT if card.rank is None else phase_of(age, card.rank, unlucky=card.unlucky)
    rank = _WORK[phase]
    if phase is Phase.TRAINING and age % (STEP_S * FLUSH_STEPS) < _FLUSH_FOR_S:
        rank = _FLUSH
    server = sum(neighbour.busy(at_s) for neighbour in card.neighbours)
    held = bool(card.neighbours or card.orphan_bytes) or phase is not Phase.ABSENT
    zeal = 1.23 + 0.09 * sin(at_s / 6) if card.eager else 0.97 + scramble(card.seed, 3) % 80 / 1000
    watts = (_CONTEXT_W if held else _IDLE_W) + rank.watts * zeal + 210 * server
    return Load(phase, age, launch, rank, server, watts)
