"""What a guest costs its host: steps of a loop without one, with an idle one, with one that is asked once a second.

    python benchmarks/attach/cost.py [--rounds 12] [--seconds 2] [--loops busy,torch] [--json FILE]

One process, short rounds, the order rotated: every arm is compared with the two bare arms of its own round, and these
with each other, which is the noise. Beside the ratio of the steps stands what resolves more than the ratio can: how
much longer the loop's thread slept (time that it neither ran nor queued for a processor: it waited for the GIL), and
what the kernel counted for the guest's own thread. Then: how long `stats` takes on the guest's side, and the black box.
The training loop needs a Python with PyTorch (--python, or DSTOP_CUDASIM_PYTHON for a simulated CUDA device).
"""

from __future__ import annotations

import json
import statistics
import time
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, NamedTuple

import figures
from guests import PATIENCE_S, cpu_ns, guest, queued_ns, threads, wakeups
from targets import STEPS, Interpreter, Target, heartbeat, interpreters

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from dstop.pytorch.client import Client

ARMS = ("bare", "idle", "1 Hz", "bare again")
SETTLE_S = 0.2
"""After a guest has come or gone, before the steps count."""
REQUEST_EVERY_S = 0.01
ASK_OOM, OOM_NS, CPU_NS = 11, 12, 13
"""Slots of the page of loads.py."""
OOM_TRIES = 3
"""So many incidents a process may write at once."""
HISTORY_S = 3.0
SMALL_DEVICE = "CUDASIM_TOTAL=2GiB"
ARM_COLUMNS = {
    "name": "loop, guest",
    "step_us": "step µs",
    "percent": "step, % more than bare",
    "interval": "95 % interval",
    "waited_percent": "loop waits for others, % of time",
    "guest_cpu_percent": "guest's thread, % of time",
    "wakeups_per_s": "its wake-ups/s",
}
REQUEST_COLUMNS = {"name": "loop", "took_us": "stats, guest's side µs", "round_trip_ms": "round trip ms"}
OOM_COLUMNS = {
    "name": "out of memory",
    "raised_ms": "until it is raised ms",
    "took_ms": "black box ms",
    "incidents": "incidents",
}


class Extent(NamedTuple):
    """How much is measured of each loop."""

    rounds: int
    seconds: float
    requests: int


class Round(NamedTuple):
    """One arm of one round."""

    step_us: float
    waited_percent: float
    guest_cpu_percent: float | None
    wakeups_per_s: float | None


def boundary(target: Target) -> tuple[float, int, int]:
    """Wait for the next step to begin: when that was, how many there have been, the loop's processor time in ns."""
    before = target.get(STEPS)
    while (now := target.get(STEPS)) == before:
        time.sleep(0)
    return time.perf_counter(), now, target.get(CPU_NS)


def run_arm(target: Target, arm: str, seconds: float) -> Round:
    """Count steps for a while under one arm."""
    before = threads(target.pid)
    bare = arm.startswith("bare")
    with nullcontext(None) if bare else guest(target.pid) as client:
        time.sleep(SETTLE_S)
        mine = threads(target.pid) - before
        own, woken, queued = cpu_ns(target.pid, mine), wakeups(target.pid, mine), queued_ns(target.pid)
        began, first, cpu = boundary(target)
        turn = 0
        while (left := began + seconds - time.perf_counter()) > 0:
            if arm == "1 Hz" and client is not None and time.perf_counter() >= began + turn + 0.5:
                client.ask("stats", timeout_s=PATIENCE_S)
                turn += 1
            else:
                time.sleep(min(left, 0.05))
        ended, last, cpu_after = boundary(target)
        wall = (ended - began) * 1e9
        waited = wall - (cpu_after - cpu) - (queued_ns(target.pid) - queued)
        own, woken = cpu_ns(target.pid, mine) - own, wakeups(target.pid, mine) - woken
    return Round(
        step_us=wall / (last - first) / 1e3,
        waited_percent=waited / wall * 100,
        guest_cpu_percent=None if bare else own / wall * 100,
        wakeups_per_s=None if bare else woken / wall * 1e9,
    )


def compare(rounds: Sequence[dict[str, Round]], arm: str, name: str) -> dict[str, Any]:
    """Compare an arm with the bare arms of its round; the second bare arm with the first, which is the noise."""
    steps, waits = [], []
    for each in rounds:
        bare = [each["bare"]] if arm == "bare again" else [each["bare"], each["bare again"]]
        steps.append((each[arm].step_us / statistics.mean(one.step_us for one in bare) - 1) * 100)
        waits.append(each[arm].waited_percent - statistics.mean(one.waited_percent for one in bare))
    low, high = figures.median_interval(steps)
    own = [each[arm].guest_cpu_percent for each in rounds]
    woken = [each[arm].wakeups_per_s for each in rounds]
    known = [value for value in own if value is not None]
    return {
        "name": f"{name}, {arm}",
        "step_us": statistics.median(each[arm].step_us for each in rounds),
        "percent": statistics.median(steps),
        "interval": f"{low:+.2f} … {high:+.2f}",
        "interval_percent": [low, high],
        "waited_percent": statistics.median(waits),
        "waited_interval_percent": figures.median_interval(waits),
        "guest_cpu_percent": statistics.mean(known) if known else None,
        "wakeups_per_s": statistics.mean(value for value in woken if value is not None) if known else None,
        "all_percent": steps,
    }


