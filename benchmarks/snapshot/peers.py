"""How long until a snapshot says something, and with how much memory: dstop, Meta's mosaic, and torch's own viewer.

python benchmarks/snapshot/peers.py FILE… [--rounds 3] [--mosaic FOLDER] [--mosaic-python PYTHON]
                                         [--torch-python PYTHON] [--without COMMAND]…

Each command is a process of its own, from start to exit; they take turns, so that a noisy minute falls on all; the
figures are medians. Memory is the most that was resident (`wait4`). What is compared:

* dstop: all of `dstop snapshot FILE --once --json`; and the part of it that mosaic does too (load, peak, what is live
  there by category, the largest sites), without a command line.
* mosaic: `get_memory_usage_peak`, its answer to "what was alive at the peak".
* `torch.cuda._memory_viz stats`: the least that it can be asked. It looks at no event, so it is a lower bound for
  everything else that reads with `pickle.load`.
* `torch.cuda._memory_viz trace_plot`: the timeline, which is what people open. What the browser then takes to show the
  page is not counted.
* `import torch` and `import mosaic`, what the peers take before they read: the ratios are given with and without it.

Before the race each peer's bytes are compared with dstop's; a race between different answers is none.
The checkout of mosaic (a folder) and the Pythons that have its requirements and torch are options, or the environment:
DSTOP_MOSAIC, DSTOP_MOSAIC_PYTHON, DSTOP_CUDASIM_PYTHON. A peer that is not there, or does not read a file, is left out.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROOT = Path(__file__).resolve().parents[2]
GIB = 1 << 30
PEAK = """
import sys
from dstop.snapshot.load import load_snapshot
from dstop.snapshot.study import studies_of
for study in studies_of(load_snapshot(sys.argv[1])):
    moment = study.moment(study.peak)
    print(moment.live_bytes, moment.static_bytes, moment.shares, moment.sites)
"""
CHECK = """
import json, sys
import numpy as np
from dstop.snapshot.load import load_snapshot
from dstop.snapshot.lives import lives_of
lives = lives_of(load_snapshot(sys.argv[1]), 0)
young = lives.begin >= 0
change = np.zeros(lives.events + 1, np.int64)
np.add.at(change, lives.begin[young], lives.requested[young])
np.add.at(change, lives.end[young], -lives.requested[young])
static = lives.size[(lives.begin < 0) & (lives.end >= lives.events)].sum()
held = lives.requested[lives.end >= lives.events].sum()
print(json.dumps({"dynamic": int(np.cumsum(change[:-1]).max()), "static": int(static), "held": int(held)}))
"""
"""What mosaic and `stats` call their results, from dstop's lives: requests before rounding, never freed ones aside."""


class Taken(NamedTuple):
    """One run."""

    seconds: float
    cpu_seconds: float
    megabytes: float
    status: int


@dataclass(frozen=True, kw_only=True)
class Runner:
    """One command; `{file}` stands for the snapshot."""

    name: str
    command: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    before: str = ""
    """The name of the command that does only what it does before it reads."""
    gzip: bool = False
    """Whether it reads compressed files."""

    def run(self, file: str, output: int = subprocess.DEVNULL) -> Taken:
        """Run it to its end."""
        command = [part.replace("{file}", file) for part in self.command]
        began = time.perf_counter()
        child = subprocess.Popen(command, env=os.environ | self.env, stdout=output, stderr=output)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        wall, cpu = time.perf_counter() - began, usage.ru_utime + usage.ru_stime
        return Taken(wall, cpu, usage.ru_maxrss / 1e3, child.returncode)

    def text(self, file: str) -> str:
        """Run it, and give what it prints on both outputs."""
        with tempfile.TemporaryFile() as output:
            self.run(file, output.fileno())
            output.seek(0)
            return output.read().decode(errors="replace")


def runners(args: argparse.Namespace, page: Path) -> list[Runner]:
    """Give everything that can be run here, what comes before the reading first."""
    ours = {"PYTHONPATH": str(ROOT)}
    made = [
        Runner(
            name="dstop: load, peak, sites",
            command=(sys.executable, "-c", PEAK, "{file}"),
            env=ours,
            gzip=True,
        )
    ]
    verb = (sys.executable, "-m", "dstop", "snapshot")
    help_says = subprocess.run([*verb, "--help"], env=os.environ | ours, capture_output=True, check=False)
    if help_says.returncode == 0:
        command = (*verb, "{file}", "--once", "--json")
        whole = Runner(name="dstop snapshot --once --json", command=command, env=ours, gzip=True)
        made.insert(0, whole)
    if args.mosaic and args.mosaic_python:
        env, start = (
            {"PYTHONPATH": args.mosaic},
            (args.mosaic_python, "-m", "mosaic.cmd.get_memory_usage_peak"),
        )
        imports = (args.mosaic_python, "-c", "import mosaic.cmd.entry_point")
        made += [
            Runner(name="import mosaic", command=imports, env=env, gzip=True),
            Runner(
                name="mosaic peak", command=(*start, "--snapshot", "{file}"), env=env, before="import mosaic"
            ),
        ]
    if args.torch_python:
        viewer, to = (args.torch_python, "-m", "torch.cuda._memory_viz"), ("-o", str(page))
        imports = (args.torch_python, "-c", "import torch.cuda._memory_viz")
        made += [
            Runner(name="import torch", command=imports, gzip=True),
            Runner(name="_memory_viz stats", command=(*viewer, "stats", "{file}"), before="import torch"),
            Runner(
                name="_memory_viz trace_plot",
                command=(*viewer, "trace_plot", "{file}", *to),
                before="import torch",
            ),
        ]
    return made


