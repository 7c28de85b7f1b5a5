"""An invented training, and the events that its allocator would have recorded.

Weights and optimizer state stay; forward keeps what backward frees in turn; each operation has temporaries; gradients
live until the optimizer has stepped. Sequences are of four lengths, so steps rise and fall. The ring begins in the
middle of a step: some of what it frees is older than it.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ROUND, SMALL, SMALL_SEGMENT, LARGE_SEGMENT, OWN_SEGMENT = 512, 1 << 20, 2 << 20, 20 << 20, 10 << 20
"""Of CUDACachingAllocator.cpp: what sizes are rounded to, the small pool's largest, what the driver is asked for."""
LAYERS, OPERATIONS = 64, 14
START_US = 1_795_871_685_408_587
ADDRESS = 0x7F8A00000000
WIDTHS = (2048, 8192, 2048, 6144, 2048, 512)

Stack = list[dict[str, Any]]


class Held(NamedTuple):
    """What is allocated: its block, and its request."""

    block: dict[str, Any]
    size: int


@dataclass(kw_only=True)
class Recording:
    """What was recorded."""

    events: list[dict[str, Any]] = field(default_factory=list)
    segments: list[dict[str, Any]] = field(default_factory=list)
    annotations: list[dict[str, Any]] = field(default_factory=list)
    stacks: int = 0
    frames: int = 0
    peak_bytes: int = 0
    """Of live blocks, rounded, at any moment of the ring."""


class _Full(Exception):  # noqa: N818 - it is no error
    """There are as many events as were asked for."""


