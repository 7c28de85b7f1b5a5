"""What is said of each life."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dstop.model.study import CATEGORIES, CONFIDENCES, PHASES
from dstop.model.value import Value

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

(
    PARAMETERS,
    GRADIENTS,
    OPTIMIZER_STATE,
    ACTIVATIONS,
    TEMPORARIES,
    LOGITS,
    COMMUNICATION,
    COMPILED,
    INPUT,
    UNKNOWN,
) = range(len(CATEGORIES))
POSSIBLE, LIKELY, EXACT = range(len(CONFIDENCES))
OTHER, LOADING, FORWARD, BACKWARD, OPTIMIZER, EVALUATION = range(len(PHASES))


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
