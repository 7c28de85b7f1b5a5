"""Whether what was killed was part of a build: a compiler says so, or stands close by."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dstop.doctor.case import Case
    from dstop.doctor.evidence.facts import Sign

_LINES_BEFORE, _LINES_AFTER = 120, 25
"""A compiler's command stands before the `Killed`, make's and ninja's word of it behind."""


def is_in_build(case: Case, sign: Sign) -> bool:
    """Whether the lines around a sign are those of a build, and no training step stands between."""
    order = sign.place.order
    near = [
        one
        for one in case.all("build.is", "build.compiler", "build.step_killed")
        if -_LINES_AFTER <= order - one.place.order <= _LINES_BEFORE
    ]
    if not near:
        return False
    nearest = max(one.place.order for one in near)
    return not any(nearest < step.place.order < order for step in case.all("progress.step"))
