"""Are the verdicts right? Each is held against the same program run for real with the change.

DSTOP_CUDASIM_PYTHON=… python benchmarks/snapshot/verdicts.py FOLDER [NAME…] [--wrong FILE]

A case: a program is recorded on a simulated device of some capacity, to its end or until memory runs out. dstop reads
the snapshot and says whether what was recorded would have fitted under a change. Then the program is run with that
change, on a device of the capacity in question. Of the second run the verdict sees nothing. Where memory ran out in the
first, nobody knows the rest, so the truth is whether the second gets past the request that failed.

`plain` is what somebody would say who adds up what is live and knows nothing of the allocator: the most that was in
use, with the request that failed, against the capacity. It is no answer to changes of the program.

What was run is kept in FOLDER; --wrong writes where verdict and truth differ.
"""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING

import numpy as np
from verdict_cases import SEED, cases
from verdict_truth import Recorder, Truth

from dstop.snapshot.load import load_snapshot
from dstop.snapshot.replay import parse_what_if, what_if
from dstop.snapshot.study import DeviceStudy
from dstop.snapshot.values import Action

if TYPE_CHECKING:
    from collections.abc import Sequence

    from verdict_cases import Case

    from dstop.model.study import Verdict

MIB = 1 << 20
AT_ONCE = 2
WORTH_TELLING = 0.01
"""By how much a peak may be off before `--wrong` has it, too."""


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A verdict beside the truth."""

    truth: Truth
    verdict: Verdict | None
    problem: str = ""
    true_peak: int = 0
    """The most that the changed program really reserved while it did what was recorded."""

    plain: bool = False
    """What the most that was in use says, without any knowledge of the allocator."""

    @property
    def right(self) -> bool:
        """Whether the verdict says what happened."""
        return self.verdict is not None and self.verdict.fits == self.truth.fits

    @property
    def peak_error(self) -> float | None:
        """Of the peak of reserved bytes, where it fitted in truth and in the verdict, as a fraction."""
        if self.verdict is None or not (self.truth.fits and self.verdict.fits and self.true_peak):
            return None
        return self.verdict.peak_reserved_bytes / self.true_peak - 1


def truths_of(chosen: Sequence[Case], folder: Path, python: str) -> list[Truth]:
    """Run cases, two at a time; those that were run before are only read."""
    folder.mkdir(parents=True, exist_ok=True)
    recorders = [Recorder(folder, python) for _ in range(AT_ONCE)]
    free: SimpleQueue[Recorder] = SimpleQueue()
    for each in recorders:
        free.put(each)

    def run(case: Case) -> Truth:
        recorder = free.get()
        try:
            return recorder.truth_of(case)
        finally:
            free.put(recorder)

    try:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            return list(pool.map(run, chosen))
    finally:
        for each in recorders:
            each.close()


def judge(truth: Truth) -> Judged:
    """Ask for the verdict as a user would: of a failure the capacity is in the snapshot, otherwise it is given."""
    case = truth.case
    try:
        study = DeviceStudy(load_snapshot(truth.snapshot), 0)
        told = None if truth.failed and case.kind != "capacity" else truth.capacity
        change = f"capacity={truth.capacity // MIB}MiB" if case.kind == "capacity" else case.change
        verdict = what_if(study, parse_what_if(change), told)
    except Exception:  # noqa: BLE001 - a benchmark goes on
        return Judged(truth=truth, verdict=None, problem=traceback.format_exc(limit=-3))
    failing = max((each.live_bytes + each.request_bytes for each in study.failures), default=0)
    plain = max(int(study.live.max()), failing) <= truth.capacity
    return Judged(truth=truth, verdict=verdict, true_peak=_true_peak(truth), plain=plain)


def _true_peak(truth: Truth) -> int:
    changed = DeviceStudy(load_snapshot(truth.changed_snapshot), 0)
    trace = changed.snapshot.trace_of(0)
    if trace is None:
        return 0
    until = len(trace)
    asked = np.flatnonzero(trace.action == Action.ALLOC)
    if truth.failed and truth.reached < len(asked):
        until = int(asked[truth.reached]) + 1
    return int(changed.reserved[: until + 1].max())


def row(judged: Judged) -> str:
    """Give one line of the table."""
    truth, verdict = judged.truth, judged.verdict
    words = {True: "fits", False: "does not", None: "?"}
    said = "failed" if verdict is None else words[verdict.fits]
    error = judged.peak_error
    return (
        f"{truth.case.name:16} {truth.case.spec['family']:7} {truth.case.change:26} "
        f"{truth.capacity // MIB:7} {'ran out' if truth.failed else 'ended':8} "
        f"{words[truth.fits]:9} {said:9} {'' if error is None else f'{100 * error:+.2f} %':>9}"
        f"{'' if judged.right else '  <-- wrong'}"
    )


def explain(judged: Judged) -> str:
    """Give what somebody needs who looks for the reason."""
    truth, verdict = judged.truth, judged.verdict
    lines = [
        f"## {truth.case.name}: {truth.case.change}",
        f"- program: {truth.case.spec}",
        f"- conf {truth.case.conf!r} -> {truth.case.changed_conf!r}; edge {truth.case.edge}",
        f"- recorded on {truth.recorded_capacity} bytes, asked about {truth.capacity}",
        f"- with plenty the changed program uses {truth.needs[0]} and reserves {truth.needs[1]}",
        f"- as it was: {'ran out' if truth.failed else 'ended'} after {truth.reached} allocations",
        f"- changed: {truth.changed_reached} allocations, fits: {truth.fits}",
        f"- files: {truth.snapshot}, {truth.changed_snapshot}",
        f"- true peak reserved of the recorded part: {judged.true_peak}",
        f"- verdict: {verdict!r}",
    ]
    return "\n".join([*lines, judged.problem, ""])


def report(judged: Sequence[Judged]) -> None:
    """Print the scores."""
    kinds: dict[str, list[Judged]] = defaultdict(list)
    for each in judged:
        kinds[each.truth.case.kind].append(each)
    print()
    for kind, some in kinds.items():
        errors = [abs(each.peak_error) for each in some if each.peak_error is not None]
        worst = f", peak reserved off by {100 * max(errors):.2f} % at most" if errors else ""
        print(f"{kind:16} {sum(each.right for each in some)} of {len(some)}{worst}")
    same = [each for each in judged if each.truth.case.spec == each.truth.case.changed_spec]
    naive = sum(each.plain == each.truth.fits for each in same)
    right = sum(each.right for each in same)
    print(f"\nof {len(same)} about the allocator alone: {right} right, plain {naive}")
    fits = sum(each.truth.fits for each in judged)
    print(f"right: {sum(each.right for each in judged)} of {len(judged)} ({fits} fit in truth)")


def main() -> None:
    """Run what was not run yet, and judge."""
    options = argparse.ArgumentParser()
    options.add_argument("folder", type=Path)
    options.add_argument("names", nargs="*")
    options.add_argument("--wrong", type=Path)
    options.add_argument("--seed", type=int, default=SEED)
    given = options.parse_args()
    chosen = [case for case in cases(given.seed) if not given.names or case.name in given.names]
    truths = truths_of(chosen, given.folder, os.environ["DSTOP_CUDASIM_PYTHON"])
    judged = []
    for truth in truths:
        judged.append(judge(truth))
        print(row(judged[-1]), flush=True)
    report(judged)
    if given.wrong:
        wrong = [
            explain(each) for each in judged if not each.right or abs(each.peak_error or 0) > WORTH_TELLING
        ]
        given.wrong.write_text("\n".join(wrong), encoding="utf-8")
    sys.exit(any(not each.right for each in judged))


if __name__ == "__main__":
    main()
