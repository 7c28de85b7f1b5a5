"""The variables that bring the hook into every Python a job starts, and nothing else that the job could notice."""

from __future__ import annotations

import os
import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dstop.model.value import Value
from dstop.pytorch.incident.place import default_place

if TYPE_CHECKING:
    from collections.abc import Mapping

SITE = os.path.join(os.path.dirname(os.path.dirname(os.path.realpath(__file__))), "site")  # noqa: PTH118, PTH120 - Path costs 4 ms
"""The directory of our `sitecustomize.py`; it goes first on PYTHONPATH."""

_LONGEST_NAME = 40
_LONGEST_RUN_ID = 120
_NAME = re.compile(r"[A-Za-z0-9_-]+\Z")
_RUN_ID = re.compile(r"[A-Za-z0-9_.-]+\Z")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class HookOptions(Value):
    """What the hook is to do in the job's processes."""

    incidents: str | None = None
    """Where incidents go; None for the usual place."""
    history_entries: int | None = None
    """How many allocations and frees are remembered with their stacks; None for none."""
    black_box: bool = True
    """Whether an out-of-memory error leaves an incident behind."""


def hook_environment(environ: Mapping[str, str], options: HookOptions) -> dict[str, str]:
    """Give the variables that are to be set, and no others; those that are as they should be stay as they are."""
    values = {"PYTHONPATH": _path(environ.get("PYTHONPATH", ""))}
    if options.incidents is not None:
        values["DSTOP_INCIDENTS"] = os.path.abspath(options.incidents)  # noqa: PTH100 - pathlib would resolve links
    if options.history_entries is not None:
        values["DSTOP_HISTORY"] = str(options.history_entries)
    if not options.black_box:
        values["DSTOP_BLACK_BOX"] = "0"
    return values


def run_environment(environ: Mapping[str, str], options: HookOptions, run: str) -> dict[str, str]:
    """Give the whole environment of the command: what is there, the hook's variables, and the id of this run.

    The directory of incidents is named outright: a process of the job may have another HOME.
    """
    values = {**environ, **hook_environment(environ, options), "DSTOP_RUN": run}
    values.setdefault("DSTOP_INCIDENTS", default_place(environ))
    return values


def export_lines(environ: Mapping[str, str], options: HookOptions) -> str:
    """Write the hook's variables for a shell to evaluate; evaluating them twice changes nothing."""
    values = hook_environment(environ, options)
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in values.items())


def new_run_id(environ: Mapping[str, str], name: str | None = None) -> str:
    """Make an id that no other run has; one within another run begins with the outer one's, as incidents tell."""
    own = os.urandom(6).hex()
    if name is not None:
        own = f"{name}-{own}"
    outer = environ.get("DSTOP_RUN", "")
    nested = f"{outer}.{own}"
    return nested if _RUN_ID.match(outer) and len(nested) <= _LONGEST_RUN_ID else own


def belongs_to(run: str | None, outer: str) -> bool:
    """Whether a process with this DSTOP_RUN is of the run, or of one within it."""
    return run is not None and (run == outer or run.startswith(f"{outer}."))


def is_name(text: str) -> bool:
    """Whether a run may be called so: letters, digits, `-` and `_`, at most 40 of them."""
    return len(text) <= _LONGEST_NAME and _NAME.match(text) is not None


def _path(existing: str) -> str:
    if not existing:
        return SITE
    rest = [entry for entry in existing.split(os.pathsep) if entry != SITE]
    return os.pathsep.join([SITE, *rest]) if rest else SITE
