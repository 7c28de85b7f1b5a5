"""How long attaching takes, how long the target is stopped for it, and what it does to the target.

    python benchmarks/attach/latency.py [--attaches 500] [--kinds busy,sleep,…] [--json FILE] [WAY…]

Every attempt gets a fresh process. Before it, the same target is watched for as long without an attempt: the gaps of
its threads then are the machine's own noise. A call that holds the GIL lets nobody in, so those targets have a row of
their own. DSTOP_CUDASIM_PYTHON names a Python with a CUDA build of PyTorch on a simulated device, DSTOP_SID_ROOT a
Debian root with python3.14 (for root only).
"""

from __future__ import annotations

import gc
import random
import time
from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import figures
from targets import HOLDS_GIL, KINDS, Interpreter, Target, heartbeat, interpreters, plan
from ways import WAYS, prepare

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

SHARE = {"gilsleep": 0.25, "torch": 0.5, "threads8": 0.5}
"""Targets that take seconds a try come up less often."""
MISSED_MS = 75.0
FIRST_WATCH_S = 0.3
COLUMNS = {
    "name": "way, target",
    "tries": "tries",
    "up": "figures",
    "hurt": "hurt",
    "latency_ms": "first figures ms",
    "stop_us": "one thread stopped µs",
    "native_gap_ms": "native thread's gap ms",
    "baseline_native_gap_ms": "without",
    "main_gap_ms": "main thread's gap ms",
    "baseline_main_gap_ms": "without",
    "missed": f"gaps ≥ {MISSED_MS:.0f} ms",
    "baseline_missed": "without",
}


def attempt(way: str, interpreter: Interpreter, kind: str, library: Path, watch_s: float) -> dict[str, Any]:
    """Start a target, watch it alone, attach once, watch it again: one record."""
    with Target(interpreter, kind, library) as target:
        call = target.call()
        target.reset_gaps()
        time.sleep(watch_s)
        baseline = {f"baseline_{name}": gap for name, gap in target.gaps_ms().items()}
        target.reset_gaps()
        gc.collect()
        began = time.perf_counter()
        outcome = WAYS[way](target)
        took_s = time.perf_counter() - began
        record = {"way": way, "kind": kind, "python": interpreter.minor, "took_s": took_s}
        record |= asdict(outcome) | baseline | target.gaps_ms()
        target.reset_gaps()
        record["harm"] = target.harm(call) + (["wrong answer"] if outcome.wrong else [])
        target.resume()
        return record


def schedule(
    attaches: int, pairs: Sequence[tuple[str, Interpreter]], seed: int
) -> list[tuple[str, Interpreter]]:
    """Give the order of the attempts: every kind once a turn, dear ones less often, its interpreters in turn."""
    source = random.Random(seed)  # noqa: S311 - an order, no secret
    able = {kind: [each for name, each in pairs if name == kind] for kind, _ in pairs}
    for each in able.values():
        source.shuffle(each)
    taken = Counter[str]()
    order: list[tuple[str, Interpreter]] = []
    turn = 0
    while len(order) < attaches:
        turn += 1
        due = [kind for kind in able if taken[kind] < SHARE.get(kind, 1) * turn]
        source.shuffle(due)
        for kind in due:
            order.append((kind, able[kind][taken[kind] % len(able[kind])]))
            taken[kind] += 1
    return order[:attaches]


def row(name: str, records: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Sum up the records of one row of the table."""
    measures = (
        "latency_ms",
        "stop_us",
        "native_gap_ms",
        "baseline_native_gap_ms",
        "main_gap_ms",
        "baseline_main_gap_ms",
    )
    made: dict[str, Any] = {"name": name, "tries": len(records)}
    made["up"] = sum(each["latency_ms"] is not None for each in records)
    harm = Counter(what for each in records for what in each["harm"])
    made["harm"] = dict(harm)
    made["hurt"] = sum(bool(each["harm"]) for each in records)
    made |= {measure: figures.summary(each[measure] for each in records) for measure in measures}
    for prefix in ("", "baseline_"):
        gaps = [each[f"{prefix}{which}_gap_ms"] for each in records for which in ("native", "main")]
        made[f"{prefix}missed"] = sum(gap is not None and gap >= MISSED_MS for gap in gaps)
    made["how"] = dict(Counter(str(each["how"]) for each in records if each["how"]))
    made["failures"] = dict(Counter(each["failure"] for each in records if each["failure"]))
    return made


def rows(records: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Give one row a way over the targets that let it in, then one for each kind of target and each Python."""
    made = []
    for way in dict.fromkeys(each["way"] for each in records):
        mine = [each for each in records if each["way"] == way]
        free = [each for each in mine if each["kind"] not in HOLDS_GIL]
        if free:
            made.append(row(f"**{way}**", free))
        for field in ("kind", "python"):
            for value in dict.fromkeys(each[field] for each in mine):
                some = [each for each in mine if each[field] == value]
                if field == "python":
                    some = [each for each in some if each["kind"] not in HOLDS_GIL]
                if some:
                    made.append(row(f"{way}, {value}", some))
    return made


def main() -> None:
    """Attach in a mixed order over all targets, and print the table."""
    parser = figures.parser(__doc__)
    parser.add_argument("ways", nargs="*", default=["dstop"], metavar="WAY", help=", ".join(WAYS))
    parser.add_argument("--attaches", type=int, default=500, help="of each way")
    parser.add_argument("--kinds", default=",".join(KINDS), help="of targets")
    args = parser.parse_args()
    prepare(args.ways)
    pairs, left_out = plan(args.kinds.split(","), interpreters(args.python))
    if not pairs:
        parser.error("; ".join(left_out))
    machine = figures.machine()
    records: list[dict[str, Any]] = []
    watch_s: dict[tuple[str, str], float] = {}
    with heartbeat() as library:
        for way in args.ways:  # the first only warms the caches
            attempt(way, pairs[0][1], pairs[0][0], library, 0.0)
        for number, (kind, interpreter) in enumerate(schedule(args.attaches, pairs, args.seed)):
            for way in args.ways:
                figures.progress(f"{number + 1} of {args.attaches}: {way}, {kind}, {interpreter.version}")
                watch = watch_s.get((way, kind), FIRST_WATCH_S)
                record = attempt(way, interpreter, kind, library, watch)
                if kind not in HOLDS_GIL:
                    watch_s[way, kind] = min(2.0, record["took_s"])
                records.append(record)
    made = rows(records)
    report = {
        "benchmark": "attach/latency",
        "machine": machine,
        "left_out": left_out,
        "rows": made,
        "records": records,
    }
    if figures.write_json(report, args.json):
        return
    figures.progress("")
    print(f"{args.attaches} attempts each; cells of times: median / p99 / most\n")
    figures.print_table(COLUMNS, made)
    for each in made:
        if each["harm"] or each["failures"]:
            print(f"{each['name']}: {each['harm'] or ''} {each['failures'] or ''}")
    print("ways in:", made[0]["how"])
    for reason in left_out:
        print("left out:", reason)


if __name__ == "__main__":
    main()
