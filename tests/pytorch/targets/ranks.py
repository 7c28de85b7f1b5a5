# ruff: noqa: D103 - a script as anybody has one
"""A rank of a job: `torchrun … ranks.py FOLDER`. It has a model under DDP, another under FSDP2, and steps both once.

Rank 1 holds a gibibyte more than the others. When FOLDER/end appears it runs out of memory; the others wait for it.
"""

import os
import sys
import time
from pathlib import Path

import torch
from torch import nn
from torch.distributed.fsdp import fully_shard
from torch.nn.parallel import DistributedDataParallel

torch.backends.cudnn.enabled = False


class Replicated(nn.Sequential):
    pass


class Sharded(nn.Sequential):
    pass


def layers():
    return [nn.Linear(1024, 1024, bias=False) for _ in range(6)]


def step(model, device):
    optimizer = torch.optim.AdamW(model.parameters())
    model(torch.ones(8, 1024, device=device)).sum().backward()
    optimizer.step()
    return optimizer


def grow(device):
    kept = []
    while True:
        kept.append(torch.empty(256 << 20, dtype=torch.uint8, device=device))


def main(folder):
    device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
    torch.cuda.set_device(device)
    torch.distributed.init_process_group("nccl", device_id=device)
    rank = torch.distributed.get_rank()
    replicated = DistributedDataParallel(Replicated(*layers()).to(device), device_ids=[device.index])
    sharded = Sharded(*layers()).to(device)
    for layer in sharded:
        fully_shard(layer)
    fully_shard(sharded)
    optimizers = [step(model, device) for model in (replicated, sharded)]
    cache = torch.empty(1 << 30, dtype=torch.uint8, device=device) if rank == 1 else None
    (folder / f"rank{rank}").write_text(str(os.getpid()))
    while not (folder / "end").exists():
        time.sleep(0.02)
    if rank == 1:
        grow(device)
    while optimizers or cache is not None:
        time.sleep(1)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
