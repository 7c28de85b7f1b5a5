"""How long `dstop plan` takes from start to exit, and how much of it a search is; no driver is asked.

python benchmarks/plan.py [--rounds 15]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

SPEC = {
    "model": "llama-3-70b",
    "phase": "training",
    "batch": 1,
    "sequence": 8192,
    "parallel": {"tp": 8, "pp": 4, "dp": 4, "zero": 1},
}
COMMANDS = (
    ("llama-3-8b", "--json"),
    ("SPEC.json", "--json"),
    ("deepseek-v3", "--framework", "vllm", "--tp", "8", "--json"),
    ("llama-3-8b", "--once"),
    ("llama-3-70b", "--training", "--search", "--json"),
    ("deepseek-v3", "--training", "--search", "--json"),
)


def run(command: Sequence[str], folder: str) -> tuple[float, float]:
    """Run a command to its end: wall and processor milliseconds.

    Raises:
        RuntimeError: it fails.
    """
    began = time.perf_counter()
    child = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    wall = time.perf_counter() - began
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise RuntimeError(f"{' '.join(command)} ends with {child.returncode}")
    return wall * 1e3, (usage.ru_utime + usage.ru_stime) * 1e3


def main() -> None:
    """Take every command in turn, so that a noisy minute falls on all, and print medians."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    taken: dict[tuple[str, ...], list[tuple[float, float]]] = {words: [] for words in COMMANDS}
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "SPEC.json").write_text(json.dumps(SPEC))
        for turn in range(rounds + 1):
            for words, results in taken.items():
                result = run([sys.executable, "-m", "dstop", "plan", *words], folder)
                if turn:  # the first only warms the caches
                    results.append(result)
    print(f"start to exit, median of {rounds}, taken in turn\n")
    print("| command | wall ms | min - max | CPU ms |\n|---|--:|--:|--:|")
    for words, results in taken.items():
        walls = [wall for wall, _ in results]
        cpu = statistics.median(each for _, each in results)
        spread = f"{min(walls):.0f} - {max(walls):.0f}"
        print(f"| `dstop plan {' '.join(words)}` | {statistics.median(walls):.0f} | {spread} | {cpu:.0f} |")


if __name__ == "__main__":
    main()
