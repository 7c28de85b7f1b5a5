"""List what autograd keeps of one layer and of the head, by operation: `python saved.py CASE...` (of `cases.py`).

A Python with PyTorch and transformers runs it, on a GPU or a simulated one. What an operation saves is read from the
graph itself: each node's saved tensors, each storage counted where it is met first, parameters left out. From that
list a formula for activations can be checked term by term; a total alone would hide two errors that cancel. What an
operation in place on a view keeps cannot be asked for (`CopySlices`); it is in what the allocator has, and not listed.
"""

from __future__ import annotations

import gc
import sys
from dataclasses import dataclass, field

import torch
from cases import CASES, HIDDEN
from train import Run, counters, without_padding

SHORT = {"torch.float32": "f32", "torch.bfloat16": "bf16", "torch.float16": "f16", "torch.int64": "i64"}


@dataclass
class Listing:
    """The lines of one stretch of the graph, and what they add up to."""

    title: str
    low: int = 0
    high: int = 0
    lines: list[str] = field(default_factory=list)
    bytes: int = 0

    def __contains__(self, node):
        """Whether a node was made while this stretch ran."""
        return self.low <= node._sequence_nr() < self.high


def nodes_of(loss):
    """Give every node below a loss, in the order in which they were made."""
    seen, todo = set(), [loss.grad_fn]
    while todo:
        node = todo.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        todo += [below for below, _ in node.next_functions]
    return sorted(
        (node for node in seen if "AccumulateGrad" not in node.name()), key=lambda n: n._sequence_nr()
    )


def saved_of(node):
    """Give (name, tensor) for all that a node keeps."""
    names = [name for name in dir(node) if name.startswith("_saved_")]
    names += ["saved_tensors"] if hasattr(node, "saved_tensors") else []
    for name in names:
        value = getattr(node, name)
        for each in value if isinstance(value, list | tuple) else [value]:
            if isinstance(each, torch.Tensor):
                yield name.removeprefix("_saved_"), each


def describe(model, loss, stretches):
    """Fill the stretches, a line per saved tensor, and give the bytes of all; a storage counts where first met."""
    known = {each.untyped_storage().data_ptr(): name for name, each in model.named_parameters()}
    known |= {each.untyped_storage().data_ptr(): name for name, each in model.named_buffers()}
    met, listed = {}, 0
    for node in nodes_of(loss):
        place = next((each for each in stretches if node in each), None)
        for name, tensor in saved_of(node):
            storage = tensor.untyped_storage()
            if tensor.device.type != "cuda" or not storage.nbytes():
                continue
            if storage.data_ptr() in known:
                continue
            if storage.data_ptr() in met:
                note = f"= {met[storage.data_ptr()]}"
            else:
                met[storage.data_ptr()] = f"{node.name()}.{name}#{node._sequence_nr()}"
                note = f"{storage.nbytes():>12,} B"
                listed += storage.nbytes()
                if place:
                    place.bytes += storage.nbytes()
            if place:
                kind = SHORT.get(str(tensor.dtype), str(tensor.dtype))
                place.lines.append(f"  {node.name():34} {name:16} {kind:5}{list(tensor.shape)!s:24} {note}")
    return listed


def stretch_hooks(module, title):
    """Note the numbers of the nodes that a module makes."""
    found = Listing(title)

    def before(*_):
        found.low = torch.autograd._get_sequence_nr()

    def after(*_):
        found.high = torch.autograd._get_sequence_nr()

    module.register_forward_pre_hook(before)
    module.register_forward_hook(after)
    return found


def main(names):
    """Print the listing of each case named."""
    for name in names:
        run = Run((CASES | HIDDEN)[name])
        run.build()
        run.step(run.optimizer)
        layers = run.layers()
        stretches = [stretch_hooks(layers[0], "layer 0"), stretch_hooks(layers[-1], "last layer")]
        gc.collect()
        before = counters()["requested"]
        loss = run.forward()
        kept = counters()["requested"] - before
        head = Listing("after the layers (norm, head, loss)", stretches[-1].high, 1 << 62)
        rest = Listing("before the layers", 0, stretches[0].low)
        listed = describe(run.model, loss, [rest, stretches[0], stretches[-1], head])
        sys.stdout.write(f"\n## {name}: {kept:,} B kept, {listed:,} B listed\n{run.case}\n")
        for each in (rest, *stretches, head):
            sys.stdout.write(f"{each.title}: {each.bytes:,} B\n" + "\n".join(each.lines) + "\n")
        sys.stdout.flush()
        del run, loss, layers, stretches, rest, head
        gc.collect()


if __name__ == "__main__":
    torch.backends.cudnn.enabled = False
    without_padding()
    main(sys.argv[1:])
    import os
    import time

    time.sleep(0.3)
    os._exit(0)
