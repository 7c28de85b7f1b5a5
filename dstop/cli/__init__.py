"""The command line: reads what was asked, wires the parts together, decides nothing else."""

from __future__ import annotations

import gc
import sys

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
    sys.exit(code)
