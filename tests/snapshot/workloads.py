# ruff: noqa: D102 - modules have a `forward`
"""Small programs whose memory snapshots the tests read: what `record.py` runs on a simulated device.

Each workload does one thing that a reader, a replay or a diagnosis must get right, with as few events as show it.
Results are zeros on a simulated device, so nothing here depends on them.
"""

from __future__ import annotations

import os
import random
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

WORDS, WIDTH, HEADS, BATCH, LENGTH = 4000, 192, 4, 4, 96
MIB = 1 << 20


class Block(nn.Module):
    """A transformer's."""

    def __init__(self, width=WIDTH):
        super().__init__()
        self.attention = nn.MultiheadAttention(width, HEADS, batch_first=True)
        self.first, self.second = nn.LayerNorm(width), nn.LayerNorm(width)
        self.wide, self.narrow = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x):
        y = self.first(x)
        x = x + self.attention(y, y, y, need_weights=False)[0]
        return x + self.narrow(functional.gelu(self.wide(self.second(x))))


class Model(nn.Module):
    """Words to words."""

    def __init__(self, layers=2, width=WIDTH, *, checkpointed=False):
        super().__init__()
        self.words, self.head = nn.Embedding(WORDS, width), nn.Linear(width, WORDS)
        self.blocks = nn.ModuleList(Block(width) for _ in range(layers))
        self.checkpointed = checkpointed

    def forward(self, x):
        x = self.words(x)
        for block in self.blocks:
            x = checkpoint(block, x, use_reentrant=False) if self.checkpointed else block(x)
        return self.head(x)


class Adapted(nn.Module):
    """A frozen linear layer with a small one beside it, as LoRA has them."""

    def __init__(self, base, rank=8):
        super().__init__()
        self.base = base.requires_grad_(requires_grad=False)
        self.down = nn.Linear(base.in_features, rank, bias=False)
        self.up = nn.Linear(rank, base.out_features, bias=False)

    def forward(self, x):
        return self.base(x) + self.up(self.down(x))


def words(batch=BATCH, length=LENGTH):
    """Give a batch."""
    return torch.zeros(batch, length, dtype=torch.long).cuda()


def loss_of(model, x):
    """Predict every word."""
    logits = model(x)
    return functional.cross_entropy(logits.view(-1, WORDS), x.view(-1))


def step(model, optimizer, x):
    """Train once; the loss is given back."""
    loss = loss_of(model, x)
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    return loss


def adam(model):
    """Give the usual optimizer of what is trained."""
    return torch.optim.AdamW([each for each in model.parameters() if each.requires_grad])


def record(max_entries=100_000, **more):
    """Begin to record, with Python's frames only."""
    torch.cuda.memory._record_memory_history(max_entries=max_entries, stacks="python", **more)


def snapshot():
    """Take a snapshot as `_dump_snapshot` writes it."""
    return torch.cuda.memory._snapshot()


def training(steps=3):
    """Three steps of a transformer, everything recorded from the start."""
    record()
    model = Model().cuda()
    optimizer = adam(model)
    for _ in range(steps):
        step(model, optimizer, words())
    return snapshot()


def ring_cut():
    """A ring that begins in the middle: recording came late, and kept the last 700 events alone."""
    model = Model().cuda()
    optimizer = adam(model)
    step(model, optimizer, words())
    record(max_entries=700)
    for _ in range(2):
        step(model, optimizer, words())
    return snapshot()


def ragged(fraction=None):
    """Sequences of random lengths, and so holes of every size."""
    chance = random.Random(5)  # noqa: S311 - lengths, no secrets
    if fraction is not None:
        # Without a fraction, PyTorch does not collect.
        torch.cuda.set_per_process_memory_fraction(fraction)
    record()
    model = Model(layers=1).cuda()
    optimizer = adam(model)
    for _ in range(7):
        step(model, optimizer, words(length=chance.randrange(16, 320)))
    return snapshot()


def collected():
    """The same, where cached segments are given back as soon as 13 % of the card are reserved."""
    return ragged(fraction=0.9)


def oom_first():
    """The very first request asks for more than there is."""
    record()
    try:
        torch.empty(1 << 31, device="cuda")
    except torch.OutOfMemoryError:
        return snapshot()
    raise AssertionError


@contextmanager
def observed(taken):
    """Take a snapshot where memory runs out, while everything still lives."""

    def observer(*_):
        taken.append(snapshot())

    torch._C._cuda_attach_out_of_memory_observer(observer)
    try:
        yield
    except torch.OutOfMemoryError:
        return
    raise AssertionError


def oom_forward():
    """The second step's batch is too large; the observer takes the snapshot in the middle of its forward pass."""
    record()
    taken = []
    model = Model().cuda()
    optimizer = adam(model)
    step(model, optimizer, words())
    with observed(taken):
        step(model, optimizer, words(batch=64, length=256))
    return taken[0]


