"""`dstop run`: its options, made into what the run itself takes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from dstop.cli import terminal
from dstop.errors import UsageError
from dstop.pytorch.run.environment import HookOptions, export_lines, is_name
from dstop.pytorch.run.options import RunOptions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def run_verb(command: Sequence[str], options: Mapping[str, Any]) -> int:
    """Run the command, or print the environment that brings the hook into what somebody else starts.

    Raises:
        UsageError: when there is no command, or one too many.
        DstopError: when the command cannot be started.
    """
    hook = HookOptions(
        incidents=options["incidents"],
        history_entries=options["history"],
        black_box=not options["no_black_box"],
    )
    if options["print_env"]:
        if command:
            raise UsageError("--print-env takes no command", fix="leave one of the two out")
        terminal.write(export_lines(os.environ, hook).encode(errors="surrogateescape"))
        return 0
    if not command:
        raise UsageError("there is no command to run", fix="try dstop run -- python train.py")
    name = options["name"]
    if name is not None and not is_name(name):
        raise UsageError(f"{name!r} is no name for a run", fix="use at most 40 letters, digits, - and _")
    from dstop.pytorch.run.command import run_command  # noqa: PLC0415 - printing needs none of it

    wanted = RunOptions(hook=hook, tail_lines=options["tail"], name=name)
    return run_command(command, wanted, os.environ)
