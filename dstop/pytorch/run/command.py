"""One run from its start to its end: `dstop run -- python train.py`."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from dstop.errors import DstopError
from dstop.pytorch.run.channel import STDERR, hold_closed_streams, open_channels
from dstop.pytorch.run.copying import Copier
from dstop.pytorch.run.evidence import Evidence
from dstop.pytorch.run.interactive import needs_terminal
from dstop.pytorch.run.options import plan_run
from dstop.pytorch.run.spawn import NotStartedError, spawn
from dstop.pytorch.run.tail import Tail
from dstop.pytorch.run.watch import drain, passed_on, take_signals, wait_for
from dstop.pytorch.run.witness import Witness

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dstop.pytorch.run.channel import Channel
    from dstop.pytorch.run.options import RunOptions


def run_command(command: Sequence[str], options: RunOptions, environ: Mapping[str, str]) -> int:
    """Run the command and give our exit code: its own, or 128 and the number of the signal that ended it.

    It is 1 when the command did not fail and its output could not be written.

    Raises:
        NotStartedError: when it cannot be started; its exit codes are 126 and 127, as a shell's.
        DstopError: when there are no descriptors left.
    """
    closed = hold_closed_streams()
    run = plan_run(command, options, environ)
    evidence = Evidence(options.root, options.kernel_log)
    tail = Tail(0 if needs_terminal(run.command) else options.tail_lines)
    blocked = take_signals()
    witness = Witness(passed_on())
    channels = _channels(closed) if tail.most_lines else ()
    try:
        child = spawn(run.command, run.environ, channels, blocked)
    except NotStartedError:
        witness.close()
        raise
    finally:
        for channel in channels:
            os.close(channel.writes)
    copiers = [Copier(channel, tail) for channel in channels]
    for copier in copiers:
        copier.start()
    ending = wait_for(child, channels, witness)
    witness.close()
    drain(copiers)
    problems = {copier.problem for copier in copiers if copier.problem is not None}
    for problem in problems:
        _say(f"cannot write the output of {command[0]}: {problem}: check where it goes")
    if ending.is_bad:
        from dstop.pytorch.run.bad_end import leave_incident  # noqa: PLC0415 - a good end needs none of it

        line = leave_incident(run, evidence, ending, child, tail.lines())
        if line is not None:
            _say(line)
    evidence.close()
    return ending.exit_code or int(bool(problems))


def _channels(closed: frozenset[int]) -> tuple[Channel, ...]:
    try:
        return open_channels(closed)
    except OSError as error:
        message = f"cannot open a pipe or a pseudo terminal for the output: {error.strerror}"
        raise DstopError(message, fix="use --tail 0") from error


def _say(line: str) -> None:
    """Write one line to standard error, whatever became of it."""
    encoding = getattr(sys.stderr, "encoding", None) or "ascii"
    try:
        os.write(STDERR, f"dstop: {line}\n".encode(encoding, "replace"))
    except OSError:
        return  # nobody listens any more
