"""Say what is alive at the peaks of one step: `python peaks.py CASE...` (cases of `cases.py`), for people.

The allocator's own history of the second step is replayed: at the widest moment of forward, of backward and of the
optimizer's step, what the step made and still holds is grouped by size and by the operation that asked for it.
"""

from __future__ import annotations

import re
import sys
from collections import Counter

import torch
from cases import CASES, HIDDEN
from ranks import join
from train import Run, without_padding

OPERATION = re.compile(
    r"(\w+Backward\w*)::apply|at::_ops::(\w+)::call|torch::autograd::VariableType::[^:]*::(\w+)\("
)
PYTHON = (
    "modeling_",
    "loss_utils",
    "optim/",
    "peaks.py",
    "train.py",
    "functional.py",
    "adapters",
    "masking",
    "cache",
)


def who(frames):
    """Give the operation and the line of Python behind an allocation."""
    operation = line = ""
    for each in frames:
        name, file = each["name"], each["filename"]
        found = OPERATION.search(name)
        if found and (not operation or "Backward" in found.group(0)):
            operation = next(filter(None, found.groups()))
            if "Backward" in operation:
                break
        if not line and any(part in file for part in PYTHON):
            line = f"{file.rsplit('/', 1)[-1]}:{each['line']} {name}"
    return f"{operation} {line}".strip() or (frames[0]["name"][:60] if frames else "?")


def main(names):
    """Print what is alive at the peaks of each case."""
    join()
    for name in names:
        run = Run((CASES | HIDDEN)[name])
        run.build()
        for _ in range(2):
            run.step(run.optimizer)
        marks = {}
        torch.cuda.memory._record_memory_history(context="alloc", stacks="all", max_entries=1_000_000)
        run.step(run.optimizer, lambda moment, marks=marks: marks.update({moment: count()}))
        events = torch.cuda.memory._snapshot()["device_traces"][0]
        torch.cuda.memory._record_memory_history(enabled=None)
        sys.stdout.write(f"\n## {name}: tokens {run.tokens.numel()}, {run.case}\n")
        for moment, end in marks.items():
            start = {"forward": 0, "backward": marks["forward"], "optimizer": marks["backward"]}[moment]
            report(moment, events, start, end)


def count():
    """Give how many events there have been."""
    return len(torch.cuda.memory._snapshot()["device_traces"][0])


def report(moment, events, start, end):
    """Print the widest moment between two events."""
    before = sum(sign(each) for each in events[:start])
    upto, live = replay_from(events, start, end)
    groups, sizes = Counter(), {}
    for each in live:
        key = (each["size"], who(each["frames"]))
        groups[key] += each["size"]
        sizes[key] = sizes.get(key, 0) + 1
    sys.stdout.write(
        f"### {moment}: {upto:,} B above the start of the step (the moment began at {before:,})\n"
    )
    for key, total in groups.most_common(24):
        sys.stdout.write(f"  {total:>13,} = {sizes[key]:>3} x {key[0]:>12,}  {key[1]}\n")
    sys.stdout.flush()


def sign(event):
    """Give what an event adds to the bytes in use."""
    return {"alloc": 1, "free_completed": -1}.get(event["action"], 0) * event["size"]


def replay_from(events, start, end):
    """Give the live blocks at the widest moment between two events."""
    now = sum(sign(each) for each in events[:start])
    widest, index = now, start
    for place in range(start, end):
        now += sign(events[place])
        if now > widest:
            widest, index = now, place + 1
    live = {}
    for event in events[:index]:
        if event["action"] == "alloc":
            live[event["addr"]] = event
        elif event["action"] == "free_completed":
            live.pop(event["addr"], None)
    return widest, live.values()


if __name__ == "__main__":
    import os
    import time

    torch.backends.cudnn.enabled = False
    without_padding()
    main(sys.argv[1:])
    time.sleep(0.3)
    os._exit(0)
