"""How long a one-shot takes from start to exit: dstop and its peers, in turn, on the same simulated machine.

python benchmarks/oneshot.py [--gpus 8] [--procs 8] [--rounds 15] [NAME…]
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from machine import build_simulator, machine, subjects

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def run(command: Sequence[str], env: Mapping[str, str]) -> tuple[float, float, int]:
    """Run a command to its end: wall seconds, processor seconds, exit status."""
    began = time.perf_counter()
    child = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    wall = time.perf_counter() - began
    child.returncode = os.waitstatus_to_exitcode(status)
    return wall, usage.ru_utime + usage.ru_stime, child.returncode


def main() -> None:
    """Take every command in turn, so that a noisy minute falls on all, and print medians."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", default=["dstop", "nvitop", "gpustat"], metavar="NAME")
    parser.add_argument("--gpus", type=int, default=8)
    parser.add_argument("--procs", type=int, default=8, help="per GPU")
    parser.add_argument("--rounds", type=int, default=15)
    args = parser.parse_args()
    commands: dict[str, tuple[Sequence[str], Mapping[str, str]]] = {
        "python -c pass": ((sys.executable, "-c", "pass"), {})
    }
    for program in subjects(args.names):
        commands |= {name: (command, program.env) for name, command in program.once.items()}
    taken: dict[str, list[tuple[float, float, int]]] = {name: [] for name in commands}
    with machine(build_simulator(), args.gpus, args.procs) as host:
        for turn in range(args.rounds + 1):
            for name, (command, env) in commands.items():
                result = run(command, host.env | dict(env))
                if turn:  # the first only warms the caches
                    taken[name].append(result)
    wall = {name: statistics.median(each[0] for each in results) for name, results in taken.items()}
    base = wall.get("nvitop -1")
    print(
        f"{args.gpus} GPUs x {args.procs} processes, start to exit, median of {args.rounds}, taken in turn\n"
    )
    print("| command | wall ms | min - max | CPU ms | x nvitop -1 | exit |\n|---|--:|--:|--:|--:|--:|")
    for name, results in taken.items():
        walls = [each[0] * 1e3 for each in results]
        cpu = statistics.median(each[1] for each in results) * 1e3
        ratio = f"{wall[name] / base:.2f}" if base else "-"
        spread = f"{min(walls):.0f} - {max(walls):.0f}"
        print(f"| `{name}` | {wall[name] * 1e3:.0f} | {spread} | {cpu:.0f} | {ratio} | {results[-1][2]} |")


if __name__ == "__main__":
    main()