def agreement(file: str, commands: Mapping[str, Runner]) -> list[str]:
    """Say of each peer whether its bytes are dstop's."""
    ours = json.loads(
        Runner(name="", command=(sys.executable, "-c", CHECK, "{file}"), env={"PYTHONPATH": str(ROOT)}).text(
            file
        )
    )
    said = []
    if "mosaic peak" in commands:
        text = commands["mosaic peak"].text(file)
        for name, label in (("dynamic", "Peak Dynamic"), ("static", "Static")):
            found = re.search(rf"Total {label} Memory Usage \([^)]*\): ([\d.]+) GiB", text)
            theirs: float | None = round(float(found[1]) * GIB) if found else None
            said.append(_compared(f"mosaic, {name} bytes", theirs, ours[name]))
    if "_memory_viz stats" in commands:
        found = re.search(r"total_allocated: (\S+)GiB", commands["_memory_viz stats"].text(file))
        theirs = float(found[1]) if found else None
        said.append(_compared("_memory_viz stats, GiB at the end", theirs, round(ours["held"] / GIB, 1)))
    return said


def _compared(what: str, theirs: float | None, ours: float) -> str:
    return f"* {what}: {theirs}, dstop {ours}: {'the same' if theirs == ours else '**not the same**'}"


def race(file: str, commands: Sequence[Runner], rounds: int) -> dict[str, list[Taken]]:
    """Let all take turns; the first turn only warms the caches."""
    taken: dict[str, list[Taken]] = {each.name: [] for each in commands}
    for turn in range(rounds + 1):
        for each in commands:
            result = each.run(file)
            if turn:
                taken[each.name].append(result)
    return taken


def table(commands: Sequence[Runner], taken: Mapping[str, Sequence[Taken]]) -> list[str]:
    """Give the medians, and how many times dstop's they are."""
    seconds, cpu, memory = (
        {name: statistics.median(run[column] for run in runs) for name, runs in taken.items()}
        for column in range(3)
    )
    base = commands[0].name
    lines = [
        "| command | s | min - max | CPU s | MB | x time | x CPU | x CPU after imports | x memory | exit |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for each in commands:
        name, runs = each.name, taken[each.name]
        low, high = (limit(run.seconds for run in runs) for limit in (min, max))
        after = f"{(cpu[name] - cpu[each.before]) / cpu[base]:.1f}" if each.before else ""
        lines.append(
            f"| {name} | {seconds[name]:.2f} | {low:.2f} - {high:.2f} | {cpu[name]:.2f} | {memory[name]:.0f}"
            f" | {seconds[name] / seconds[base]:.1f} | {cpu[name] / cpu[base]:.1f} | {after}"
            f" | {memory[name] / memory[base]:.1f} | {sorted({run.status for run in runs})} |"
        )
    return lines


def main() -> None:
    """Race on each file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", nargs="+", metavar="FILE")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--without", action="append", default=[], metavar="COMMAND", help="by its name; repeat it"
    )
    parser.add_argument("--mosaic", default=os.environ.get("DSTOP_MOSAIC"), metavar="FOLDER")
    parser.add_argument("--mosaic-python", default=os.environ.get("DSTOP_MOSAIC_PYTHON"), metavar="PYTHON")
    parser.add_argument("--torch-python", default=os.environ.get("DSTOP_CUDASIM_PYTHON"), metavar="PYTHON")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = runners(args, Path(folder) / "page.html")
        for file in args.files:
            zipped = file.endswith(".gz")
            commands = [each for each in found if (each.gzip or not zipped) and each.name not in args.without]
            print(f"\n{Path(file).name}, {Path(file).stat().st_size / 1e6:.0f} MB, median of {args.rounds}\n")
            print(*table(commands, race(file, commands, args.rounds)), "", sep="\n")
            print(*agreement(file, {each.name: each for each in commands}), sep="\n", flush=True)


if __name__ == "__main__":
    main()
