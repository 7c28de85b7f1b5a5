# mypy: ignore-errors
# ruff: noqa: ANN001, ANN002, ANN201, ANN202 - of another Python, whose PyTorch mypy does not see
"""Runs the programs of the verdicts' cases for real: reads one job a line, answers `done` or `ended with N` a line.

Runs inside PyTorch's CUDA build on simulated devices. Each job is a process of its own, forked from one that has
imported PyTorch and touched no device. Whether memory suffices is the allocator's own doing; results are zeros, so
nothing here depends on them. `verdict_cases.py` says what a specification holds.
"""

from __future__ import annotations

import json
import os
import pickle
import random
import signal
import sys
import time
import traceback
from itertools import pairwise
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

torch.backends.cudnn.enabled = False
MIB = 1 << 20


class Block(nn.Module):
    """A transformer's."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(width, 8, batch_first=True)
        self.first, self.second = nn.LayerNorm(width), nn.LayerNorm(width)
        self.wide, self.narrow = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x):
        """Add what attention and the net say."""
        y = self.first(x)
        x = x + self.attention(y, y, y, need_weights=False)[0]
        return x + self.narrow(functional.gelu(self.wide(self.second(x))))


class Gpt(nn.Module):
    """Words to words."""

    def __init__(self, spec) -> None:
        super().__init__()
        self.words = nn.Embedding(spec["words"], spec["width"])
        self.blocks = nn.ModuleList(Block(spec["width"]) for _ in range(spec["layers"]))
        self.head = nn.Linear(spec["width"], spec["words"])
        self.checkpointing = spec["checkpointing"]

    def forward(self, x):
        """Give the logits."""
        x = self.words(x)
        for block in self.blocks:
            x = checkpoint(block, x, use_reentrant=False) if self.checkpointing else block(x)
        return self.head(x)


class Net(nn.Module):
    """Layers of many widths, one after the other."""

    def __init__(self, spec) -> None:
        super().__init__()
        widths = spec["widths"]
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths))

    def forward(self, x):
        """Give the last layer's."""
        for layer in self.layers:
            x = functional.gelu(layer(x))
        return x


OPTIMIZERS = {
    "adamw": torch.optim.AdamW,
    "adamw-loop": lambda its: torch.optim.AdamW(its, foreach=False),
    "momentum": lambda its: torch.optim.SGD(its, momentum=0.9),
    "sgd": torch.optim.SGD,
}


