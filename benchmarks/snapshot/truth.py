# mypy: ignore-errors
# ruff: noqa: ANN001, ANN002, ANN201, ANN202 - torch is not there when this is checked
"""What a training knows of its own memory: each tensor that matters is written down with its address and its turn.

Runs inside the training. A label is (kind, address, how many allocations there had been): of the lives at that address,
the newest that began before it. Kinds are those of `dstop.model.study.CATEGORIES`; what nobody labels was needed for a
moment only.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
from torch.utils import checkpoint


def _plain(tensor):
    part = getattr(tensor, "_local_tensor", tensor)
    return part if isinstance(part, torch.Tensor) and part.is_cuda else None


class Truth:
    """Collects labels while a training runs."""

    def __init__(self) -> None:
        self.labels: list[tuple[str, int, int]] = []
        self.saving = "activations"
        self.start = 0
        self.kept: list[object] = []
        self._watch_checkpointing()

    def count(self) -> int:
        """Say how many allocations there have been."""
        return int(torch._C._cuda_memoryStats(0)["allocation"]["all"]["allocated"])  # noqa: SLF001 - the plain counters

    def record(self, stacks: str = "python", **more: object) -> None:
        """Begin the recording that the snapshot will hold."""
        torch.cuda.init()
        torch.cuda.memory._record_memory_history(max_entries=2_000_000, stacks=stacks, **more)  # noqa: SLF001 - no other way
        self.start = self.count()

    def say(self, kind: str, *tensors: object) -> None:
        """Label what these tensors are views of."""
        for tensor in tensors:
            part = _plain(tensor)
            if part is not None and part.untyped_storage().size():
                self.labels.append((kind, part.untyped_storage().data_ptr(), self.count()))

    def model(self, model: torch.nn.Module) -> None:
        """Label parameters and buffers, and every gradient as soon as it is accumulated; the model stays."""
        self.kept.append(model)
        self.say("parameters", *model.parameters(), *model.buffers())
        for parameter in model.parameters():
            if parameter.requires_grad and _plain(parameter) is not None:
                parameter.register_post_accumulate_grad_hook(lambda each: self.say("gradients", each.grad))

    def gradients(self, model: torch.nn.Module) -> None:
        """Label the gradients that are there."""
        self.say("gradients", *(each.grad for each in model.parameters() if each.grad is not None))

    def optimizer(self, optimizer: torch.optim.Optimizer) -> None:
        """Label the state that is there; it lives until the snapshot."""
        self.kept.append(optimizer)
        for model in self.kept:
            if isinstance(model, torch.nn.Module):
                self.say("parameters", *model.parameters(), *model.buffers())
        for state in optimizer.state.values():
            self.say(
                "optimizer_state", *(value for value in state.values() if isinstance(value, torch.Tensor))
            )

    def loss(self, compute, logits: torch.Tensor, target: torch.Tensor):
        """Compute a loss; the logits, what the loss saves, and the gradients of both are logits."""
        self.say("logits", logits)
        if logits.requires_grad:
            logits.register_hook(lambda gradient: self.say("logits", gradient))
        before, self.saving = self.saving, "logits"
        loss = compute(logits, target)
        self.saving = before
        self.say("logits", loss)
        self._behind(loss.grad_fn)
        return loss

    def _behind(self, node) -> None:
        """Label the gradients on the way from the loss to what computed the logits."""
        for _ in range(8):
            if node is None or "mm" in node.name().lower():
                return
            node.register_prehook(lambda gradients: self.say("logits", *gradients))
            node = node.next_functions[0][0] if node.next_functions else None

    def saved(self):
        """Label what is saved for backward."""
        return torch.autograd.graph.saved_tensors_hooks(self._pack, lambda tensor: tensor)

    def _watch_checkpointing(self) -> None:
        """Label what checkpointing saves when it computes anew, in backward."""
        hooks = checkpoint._recomputation_hook  # noqa: SLF001 - where it keeps them
        original = hooks.__init__

        def keep(made, *arguments):
            original(made, *arguments)
            pack = made.pack_hook

            def packed(tensor):
                self.say("activations", tensor)
                return pack(tensor)

            made.pack_hook = packed

        hooks.__init__ = keep

    def _pack(self, tensor: torch.Tensor) -> torch.Tensor:
        self.say(self.saving, tensor)
        return tensor.detach()  # the tensor itself would be a cycle, and live longer than it does without us

    def write(self, path: str) -> None:
        """Write the snapshot to a path, and the labels beside it."""
        torch.cuda.memory._dump_snapshot(path)  # noqa: SLF001 - no other way
        Path(path + ".truth.json").write_text(
            json.dumps({"start": self.start, "labels": self.labels}), "utf-8"
        )
