"""Whether a dstop that dies while it attaches takes the target with it: SIGKILL and SIGINT at random moments.

    python benchmarks/attach/kill.py [--kills 200] [--kinds busy,sleep,cmalloc,threads8] [--json FILE]

The moment is drawn uniformly from the length of a whole attach of that target. After each kill the target is
looked at, and must let a guest in again.
"""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import figures
from guests import guest
from targets import Interpreter, Target, heartbeat, interpreters, plan

from dstop.errors import DstopError

if TYPE_CHECKING:
    from pathlib import Path

ATTACHER = """import sys
from dstop.pytorch.attach import attach
print("ready", flush=True)
sys.stdin.readline()
attach(int(sys.argv[1]), timeout_s=20.0, without_torch=True).client.ask("stats")"""
ENDS_S = 10.0
"""How long an interrupted attacher may take to end."""
PER_TARGET = 10
"""Kills that one process has to live through."""
BEYOND = 1.1
"""A few kills come when the attach is over."""
COLUMNS = {
    "name": "target",
    "kills": "kills",
    "finished": "came too late",
    "dead": "targets dead",
    "hurt": "hurt otherwise",
    "again": "no guest afterwards",
    "lingers": "dstop did not end",
}


def kill_one(target: Target, moment_s: float, number: int) -> dict[str, Any]:
    """Start an attacher, send it a signal at that moment, and see what becomes of both."""
    with subprocess.Popen(
        [sys.executable, "-c", ATTACHER, str(target.pid)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as child:
        if child.stdin is None or child.stdout is None:
            raise RuntimeError("pipes were asked for and not given")
        child.stdout.readline()
        child.stdin.write("\n")
        with suppress(BrokenPipeError):
            child.stdin.flush()
        time.sleep(moment_s)
        child.send_signal(number)
        try:
            status = child.wait(ENDS_S)
        except subprocess.TimeoutExpired:
            child.kill()
            return {"finished": False, "lingers": True}
    return {"finished": status == 0, "lingers": False}


def attach_s(target: Target) -> float:
    """Attach and detach once, unharmed; how long until the figures were there.

    Raises:
        DstopError: when no guest comes up.
    """
    began = time.perf_counter()
    with guest(target.pid) as client:
        client.ask("stats")
        return time.perf_counter() - began


def series(
    interpreter: Interpreter, kind: str, library: Path, kills: int, source: random.Random
) -> list[dict[str, Any]]:
    """Kill attachers of one process, until it is hurt or has lived through them all."""
    found = []
    with Target(interpreter, kind, library) as target:
        call = target.call()
        length_s = attach_s(target)
        for turn in range(kills):
            number = (signal.SIGKILL, signal.SIGINT)[turn % 2]
            moment_s = source.uniform(0, BEYOND * length_s)
            record = {"kind": kind, "python": interpreter.minor, "signal": number.name, "moment_s": moment_s}
            record |= kill_one(target, moment_s, number)
            record["harm"] = target.harm(call)
            record["again"] = None
            found.append(record)
            if record["harm"]:
                break
            try:
                attach_s(target)
            except DstopError as error:
                record["again"] = str(error)
    return found


def row(name: str, records: list[dict[str, Any]]) -> dict[str, Any]:
    """Sum up one row."""
    dead = [each for each in records if any(what.startswith("crash") for what in each["harm"])]
    return {
        "name": name,
        "kills": len(records),
        "finished": sum(each["finished"] for each in records),
        "dead": len(dead),
        "hurt": sum(bool(each["harm"]) for each in records) - len(dead),
        "harm": dict(Counter(what for each in records for what in each["harm"])),
        "again": sum(each["again"] is not None for each in records),
        "afterwards": dict(Counter(each["again"] for each in records if each["again"])),
        "lingers": sum(each["lingers"] for each in records),
    }


def main() -> None:
    """Kill attachers over all targets in turn, and print what became of the targets."""
    parser = figures.parser(__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--kinds", default="busy,sleep,cmalloc,threads8", help="of targets")
    args = parser.parse_args()
    source, machine = random.Random(args.seed), figures.machine()  # noqa: S311 - moments, no secret
    pairs, left_out = plan(args.kinds.split(","), interpreters(args.python))
    if not pairs:
        parser.error("; ".join(left_out))
    source.shuffle(pairs)
    records: list[dict[str, Any]] = []
    with heartbeat() as library:
        for kind, interpreter in pairs * args.kills:
            wanted = min(PER_TARGET, args.kills - len(records))
            if wanted <= 0:
                break
            figures.progress(f"{len(records)} of {args.kills}: {kind}, {interpreter.version}")
            records += series(interpreter, kind, library, wanted, source)
    rows = [row("**all**", records)]
    rows += [row(kind, [each for each in records if each["kind"] == kind]) for kind in args.kinds.split(",")]
    report = {
        "benchmark": "attach/kill",
        "machine": machine,
        "left_out": left_out,
        "rows": rows,
        "records": records,
    }
    if figures.write_json(report, args.json):
        return
    figures.progress("")
    figures.print_table(COLUMNS, rows)
    for each in rows:
        if each["harm"] or each["afterwards"]:
            print(f"{each['name']}: {each['harm'] or ''} {each['afterwards'] or ''}")


if __name__ == "__main__":
    main()