def gpt(spec, started):
    """Train a transformer; batches may be ragged, prefetched on a stream of their own, or leave something behind."""
    with torch.device("cuda"):
        model = Gpt(spec)
    optimizer = OPTIMIZERS[spec["optimizer"]](model.parameters())
    side = torch.cuda.Stream() if spec["prefetch"] else None
    kept = []

    def fetch(length):
        if side is None:
            return torch.zeros(spec["batch"], length, dtype=torch.long, device="cuda")
        with torch.cuda.stream(side):
            made = torch.zeros(spec["batch"], length, dtype=torch.long, device="cuda")
        torch.cuda.current_stream().wait_stream(side)
        made.record_stream(torch.cuda.current_stream())
        return made

    for index, length in enumerate(spec["lengths"]):
        x = fetch(length)
        logits = model(x)
        loss = functional.cross_entropy(logits.view(-1, spec["words"]), x.view(-1))
        if spec["leak"]:
            kept.append(logits.detach()[:, : length // 2].float().clone())
        del logits
        loss.backward()
        if (index + 1) % spec["accumulate"] == 0:
            optimizer.step()
            optimizer.zero_grad()
        del loss, x
        if spec["empty"]:
            torch.cuda.empty_cache()
        started(index)
    return kept


def net(spec, started):
    """Train layers of many widths on as many rows as come; may keep each step's output with its graph."""
    with torch.device("cuda"):
        model = Net(spec)
    optimizer = OPTIMIZERS[spec["optimizer"]](model.parameters())
    kept = []
    for index, rows in enumerate(spec["lengths"]):
        x = torch.zeros(rows * spec["batch"], spec["widths"][0], device="cuda")
        y = model(x)
        y.sum().backward()
        optimizer.step()
        optimizer.zero_grad()
        if spec["leak"]:
            kept.append(y)
        del x, y
        started(index)
    return kept


def decode(spec, started):
    """Generate: each layer's keys and values grow by a copy that is longer."""
    kept, width = [], spec["width"]
    with torch.no_grad():
        weight = torch.zeros(width, width, device="cuda")
        shapes = [(spec["batch"], 64 + layer, width) for layer in range(spec["layers"])]
        kept.extend(torch.zeros(shape, device="cuda") for shape in shapes)
        for index, length in enumerate(spec["lengths"]):
            new = torch.zeros(spec["batch"], length, width, device="cuda")
            for layer in range(spec["layers"]):
                new = functional.gelu(new @ weight)
                kept[layer] = torch.cat([kept[layer], new], dim=1)
                scores = kept[layer] @ weight
                new = scores[:, -length:].contiguous()
                del scores
            started(index)
    return kept


def churn(spec, started):
    """Ask for and give back pieces of random sizes, never more than so many bytes at once."""
    chance = random.Random(spec["seed"])  # noqa: S311 - sizes, no secrets
    alive, total = [], 0
    for index in range(spec["requests"]):
        size = int(2 ** chance.uniform(*spec["powers"]))
        while alive and total + size > spec["live"]:
            gone = alive.pop(chance.randrange(len(alive)))
            total -= gone.numel()
            del gone
        alive.append(torch.empty(size, dtype=torch.uint8, device="cuda"))
        total += size
        if index == spec["requests"] // 8:
            started(0)
    return alive


def grow(spec, started):
    """Make something large, keep something smaller, give the large back; both grow from turn to turn."""
    chance = random.Random(spec["seed"])  # noqa: S311 - sizes, no secrets
    kept = []
    for index in range(spec["requests"]):
        large = torch.empty((spec["first"] + index * spec["more"]) * MIB, dtype=torch.uint8, device="cuda")
        del large
        share = chance.uniform(*spec["share"])
        size = int((spec["first"] + index * spec["more"]) * share * MIB)
        kept.append(torch.empty(size, dtype=torch.uint8, device="cuda"))
        if len(kept) > spec["keep"]:
            del kept[chance.randrange(len(kept))]
        if index == 0:
            started(0)
    return kept


FAMILIES = {"gpt": gpt, "net": net, "decode": decode, "churn": churn, "grow": grow}


def figures():
    """Give what the allocator counted itself."""
    stats = torch.cuda.memory_stats()
    return {
        "allocations": stats.get("allocation.all.allocated", 0),
        "peak_active": stats.get("active_bytes.all.peak", 0),
        "peak_reserved": stats.get("reserved_bytes.all.peak", 0),
        "reserved": stats.get("reserved_bytes.all.current", 0),
        "retries": stats.get("num_alloc_retries", 0),
    }


def main(spec, snapshot_file, result_file):
    """Run, take a snapshot at the failure or at the end, and say what happened."""
    if spec["fraction"]:
        torch.cuda.set_per_process_memory_fraction(spec["fraction"])

    recording = []

    def record():
        recording.append(True)
        torch.cuda.memory._record_memory_history(max_entries=spec["max_entries"], stacks="python")  # noqa: SLF001

    def started(index):
        if spec["late"] and index == 0:
            record()

    taken, result = [], {}

    def observer(*_):
        taken.append(torch.cuda.memory._snapshot())  # noqa: SLF001 - as above

    torch.zeros(1, device="cuda")
    torch.cuda.empty_cache()
    before = figures()["allocations"]
    torch.cuda.reset_peak_memory_stats()
    if not spec["late"]:
        record()
    if spec["observe"]:
        torch._C._cuda_attach_out_of_memory_observer(observer)  # noqa: SLF001 - as above
    try:
        kept = FAMILIES[spec["family"]](spec, started)
        result = {"fits": True}
    except torch.cuda.OutOfMemoryError as error:
        result = {"fits": False, "said": str(error)[:200]}
    result |= figures()
    result["allocations"] -= before
    result["ring"] = bool(spec["late"] is False or recording)
    if not taken:
        taken.append(torch.cuda.memory._snapshot())  # noqa: SLF001 - as above
    kept = None  # noqa: F841 - until here it had to live
    Path(snapshot_file).write_bytes(pickle.dumps(taken[0], protocol=4))
    Path(result_file).write_text(json.dumps(result), encoding="utf-8")
    time.sleep(0.2)
    os._exit(0)


def wait(child, until):
    """Wait for a child, and end it when it takes too long; give what it ended with."""
    while time.monotonic() < until:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.02)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return "too much time"


def serve():
    """Run jobs until there are no more."""
    for line in sys.stdin:
        job = json.loads(line)
        child = os.fork()
        if not child:
            os.environ |= job["environment"]
            try:
                main(job["spec"], job["snapshot"], job["result"])
            except BaseException:  # noqa: BLE001 - whatever it was, the parent must not go on in here
                traceback.print_exc()
                os._exit(1)
        code = wait(child, time.monotonic() + job["timeout_s"])
        print("done" if code == 0 else f"ended with {code}", flush=True)


if __name__ == "__main__":
    serve()
