"""What is left of many guests: attach and detach over and over in one process, and look at what it holds.

    python benchmarks/attach/repeat.py [--cycles 200] [--kinds busy,sleep] [--json FILE]

The kinds of targets take turns over the interpreters. The first cycle is told apart: what the guest needs is imported
once and stays. Growth is what the target holds after the last cycle, less what it held after the tenth.
"""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING, Any

import figures
from guests import guest, held
from targets import Interpreter, Target, heartbeat, interpreters

from dstop.errors import DstopError

if TYPE_CHECKING:
    from pathlib import Path

SETTLED = 10
"""Cycles after which a process has imported and cached whatever it will."""
COLUMNS = {
    "name": "target",
    "cycles": "cycles",
    "failed": "failed",
    "harm": "hurt",
    "latency_ms": "first figures ms",
    "first_rss_kib": "first cycle: RSS KiB",
    "threads": "threads",
    "descriptors": "descriptors",
    "maps": "maps",
    "rss_kib_per_cycle": "RSS KiB/cycle",
}


def measure(interpreter: Interpreter, kind: str, library: Path, cycles: int) -> dict[str, Any]:
    """Attach to one process again and again."""
    taken: list[float] = []
    failures: list[str] = []
    with Target(interpreter, kind, library) as target:
        call = target.call()
        seen = [held(target.pid)]
        for cycle in range(cycles):
            figures.progress(f"{kind}, {interpreter.version}: {cycle + 1} of {cycles}")
            began = time.perf_counter()
            try:
                with guest(target.pid) as client:
                    client.ask("stats")
                    taken.append((time.perf_counter() - began) * 1e3)
            except DstopError as error:
                failures.append(str(error))
            seen.append(held(target.pid))
        harm = target.harm(call)
    settled, last = seen[min(SETTLED, cycles - 1)], seen[-1]
    after = max(1, len(seen) - 1 - min(SETTLED, cycles - 1))
    return {
        "name": f"{kind}, {interpreter.minor}{' simulated CUDA' if interpreter.simulated else ''}",
        "cycles": cycles,
        "failed": len(failures),
        "failures": sorted(set(failures)),
        "harm": harm,
        "latency_ms": figures.summary(taken),
        "first_rss_kib": (seen[1].rss_bytes - seen[0].rss_bytes) / 1024,
        "threads": f"{last.threads - seen[0].threads:+d}",
        "descriptors": f"{last.descriptors - seen[0].descriptors:+d}",
        "maps": f"{last.maps - settled.maps:+d}",
        "rss_kib_per_cycle": (last.rss_bytes - settled.rss_bytes) / 1024 / after,
        "held": [each._asdict() for each in (seen[0], seen[1], settled, last)],
        "rss_bytes": [each.rss_bytes for each in seen],
    }


def main() -> None:
    """Take the interpreters in turn, with one kind of target each, and print the table."""
    parser = figures.parser(__doc__)
    parser.add_argument("--cycles", type=int, default=200)
    parser.add_argument("--kinds", default="busy,sleep", help="of targets, in turn over the interpreters")
    args = parser.parse_args()
    machine, kinds = figures.machine(), itertools.cycle(args.kinds.split(","))
    with heartbeat() as library:
        rows = [
            measure(each, "torch" if each.simulated else next(kinds), library, args.cycles)
            for each in interpreters(args.python)
        ]
    report = {"benchmark": "attach/repeat", "machine": machine, "rows": rows}
    if figures.write_json(report, args.json):
        return
    figures.progress("")
    print("attach, stats, detach; threads and descriptors against the start; times median / p99 / most\n")
    figures.print_table(COLUMNS, rows)
    for row in rows:
        if row["failures"]:
            print(f"{row['name']}: {'; '.join(row['failures'])}")


if __name__ == "__main__":
    main()
