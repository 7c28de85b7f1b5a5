"""Jobs that run out of memory for one cause each, and do not once its fix is applied.

    python crashes.py CAUSE [--batch N] [--fixed]

The device is simulated: kernels do nothing, so that losses are zero; memory is PyTorch's own business and real.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import torch
from torch import nn

MIB = 2**20
WIDTH = 1024
torch.backends.cudnn.enabled = False


def net(layers: int = 8, width: int = WIDTH) -> nn.Module:
    """Make layers of 4 MiB each, whose activations grow with the batch."""
    return nn.Sequential(*(nn.Sequential(nn.Linear(width, width), nn.GELU()) for _ in range(layers))).cuda()


def training_step(model: nn.Module, batch: int) -> torch.Tensor:
    """Run forward and backward once."""
    loss = model(torch.zeros(batch, WIDTH, device="cuda")).sum()
    loss.backward()
    return loss


def batch(wanted: argparse.Namespace) -> None:
    """Activations that do not fit."""
    model = net(24)
    print(f"batch_size={wanted.batch}", flush=True)
    for _ in range(2):
        training_step(model, wanted.batch)


def fragmentation(_: argparse.Namespace) -> None:
    """Half of a large segment is free, in pieces that live tensors part."""
    whole = torch.empty(1200 * MIB, dtype=torch.uint8, device="cuda")
    del whole
    pieces = [torch.empty(50 * MIB, dtype=torch.uint8, device="cuda") for _ in range(24)]
    kept = pieces[::2]
    del pieces
    wanted = torch.empty(400 * MIB, dtype=torch.uint8, device="cuda")
    print(len(kept), wanted.numel())


def leak(wanted: argparse.Namespace) -> None:
    """The sum of losses keeps the graph of every step."""
    model = net()
    total_loss = 0.0
    for step in range(120):
        loss = model(torch.zeros(512, WIDTH, device="cuda")).square().mean()
        total_loss += loss.item() if wanted.fixed else loss
        used = torch.cuda.memory_allocated() / MIB
        print(f"step {step} loss {float(loss):.3f} mem {used:.1f}MiB", flush=True)


def logits(wanted: argparse.Namespace) -> None:
    """Tokens x vocabulary in float32."""
    head = nn.Linear(64, 128_256, bias=False, device="cuda")
    hidden = torch.zeros(wanted.batch, 64, device="cuda")
    labels = torch.zeros(wanted.batch, dtype=torch.long, device="cuda")

    def compute_loss() -> torch.Tensor:
        return nn.functional.cross_entropy(head(hidden), labels)

    compute_loss()


def evaluate(model: nn.Module, wanted: argparse.Namespace) -> None:
    """Keep a graph that nobody will use."""
    with torch.inference_mode(mode=wanted.fixed):
        x = torch.zeros(4096, WIDTH, device="cuda")
        for _ in range(12):
            x = model(x)


def evaluation(wanted: argparse.Namespace) -> None:
    """Training fits, evaluation with gradients does not."""
    model = net()
    training_step(model, 256)
    evaluate(model, wanted)


def neighbour(_: argparse.Namespace) -> None:
    """Little of our own on a card that somebody else has filled."""
    print(torch.empty(600 * MIB, dtype=torch.uint8, device="cuda").numel())


def optimizer(_: argparse.Namespace) -> None:
    """States are made at the first step."""
    model = nn.Linear(12_000, 12_000, bias=False, device="cuda")
    adam = torch.optim.AdamW(model.parameters())
    model(torch.zeros(1, 12_000, device="cuda")).sum().backward()
    adam.step()


def weights(_: argparse.Namespace) -> None:
    """More layers than the card holds."""
    model = nn.Sequential(*(nn.Linear(5000, 5000, bias=False) for _ in range(30)))
    device = "cuda"
    model.to(device)


def huge(_: argparse.Namespace) -> None:
    """A shape that is wrong."""
    print(torch.empty(1 << 40, device="cuda").numel())


def fraction(_: argparse.Namespace) -> None:
    """A limit of one's own."""
    torch.cuda.set_per_process_memory_fraction(0.2)
    print(torch.empty(900 * MIB, dtype=torch.uint8, device="cuda").numel())


def handler(wanted: argparse.Namespace) -> None:
    """A retry from within the handler, while the failed step is still alive."""

    def step(rows: int) -> None:
        held = torch.empty(1200 * MIB, dtype=torch.uint8, device="cuda")
        more = torch.empty(rows * MIB, dtype=torch.uint8, device="cuda")
        print(held.numel() + more.numel())

    failed = False
    try:
        step(1500)
    except torch.OutOfMemoryError:
        if not wanted.fixed:
            step(200)
        failed = True
    if failed:
        step(200)


def checkpoint(wanted: argparse.Namespace) -> None:
    """A resume that loads a second copy beside the model."""
    model = nn.Linear(16_000, 18_000, bias=False, device="cuda")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "last.pt"
        torch.save({"model": {"weight": torch.zeros(18_000, 16_000)}}, path)
        saved = torch.load(path, map_location="cpu" if wanted.fixed else "cuda")
        print("resumed", len(saved), sum(p.numel() for p in model.parameters()))


JOBS = {
    job.__name__: job
    for job in (
        batch,
        fragmentation,
        leak,
        logits,
        evaluation,
        neighbour,
        optimizer,
        weights,
        huge,
        fraction,
        handler,
        checkpoint,
    )
}


def hold(mebibytes: int) -> None:
    """Be the neighbour: hold memory until standard input ends."""
    held = torch.empty(mebibytes * MIB, dtype=torch.uint8, device="cuda")
    print("held", held.numel(), flush=True)
    sys.stdin.read()


def main() -> None:
    """Run the job that is named."""
    parser = argparse.ArgumentParser()
    parser.add_argument("cause", choices=[*JOBS, "hold"])
    parser.add_argument("--batch", type=int, default=0)
    parser.add_argument("--hold", type=int, default=1300)
    parser.add_argument("--fixed", action="store_true")
    wanted = parser.parse_args()
    if wanted.cause == "hold":
        hold(wanted.hold)
    else:
        JOBS[wanted.cause](wanted)
    print("finished", flush=True)
    time.sleep(0.2)  # autograd's own threads abort a process that ends at once on the simulated device


main()
