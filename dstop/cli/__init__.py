"""The command line: reads what was asked, wires the parts together, decides nothing else."""

from __future__ import annotations

import gc
import os
import sys
from typing import NoReturn

INTERRUPTED = 130


def main() -> None:
    """Run `dstop` and leave with its exit code: 0 fine, 1 failed, 2 usage, 3 findings, 130 interrupted."""
    # A run of a tenth of a second gains nothing from looking for cycles; what runs longer turns this on again.
    gc.disable()
    try:
        from dstop.cli.program import run  # noqa: PLC0415 - so that Ctrl-C while it loads is as quiet as later

        code = run(sys.argv[1:])
    except KeyboardInterrupt:
        code = INTERRUPTED
    _leave(code)


def _leave(code: int) -> NoReturn:
    """End at once: taking the interpreter down costs a tenth of a short run, and may wait for a driver that hangs."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):
            continue  # closed, or gone: whoever wrote has said so
    os._exit(code)
