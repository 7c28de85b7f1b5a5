# ruff: noqa: D103 - a script as anybody has one
"""A training script that knows nothing of dstop: `training.py FOLDER NAME DEVICE [graph] [workers]`.

It trains until FOLDER/end appears. Once it is in its stride FOLDER/NAME.json tells its PID, what torch has reserved and
who its workers are; FOLDER/NAME.steps grows by a byte a step.
"""

import json
import os
import sys
import time
from pathlib import Path

import torch

torch.backends.cudnn.enabled = False
STRIDE = 20
"""Steps without a new segment."""


class Numbers(torch.utils.data.IterableDataset):
    def __iter__(self):
        while True:
            yield torch.ones(1024)


def capture(device):
    graph, static = torch.cuda.CUDAGraph(), torch.zeros(1 << 20, device=device)
    with torch.cuda.graph(graph):
        result = static * 2
    return graph, static, result


def remember(device):
    return [torch.zeros(3_000_000, device=device) for _ in range(4)]


def main(folder, name, device, options):
    torch.cuda.set_device(device)
    model = torch.nn.Sequential(*(torch.nn.Linear(1024, 1024) for _ in range(4))).to(device)
    optimizer = torch.optim.AdamW(model.parameters())
    loader = torch.utils.data.DataLoader(
        Numbers(),
        batch_size=16,
        num_workers=2 * ("workers" in options),
        multiprocessing_context="fork" if "workers" in options else None,
    )
    captured = capture(device) if "graph" in options else None
    steps = (folder / f"{name}.steps").open("wb", buffering=0)
    batches = iter(loader)
    reserved, alike = 0, 0
    while not (folder / "end").exists():
        model(next(batches).to(device)).sum().backward()
        optimizer.step()
        optimizer.zero_grad()
        if captured is not None:
            captured[0].replay()
        activations = remember(device)
        time.sleep(0.01)
        del activations
        steps.write(b".")
        # Where blocks lie decides what is split: the first steps are not always the last to ask the driver for more.
        before, reserved = reserved, torch.cuda.memory_reserved(device)
        alike = alike + 1 if reserved == before else 0
        if alike == STRIDE:
            told = {
                "pid": os.getpid(),
                "reserved_bytes": reserved,
                "workers": [worker.pid for worker in getattr(batches, "_workers", [])],
            }
            (folder / "unfinished").write_text(json.dumps(told))
            (folder / "unfinished").rename(folder / f"{name}.json")
    print("trained")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4:])
    time.sleep(0.2)  # autograd's thread would end the simulated device's process badly