def oom_fragmented():
    """Results stay in the segments of larger temporaries, and what is left there is good for no other: half is free."""
    record()
    taken, kept = [], []
    with observed(taken):
        for index in range(16):
            large = torch.empty((40 + index) * MIB, dtype=torch.uint8, device="cuda")
            del large
            kept.append(torch.empty((48 + index) * MIB // 2, dtype=torch.uint8, device="cuda"))
    return taken[0]


def streams():
    """Two streams that lend each other tensors: frees that complete later."""
    record()
    side = torch.cuda.Stream()
    weight = torch.empty(512, 512, device="cuda")
    kept = []
    for index in range(8):
        given = torch.empty(1024 * (index + 1), 512, device="cuda")
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            made = given @ weight
            given.record_stream(side)
            kept.append(made[:64].clone())
        made.record_stream(torch.cuda.current_stream())
        del given, made
        if index % 3 == 2:
            torch.cuda.synchronize()
    return snapshot()


def graphs():
    """Two captured CUDA graphs, each with a private pool, beside eager work."""
    record()
    layer = nn.Linear(512, 512).cuda()
    held = []
    for rows in (2048, 4096):
        x = torch.zeros(rows, 512, device="cuda")
        layer(x)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            y = functional.gelu(layer(x))
            z = layer(y)
        graph.replay()
        held.append((graph, x, z))
    layer(x)
    return snapshot()


def fsdp2():
    """Two steps under FSDP2 with two ranks: parameters are gathered on a stream of their own."""
    from torch import distributed
    from torch.distributed.fsdp import fully_shard

    device = torch.device("cuda", int(os.environ["RANK"]))
    torch.cuda.set_device(device)
    distributed.init_process_group("nccl", device_id=device)
    record()
    model = Model().cuda()
    for block in model.blocks:
        fully_shard(block)
    fully_shard(model)
    optimizer = adam(model)
    for _ in range(2):
        step(model, optimizer, words())
    return snapshot()


def leak():
    """After each step the loss of another batch is kept with its graph, and so with all of its activations."""
    record()
    model = Model(layers=1, width=64).cuda()
    optimizer = torch.optim.SGD(model.parameters())
    losses = []
    for _ in range(6):
        step(model, optimizer, words(batch=2))
        losses.append(loss_of(model, words(batch=1)))
    return snapshot()


def checkpointed():
    """Activations are given up after the forward pass and computed again."""
    record()
    model = Model(layers=3, checkpointed=True).cuda()
    optimizer = adam(model)
    for _ in range(2):
        step(model, optimizer, words())
    return snapshot()


def lora():
    """Small trained layers beside frozen ones."""
    record()
    model = Model().cuda().requires_grad_(requires_grad=False)
    for block in model.blocks:
        block.wide, block.narrow = Adapted(block.wide).cuda(), Adapted(block.narrow).cuda()
    optimizer = adam(model)
    for _ in range(2):
        step(model, optimizer, words())
    return snapshot()


def evaluation():
    """A loop without gradients that keeps every output on the device."""
    record()
    model = Model().cuda().eval()
    with torch.no_grad():
        outputs = [model(words(batch=2)) for _ in range(6)]
    taken = snapshot()
    del outputs
    return taken


def compiled():
    """A compiled function (traced and partitioned, run by eager kernels) that tells its compile context."""
    record(compile_context=True)
    model = Model(layers=1).cuda()
    optimizer = torch.optim.SGD(model.parameters())
    fast = torch.compile(model, backend="aot_eager")
    for _ in range(2):
        step(fast, optimizer, words())
    return snapshot()


def annotated():
    """Ranges that the program marked with `record_function`."""
    record(global_record_annotations=True)
    model = Model(layers=1).cuda()
    optimizer = torch.optim.SGD(model.parameters())
    for index in range(2):
        with torch.autograd.profiler.record_function(f"## step {index} ##"):
            x = words()
            with torch.autograd.profiler.record_function("## forward ##"):
                loss = loss_of(model, x)
            with torch.autograd.profiler.record_function("## backward ##"):
                loss.backward()
            optimizer.step()
            optimizer.zero_grad()
    return snapshot()


def segments_only():
    """What `torch.cuda.memory_snapshot()` gives: a list of segments, no ring."""
    model = Model().cuda()
    step(model, adam(model), words())
    return torch.cuda.memory_snapshot()


def emptied():
    """A program that empties its cache after every step."""
    record()
    model = Model(layers=1).cuda()
    optimizer = torch.optim.SGD(model.parameters())
    for length in (64, 256, 128):
        step(model, optimizer, words(length=length))
        torch.cuda.empty_cache()
    return snapshot()


@dataclass(frozen=True, kw_only=True)
class Workload:
    """A recording to make."""

    run: object
    conf: str = ""
    """`PYTORCH_CUDA_ALLOC_CONF`."""
    total: str = "8GiB"
    ranks: int = 1
    torch: str = "2.14"
    environment: dict = field(default_factory=dict)


WORKLOADS = {
    "training": Workload(run=training),
    "training-2.8": Workload(run=training, torch="2.8"),
    "ring-cut": Workload(run=ring_cut),
    "ragged": Workload(run=ragged),
    "ragged-gc": Workload(run=collected, conf="garbage_collection_threshold:0.13", total="1GiB"),
    "oom-first": Workload(run=oom_first),
    "oom-forward": Workload(run=oom_forward, total="900MiB"),
    "oom-fragmented": Workload(run=oom_fragmented, total="1150MiB"),
    "expandable": Workload(run=ragged, conf="expandable_segments:True"),
    "split-roundup": Workload(run=ragged, conf="max_split_size_mb:32,roundup_power2_divisions:4"),
    "emptied": Workload(run=emptied),
    "streams": Workload(run=streams),
    "graphs": Workload(run=graphs),
    "fsdp2": Workload(run=fsdp2, ranks=2),
    "leak": Workload(run=leak),
    "checkpointed": Workload(run=checkpointed),
    "lora": Workload(run=lora),
    "evaluation": Workload(run=evaluation),
    "compiled": Workload(run=compiled),
    "annotated": Workload(run=annotated),
    "segments-only": Workload(run=segments_only),
}
HERE = str(Path(__file__).resolve().parent)
