"""What a live monitor costs: dstop and its peers, in turn, on the same simulated machine.

    python benchmarks/monitor.py [--gpus 8] [--procs 8] [--size 200x60] [--seconds 20] [--rounds 2] [NAME…]

Prints a Markdown table of medians, each with its ratio to nvitop. On a shared machine, trust the ratios.
"""

from __future__ import annotations

import argparse
import statistics

from machine import Subject, build_simulator, machine, subjects
from terminal import Terminal

GPU_NAME = rb"H100|GPU ?0"
PROCESS = rb"train|VLLM|torch|python"
SETTLE_S = 6.0
"""A monitor is measured once its start is behind it."""
QUIET_S = 0.25
"""The first burst of output is over when so long a silence follows it; rows may still be missing then."""
QUIT_PATIENCE_S = 25.0

COLUMNS = {
    "cpu": ("CPU ms/refresh", 1e3),
    "full": ("cards and processes shown s", 1.0),
    "frame": ("first burst over s", 1.0),
    "rss": ("RSS MiB", 2**-20),
    "bytes": ("bytes/s", 1.0),
    "calls": ("NVML calls/s", 1.0),
    "quit": ("quit s", 1.0),
}


def first_frame(terminal: Terminal, patience_s: float) -> float | None:
    """Wait for the first whole frame, and give when it was complete."""
    while terminal.now() < patience_s and terminal.pump(0.02):
        if (
            terminal.chunks
            and terminal.now() - terminal.chunks[-1][0] > QUIET_S
            and terminal.seen_at(GPU_NAME)
        ):
            return terminal.chunks[-1][0]
    return None


def measure(subject: Subject, args: argparse.Namespace) -> tuple[dict[str, float | None], str]:
    """Run one program once: its figures by column (rates are per second of the window), and its end."""
    columns, rows = (int(part) for part in args.size.split("x"))
    with (
        machine(args.library, args.gpus, args.procs) as host,
        Terminal(subject.live, host.env | dict(subject.env), columns, rows) as terminal,
    ):
        found: dict[str, float | None] = {"frame": first_frame(terminal, SETTLE_S)}
        if not terminal.pump(max(0.0, SETTLE_S - terminal.now())):
            return found, terminal.ending()
        shown = (terminal.seen_at(GPU_NAME), terminal.seen_at(PROCESS))
        found["full"] = None if shown[0] is None or shown[1] is None else max(shown[0], shown[1])
        began, cpu, calls, size = terminal.now(), terminal.cpu_s(), host.calls(), len(terminal.raw)
        if not terminal.pump(args.seconds):
            return found, terminal.ending()
        window = terminal.now() - began
        found["cpu"] = (terminal.cpu_s() - cpu) / window
        found["calls"] = (host.calls() - calls) / window
        found["bytes"] = (len(terminal.raw) - size) / window
        found["rss"] = float(terminal.rss_bytes())
        found["quit"] = terminal.quit(subject.quit_key, QUIT_PATIENCE_S)
        terminal.kill()
        return found, terminal.ending()


def median(values: list[float | None]) -> float | None:
    """Give the median of what was measured, or None when nothing was."""
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


def cell(value: float | None, base: float | None, scale: float) -> str:
    """Write one figure and its ratio to the base."""
    if value is None:
        return "-"
    ratio = f" ({value / base:.2f}x)" if base else ""
    return f"{value * scale:.3g}{ratio}"


def main() -> None:
    """Measure in turn, round by round, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", default=["dstop", "nvitop", "gpustat"], metavar="NAME")
    parser.add_argument("--gpus", type=int, default=8)
    parser.add_argument("--procs", type=int, default=8, help="per GPU")
    parser.add_argument("--size", default="200x60", help="columns x rows")
    parser.add_argument("--seconds", type=float, default=20.0, help="length of the measured window")
    parser.add_argument("--rounds", type=int, default=2)
    args = parser.parse_args()
    args.library = build_simulator()
    programs = subjects(args.names)
    results: dict[str, list[dict[str, float | None]]] = {program.name: [] for program in programs}
    endings: dict[str, str] = {}
    for _ in range(args.rounds):
        for program in programs:
            found, endings[program.name] = measure(program, args)
            results[program.name].append(found)
    middle = {
        name: {key: median([run.get(key) for run in runs]) for key in COLUMNS}
        for name, runs in results.items()
    }
    base = middle.get("nvitop", {})
    print(f"{args.gpus} GPUs x {args.procs} processes, {args.size}, one refresh a second,")
    print(f"median of {args.rounds}, in brackets the ratio to nvitop\n")
    print("| monitor | " + " | ".join(title for title, _ in COLUMNS.values()) + " | ends with |")
    print("|---|" + "--:|" * len(COLUMNS) + "---|")
    for name, figures in middle.items():
        cells = [cell(figures[key], base.get(key), scale) for key, (_, scale) in COLUMNS.items()]
        print(f"| {name} | " + " | ".join(cells) + f" | {endings[name]} |")


if __name__ == "__main__":
    main()
