"""Labels of Slurm: which job and step a GPU process belongs to, from the environment Slurm gives it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from collections.abc import Mapping

hookimpl = pluggy.HookimplMarker("dstop")

_LABELS = {"SLURM_JOB_ID": "slurm job", "SLURM_JOB_NAME": "slurm name", "SLURM_STEP_ID": "slurm step"}


@hookimpl
def labels(environ: Mapping[str, str]) -> Mapping[str, str] | None:
    """Give the job's id and name, and the step; None for a process that Slurm did not start."""
    found = {label: environ[name] for name, label in _LABELS.items() if environ.get(name)}
    return found or None