def requests(client: Client, name: str, count: int) -> dict[str, Any]:
    """Ask for figures many times over: what the guest says it took, and how long the answer was on its way."""
    took, trips = [], []
    for _ in range(count):
        began = time.perf_counter()
        answer = client.ask("stats")
        trips.append((time.perf_counter() - began) * 1e3)
        took.append(answer["took_ns"] / 1e3)
        time.sleep(REQUEST_EVERY_S)
    return {"name": name, "took_us": figures.summary(took), "round_trip_ms": figures.summary(trips)}


def loop(
    interpreter: Interpreter, kind: str, library: Path, extent: Extent
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Measure the arms in one process, the order rotated from round to round, then the requests."""
    where = " simulated CUDA" if interpreter.simulated else ""
    name = f"{kind} {interpreter.minor}{where}"
    taken: list[dict[str, Round]] = []
    with Target(interpreter, kind, library) as target:
        with guest(target.pid):
            pass  # what a first guest imports is the price of attaching, not of being there
        for turn in range(extent.rounds):
            figures.progress(f"{name}: round {turn + 1} of {extent.rounds}")
            order = ARMS[turn % len(ARMS) :] + ARMS[: turn % len(ARMS)]
            taken.append({arm: run_arm(target, arm, extent.seconds) for arm in order})
        with guest(target.pid) as client:
            asked = requests(client, name, extent.requests)
    return [compare(taken, arm, name) for arm in ARMS[1:]], asked


def out_of_memory(interpreter: Interpreter, library: Path, arm: str) -> dict[str, Any]:
    """Let a training loop ask for more than there is: how long until it is told, and what the black box took."""
    raised = []
    environment = SMALL_DEVICE if interpreter.simulated else ""
    with Target(interpreter, "torch", library, environment=environment) as target:
        with nullcontext(None) if arm == "bare" else guest(target.pid) as client:
            if client is not None and arm == "history":
                client.ask("history", enabled=True, timeout_s=PATIENCE_S)
                time.sleep(HISTORY_S)
            for _ in range(OOM_TRIES):
                target.put(ASK_OOM, 1)
                deadline = time.monotonic() + 60
                while target.get(ASK_OOM) and time.monotonic() < deadline:
                    time.sleep(0.005)
                raised.append(target.get(OOM_NS) / 1e6)
        found = sorted(target.folder.glob("incidents/*-oom/incident.json"))
        told = [json.loads(file.read_text(encoding="utf-8")) for file in found]
    return {
        "name": f"{arm}, {interpreter.minor}{' simulated CUDA' if interpreter.simulated else ''}",
        "raised_ms": figures.summary(raised),
        "took_ms": figures.summary(each.get("took_ms") for each in told),
        "incidents": len(told),
        "unavailable": [each.get("unavailable") for each in told],
    }


def main() -> None:
    """Measure loop by loop, and print the three tables."""
    parser = figures.parser(__doc__)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--seconds", type=float, default=2.0, help="length of one arm of a round")
    parser.add_argument("--requests", type=int, default=300, help="for the distribution of their time")
    parser.add_argument("--loops", default="busy,torch")
    args = parser.parse_args()
    extent = Extent(args.rounds, args.seconds, args.requests)
    machine, found = figures.machine(), interpreters(args.python)
    arms: list[dict[str, Any]] = []
    asked: list[dict[str, Any]] = []
    memory: list[dict[str, Any]] = []
    left_out = []
    torch = [each for each in found if "torch" in each.modules]
    with heartbeat() as library:
        for which in args.loops.split(","):
            able = torch[-1:] if which == "torch" else found[:1]
            if not able:
                left_out.append(f"{which}: no interpreter here has torch")
            for each in able:
                made, answers = loop(each, which, library, extent)
                arms += made
                asked.append(answers)
        simulated = [each for each in torch if each.simulated] if "torch" in args.loops else []
        memory += [
            out_of_memory(each, library, arm)
            for each in simulated
            for arm in ("bare", "black box", "history")
        ]
    if not memory:
        left_out.append("black box: DSTOP_CUDASIM_PYTHON names no Python with a simulated CUDA device")
    report = {
        "benchmark": "attach/cost",
        "machine": machine,
        "left_out": left_out,
        "arms": arms,
        "requests": asked,
        "out_of_memory": memory,
    }
    if figures.write_json(report, args.json):
        return
    figures.progress("")
    print(f"{args.rounds} rounds of {args.seconds:g} s an arm; the second bare arm is the noise\n")
    figures.print_table(ARM_COLUMNS, arms)
    figures.print_table(REQUEST_COLUMNS, asked)
    if memory:
        figures.print_table(OOM_COLUMNS, memory)
    for reason in left_out:
        print("left out:", reason)


if __name__ == "__main__":
    main()