class Frames:
    """Frames, each once, and stacks over them that look like those of a real training."""

    def __init__(self, depth: int, rng: random.Random) -> None:
        self.depth, self.rng, self.stacks = depth, rng, 0
        self.made: dict[tuple[str, str, int], dict[str, Any]] = {}

    def frame(self, name: str, filename: str, line: int) -> dict[str, Any]:
        """Give the one dict of a frame."""
        key = (name, filename, line)
        if key not in self.made:
            self.made[key] = {"name": name, "filename": filename, "line": line}
        return self.made[key]

    def stack(self, what: str, outer: Sequence[tuple[str, str, int]]) -> Stack:
        """Make a stack: C++ innermost, then the operation, the modules around it, and the user's file."""
        self.stacks += 1
        depth = self.rng.randint(max(8, self.depth * 2 // 3), self.depth)
        inner = [
            self.frame("torch::unwind::unwind()", "??", 0),
            self.frame("torch::CapturedTraceback::gather(bool, bool, bool)", "??", 0),
            self.frame("c10::cuda::CUDACachingAllocator::Native::DeviceCachingAllocator::malloc", "??", 0),
            self.frame(f"at::native::{what}(at::Tensor const&)", "??", 0),
            self.frame(f"at::_ops::{what}::call(at::Tensor const&)", "??", 0),
        ]
        around = [self.frame(*each) for each in outer]
        torch = "/venv/lib/python3.12/site-packages/torch/nn/modules/module.py"
        calls = [
            self.frame(("_call_impl", "_wrapped_call_impl")[number % 2], torch, 1775 + number)
            for number in range(max(0, depth - len(inner) - len(around)))
        ]
        return inner + around[:2] + calls + around[2:]


class Allocator:
    """Blocks of exactly the sizes that are asked for, in segments of torch's sizes."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self.free: dict[int, list[dict[str, Any]]] = {}
        self.open: dict[bool, tuple[dict[str, Any], int]] = {}
        self.next = ADDRESS
        self.nothing: list[Any] = []

    def take(self, size: int) -> tuple[dict[str, Any], dict[str, Any] | None]:
        """Give a block, and the segment that was got for it, if one was."""
        rounded = -(-size // ROUND) * ROUND
        waiting = self.free.get(rounded)
        if waiting:
            return waiting.pop(), None
        segment, used, got = self._room(rounded)
        block = {
            "address": segment["address"] + used,
            "size": rounded,
            "requested_size": 0,
            "state": "inactive",
            "frames": self.nothing,
        }
        segment["blocks"].append(block)
        self.open[segment["segment_type"] == "small"] = (segment, used + rounded)
        return block, got

    def _room(self, rounded: int) -> tuple[dict[str, Any], int, dict[str, Any] | None]:
        small = rounded <= SMALL
        segment, used = self.open.get(small, (None, 0))
        if segment is not None and used + rounded <= segment["total_size"]:
            return segment, used, None
        total = SMALL_SEGMENT if small else LARGE_SEGMENT
        if rounded >= OWN_SEGMENT:
            total = -(-rounded // SMALL_SEGMENT) * SMALL_SEGMENT
        made = {
            "device": 0,
            "address": self.next,
            "total_size": total,
            "allocated_size": 0,
            "active_size": 0,
            "requested_size": 0,
            "stream": 0,
            "segment_type": "small" if small else "large",
            "segment_pool_id": (0, 0),
            "is_expandable": False,
            "frames": self.nothing,
            "blocks": [],
        }
        self.next += total + (2 << 20)
        self.recording.segments.append(made)
        return made, 0, made

    def close(self) -> None:
        """Fill what is left of each segment with a free block, and count."""
        for segment in self.recording.segments:
            blocks = segment["blocks"]
            used = sum(block["size"] for block in blocks)
            if used < segment["total_size"]:
                rest = {"address": segment["address"] + used, "size": segment["total_size"] - used}
                blocks.append(rest | {"requested_size": 0, "state": "inactive", "frames": self.nothing})
            active = [block for block in blocks if block["state"] != "inactive"]
            segment["allocated_size"] = segment["active_size"] = sum(block["size"] for block in active)
            segment["requested_size"] = sum(block["requested_size"] for block in active)


class Training:
    """Runs, and records once it is told to."""

    def __init__(self, events: int, depth: int, seed: int, *, frees: bool, layers: int) -> None:
        self.limit, self.frees, self.layers = events, frees, layers
        self.rng = random.Random(seed)  # noqa: S311 - an invented training
        self.recording = Recording()
        self.allocator, self.frames = Allocator(self.recording), Frames(depth, self.rng)
        self.now, self.live, self.on = START_US, 0, False
        self.sites: dict[tuple[str, int, int], Stack] = {}

    def site(self, phase: str, layer: int, operation: int) -> Stack:
        """Give the stack of one operation; a new list each time, as each captured traceback has."""
        key = (phase, layer, operation)
        if key not in self.sites:
            self.sites[key] = self.frames.stack(f"{phase}_{operation}", OUTER[phase](layer, operation))
        return list(self.sites[key])

    def event(self, action: str, address: int, size: int, stack: Stack | None) -> None:
        """Record one event, with the texts and tuples of its own that torch makes for it."""
        if not self.on:
            return
        self.now += 3
        made = {
            "action": action,
            "addr": address,
            "size": size,
            "stream": 0,
            "time_us": self.now,
            "compile_context": "".join(("N/", "A")),  # noqa: FLY002 - a literal would be one text for all
            "user_metadata": "",
            "pool_id": tuple([0, 0]),  # noqa: C409 - a literal would be one tuple for all
        }
        if stack is not None:
            made["frames"] = stack
        events = self.recording.events
        events.append(made)
        if len(events) >= self.limit - 1:
            raise _Full

    def alloc(self, size: int, stack: Stack) -> Held:
        """Hand out a block."""
        block, segment = self.allocator.take(size)
        if segment is not None:
            segment["frames"] = stack
            self.event("segment_alloc", segment["address"], segment["total_size"], stack)
        block["requested_size"], block["state"], block["frames"] = size, "active_allocated", stack
        self.live += block["size"]
        self.recording.peak_bytes = max(self.recording.peak_bytes, self.live)
        self.event("alloc", block["address"], size, stack)
        return Held(block, size)

    def release(self, held: Held, stack: Stack) -> None:
        """Take it back."""
        block, recorded = held.block, stack if self.frees else None
        address = block["address"]
        self.event("free_requested", address, held.size, recorded)
        block["state"], block["frames"] = "inactive", self.allocator.nothing
        self.allocator.free.setdefault(block["size"], []).append(block)
        self.live -= block["size"]
        self.event("free_completed", address, held.size, recorded)

    def mark(self, stage: str) -> None:
        """Record a begin or an end of `Optimizer.step`."""
        if self.on:
            name = "Optimizer.step#AdamW.step"
            self.recording.annotations.append(
                {"stage": stage, "name": name, "device": 0, "time_us": self.now}
            )

    def forward(self, length: int) -> list[list[Held]]:
        """Run forward: each operation keeps its output and drops what it needed on the way."""
        kept = []
        for layer in range(self.layers):
            saved = []
            for operation in range(OPERATIONS):
                size = length * WIDTHS[operation % len(WIDTHS)] * 2 + operation * 96
                work = self.alloc(size // 2, self.site("forward", layer, operation + 100))
                saved.append(self.alloc(size, self.site("forward", layer, operation)))
                self.release(work, self.site("forward", layer, operation + 200))
            kept.append(saved)
        return kept

    def backward(self, kept: list[list[Held]], weights: list[list[Held]]) -> list[Held]:
        """Free what forward kept, last first; leave gradients."""
        gradients = []
        for layer in reversed(range(self.layers)):
            for operation in reversed(range(OPERATIONS)):
                work = self.alloc(kept[layer][operation].size, self.site("backward", layer, operation))
                self.release(kept[layer].pop(), self.site("backward", layer, operation + 200))
                self.release(work, self.site("backward", layer, operation + 300))
            gradients += [
                self.alloc(each.size, self.site("backward", layer, 100 + number))
                for number, each in enumerate(weights[layer])
            ]
        return gradients

    def step(self, weights: list[list[Held]]) -> None:
        """Take one training step."""
        length = 256 * self.rng.choice((1, 4, 9, 16))
        batch = self.alloc(length * 8, self.site("input", 0, 0))
        kept = self.forward(length)
        loss = self.alloc(4, self.site("forward", self.layers, 0))
        gradients = self.backward(kept, weights)
        self.mark("START")
        for number, each in enumerate(gradients):
            work = self.alloc(each.size, self.site("optimizer", 0, number % 7))
            self.release(work, self.site("optimizer", 0, number % 7 + 10))
        self.mark("END")
        for each in (*gradients, loss, batch):
            self.release(each, self.site("optimizer", 0, 20))

    def run(self) -> Recording:
        """Load, warm up, and record from the middle of a step on."""
        weights = [
            [
                self.alloc(2048 * width * 2, self.site("load", layer, number))
                for number, width in enumerate(WIDTHS)
            ]
            for layer in range(self.layers)
        ]
        for layer in weights:
            for number, each in enumerate(layer):
                for _ in range(2):
                    self.alloc(each.size * 2, self.site("optimizer", 0, 30 + number))
        kept = self.forward(1024)
        self.on, self.recording.peak_bytes = True, self.live
        try:
            for each in self.backward(kept, weights):
                self.release(each, self.site("optimizer", 0, 20))
            while True:
                self.step(weights)
        except _Full:
            pass
        self.limit += 2
        self.event("snapshot", 0, 0, None)
        self.allocator.close()
        self.recording.stacks, self.recording.frames = self.frames.stacks, len(self.frames.made)
        return self.recording


_TORCH = "/venv/lib/python3.12/site-packages/torch"
_USER = "/home/user/train/model.py"
_MAIN = (("main", "/home/user/train/train.py", 212), ("<module>", "/home/user/train/train.py", 260))


def _modules(layer: int, operation: int) -> Sequence[tuple[str, str, int]]:
    return (
        ("linear", f"{_TORCH}/nn/functional.py", 100 + operation),
        ("forward", f"{_TORCH}/nn/modules/linear.py", 125 + operation % 5),
        ("forward", _USER, 40 + operation),
        ("forward", _USER, 300 + layer),
        *_MAIN,
    )


OUTER: dict[str, Callable[[int, int], Sequence[tuple[str, str, int]]]] = {
    "forward": _modules,
    "backward": lambda layer, operation: (
        (f"torch::autograd::generated::Backward{operation}::apply", "??", 0),
        ("torch::autograd::Engine::evaluate_function", "??", 0),
        ("_engine_run_backward", f"{_TORCH}/autograd/graph.py", 829),
        ("backward", f"{_TORCH}/_tensor.py", 600),
        ("train_step", "/home/user/train/train.py", 100 + layer),
        *_MAIN,
    ),
    "optimizer": lambda _, operation: (
        ("_multi_tensor_adamw", f"{_TORCH}/optim/adamw.py", 500 + operation),
        ("step", f"{_TORCH}/optim/adamw.py", 231),
        ("wrapper", f"{_TORCH}/optim/optimizer.py", 493),
        *_MAIN,
    ),
    "input": lambda *_: (("collate", "/home/user/train/data.py", 31), *_MAIN),
    "load": lambda layer, operation: (
        ("to", f"{_TORCH}/nn/modules/module.py", 1343),
        ("convert", f"{_TORCH}/nn/modules/module.py", 1329 + operation),
        ("build", _USER, 20 + layer),
        *_MAIN,
    ),
}
"""For each phase the Python around an operation, innermost first."""


def record(events: int, depth: int, seed: int, *, frees: bool, layers: int = LAYERS) -> Recording:
    """Invent a recording.

    Args:
        events: how many, at least 16.
        depth: of the deepest stacks.
        seed: of the lengths of sequences and the depths of stacks.
        frees: whether frees have stacks, as `context="all"` records them.
        layers: of the model; each has some ninety stacks of its own.
    """
    return Training(max(16, events), depth, seed, frees=frees, layers=layers).run()
