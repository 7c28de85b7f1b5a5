"""What the user wants of a run, and the run that comes of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dstop.model.value import Value
from dstop.pytorch.incident.place import default_place
from dstop.pytorch.run.environment import HookOptions, new_run_id, run_environment
from dstop.pytorch.run.kernel_log import KERNEL_LOG

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

TAIL_LINES = 200


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class RunOptions(Value):
    """What the user wants of a run, and where the system's files lie."""

    hook: HookOptions = field(default_factory=HookOptions)
    tail_lines: int = TAIL_LINES
    """0: the command keeps our own output streams, and nothing of them is remembered."""
    name: str | None = None
    root: str = "/"
    kernel_log: str = KERNEL_LOG


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Run(Value):
    """One run of one command."""

    id: str
    """What DSTOP_RUN holds in its processes."""
    name: str | None
    command: tuple[str, ...]
    environ: Mapping[str, str]
    """The whole environment of the command."""
    incidents: str
    """The directory for incidents."""


def plan_run(command: Sequence[str], options: RunOptions, environ: Mapping[str, str]) -> Run:
    """Make the run of a command in an environment."""
    run = new_run_id(environ, options.name)
    within = run_environment(environ, options.hook, run)
    return Run(
        id=run,
        name=options.name,
        command=tuple(command),
        environ=within,
        incidents=default_place(within),
    )
