"""What a monitor does when the driver misbehaves: each fault in a pseudo-terminal, for dstop and any peer.

    python benchmarks/faults.py [--only GLOB] [--list] [NAME…]

`ok`: readings keep changing. `frozen`: alive, and they stand still. `exits …`: it ended by itself. `TB`: a
traceback was shown. `q N`: it took N seconds to quit, `NOQUIT`: it did not within 25. `+heals` and `-heals`:
whether readings move again once the fault is lifted. A start without a driver may well end, saying why.
"""

from __future__ import annotations

import argparse
import re
from dataclasses import dataclass
from fnmatch import fnmatch

from machine import Machine, Subject, build_simulator, machine, subjects
from screen import Screen
from terminal import Terminal

SIZE = (200, 60)
QUIT_PATIENCE_S = 25.0
SLOW_QUIT_S = 1.0
LOOK_S, LOOKS, ENOUGH = 0.5, 9, 3
"""The screen is looked at so often; readings move when this many looks differ from the one before."""
GPUS_MOVING = 3
"""In so many lines, for a line or two of the host's memory move without any GPU."""


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong, at start or under the running program."""

    text: str = ""
    at_start: bool = False
    library: bool = True
    """False: there is no driver library at all."""
    flags: tuple[str, ...] = ()
    """What the driver library is compiled with."""
    small: bool = False
    """The terminal shrinks to 20 x 5 and grows again."""
    env: tuple[tuple[str, str], ...] = ()


CASES = {
    "start-nolib": Fault(at_start=True, library=False),
    "start-init-fail": Fault("init fail", at_start=True),
    "start-mismatch": Fault("driver mismatch", at_start=True),
    "start-0gpus": Fault("gpus 0", at_start=True),
    "start-gpu3-lost": Fault("gpu 3 lost", at_start=True),
    "start-noperm": Fault("fn nvmlDeviceGet*Process* nopermission", at_start=True),
    "start-power-notsup": Fault("fn nvmlDeviceGetPower* notsupported", at_start=True),
    "start-util-notsup": Fault("fn nvmlDeviceGet*Utilization* notsupported", at_start=True),
    "start-mem-notsup": Fault("fn nvmlDeviceGetMemoryInfo* notsupported", at_start=True),
    "start-latency5ms": Fault("latency 5000", at_start=True),
    "start-name-bytes": Fault("name bytes", at_start=True),
    "start-struct535": Fault(at_start=True, flags=("-DNVMLSIM_535",)),
    "start-gb10": Fault(at_start=True, env=(("NVMLSIM_BOARD", "gb10"),)),
    "start-vgpu": Fault(at_start=True, env=(("NVMLSIM_BOARD", "vgpu"),)),
    "start-mig": Fault(at_start=True, env=(("NVMLSIM_MIG", "0:3g.40gb,3g.40gb;1:1g.10gb"),)),
    "gpu3-lost": Fault("gpu 3 lost"),
    "gpu2-hang5": Fault("gpu 2 hang 5"),
    "procs-vanish": Fault("procs vanish"),
    "procs-dead": Fault("procs dead"),
    "procs-churn": Fault("procs churn"),
    "procs-nomem": Fault("procs nomem"),
    "procs-garbage": Fault("procs garbage"),
    "driver-gone": Fault("driver gone"),
    "gpus-4": Fault("gpus 4"),
    "mem-zero": Fault("mem zero"),
    "util-garbage": Fault("util garbage"),
    "util-over": Fault("util over"),
    "util-notfound": Fault("util notfound"),
    "all-unknown": Fault("fn nvmlDevice* unknown"),
    "mem-notsup": Fault("fn nvmlDeviceGetMemoryInfo* notsupported"),
    "mig-appears": Fault("mig 0:3g.40gb,3g.40gb"),
    "xid": Fault("xid 1 79"),
    "resize-20x5": Fault(small=True),
}

READING = re.compile(r"\d ?(?:%|W\b|°?C\b|[MG](?:i?B)?\b)")
OF_THE_HOST = re.compile(r"\bCPU|\bSWP|\bload\b|\bup(?:time)?\b|\bdstop\b", re.IGNORECASE)
CLOCK = re.compile(r"\d+:\d\d(?::\d\d)?|\b\d+(?:\.\d+)? ?s\b")
"""Clocks and ages go on without a driver: they are no readings."""
TRACEBACK = re.compile(rb"Traceback \(most recent call last\)|\xe2\x94\x80 Traceback ")


def readings(screen: Screen) -> dict[int, str]:
    """Give the lines of the screen that hold figures, by row, without clocks and ages."""
    rows = {y: CLOCK.sub("", line) for y, line in enumerate(screen.lines()) if not OF_THE_HOST.search(line)}
    return {y: line for y, line in rows.items() if READING.search(line)}


class Watch:
    """A program and the screen it draws."""

    def __init__(self, terminal: Terminal) -> None:
        self.terminal = terminal
        self.screen = Screen(*SIZE)
        self._fed = 0

    def pump(self, seconds: float) -> bool:
        """Let it run, and draw what it writes."""
        alive = self.terminal.pump(seconds)
        self.screen.feed(bytes(self.terminal.raw[self._fed :]))
        self._fed = len(self.terminal.raw)
        return alive

    def moves(self) -> bool:
        """Say whether the readings on the screen change."""
        before, changes = readings(self.screen), 0
        for _ in range(LOOKS):
            self.pump(LOOK_S)
            now = readings(self.screen)
            moved = sum(now[y] != before[y] for y in now.keys() & before.keys())
            changes += moved >= GPUS_MOVING
            before = now
        return changes >= ENOUGH

    def resize(self, columns: int, rows: int) -> None:
        """Make terminal and screen another size."""
        self.screen.resize(columns, rows)
        self.terminal.resize(columns, rows)
        self.pump(1.0)


def verdict(watch: Watch, host: Machine, fault: Fault, quit_key: str) -> list[str]:
    """Let the fault happen to a program that has started, and say how it took it."""
    said = []
    if not fault.at_start:
        host.faults(fault.text)
    if fault.small:
        watch.resize(20, 5)
        watch.resize(*SIZE)
    watch.pump(1.5)
    moving = watch.moves()
    if watch.terminal.status is not None:
        return [f"**exits {watch.terminal.ending()}**"]
    said.append("ok" if moving else "frozen")
    if not moving:
        host.faults("")
        watch.pump(5.5)  # a call that hangs ends first
        said.append("+heals" if watch.moves() else "-heals")
        host.faults(fault.text)
        watch.pump(0.5)
    took = watch.terminal.quit(quit_key, QUIT_PATIENCE_S)
    if took is None:
        said.append("**NOQUIT**")
    elif took > SLOW_QUIT_S:
        said.append(f"q {took:.1f}")
    return said


def run(subject: Subject, fault: Fault) -> str:
    """Run one program through one fault, and give the cell of the table."""
    with machine(build_simulator(*fault.flags), gpus=8, procs=8) as host:
        env = host.env | dict(subject.env) | dict(fault.env)
        if not fault.library:
            env["LD_LIBRARY_PATH"] = "/nonexistent"
        if fault.at_start:
            host.faults(fault.text)
        with Terminal(subject.live, env, *SIZE) as terminal:
            watch = Watch(terminal)
            if watch.pump(4.0):
                said = verdict(watch, host, fault, subject.quit_key)
            else:
                said = [f"exits {terminal.ending()}"]
            if TRACEBACK.search(bytes(terminal.raw)):
                said.append("TB")
    return ", ".join(said)


def main() -> None:
    """Go through the matrix, a row at a time, and print it as it comes."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", default=["dstop", "nvitop"], metavar="NAME")
    parser.add_argument("--only", default="*", help="the faults whose name matches")
    parser.add_argument("--list", action="store_true", help="name the faults, run nothing")
    args = parser.parse_args()
    if args.list:
        print("\n".join(CASES))
        return
    programs = subjects(args.names)
    print("| fault | " + " | ".join(program.name for program in programs) + " |")
    print("|---|" + "---|" * len(programs), flush=True)
    for name, fault in CASES.items():
        if fnmatch(name, args.only):
            cells = [run(program, fault) for program in programs]
            print(f"| {name} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
