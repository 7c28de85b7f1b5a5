"""What each life is for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from dstop.model.study import UNKNOWN
from dstop.model.value import Value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from dstop.snapshot.lives import Lives
    from dstop.snapshot.values import Snapshot


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Attribution(Value):
    """One row a life, as in `Lives`, and the steps of the ring."""

    category: NDArray[np.int8]
    """Into `dstop.model.study.CATEGORIES`."""
    confidence: NDArray[np.int8]
    """Into `dstop.model.study.CONFIDENCES`."""
    phase: NDArray[np.int8]
    """Of the moment it was asked for, into `dstop.model.study.PHASES`."""
    names: Mapping[int, str] = field(default_factory=dict)
    """Row -> name in the model, where the process told."""
    steps: tuple[int, ...] = ()
    """The position (number of events before it) where each recognised training step of the ring ends, rising."""


def attribute(snapshot: Snapshot, lives: Lives) -> Attribution:
    """Say what each life is for."""
    del snapshot
    zeros = np.zeros(len(lives), np.int8)
    return Attribution(category=np.full(len(lives), UNKNOWN, np.int8), confidence=zeros, phase=zeros)
