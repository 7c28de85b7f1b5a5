"""Low-rank adapters as peft makes them (peft 0.17 `lora.Linear`, read, not copied), for a Python that has no peft.

`W x + B(A(x)) * alpha / rank`, A and B in float32 as peft keeps them unless told otherwise (`autocast_adapter_dtype`),
the input cast to A's type first; no dropout.
"""

from __future__ import annotations

import torch
from torch import nn


class LoraLinear(nn.Module):
    """A frozen linear layer and its adapter."""

    def __init__(self, base, rank, alpha):
        super().__init__()
        self.base = base
        self.scale = alpha / rank
        device = base.weight.device
        rows, columns = base.weight.shape if isinstance(base, nn.Linear) else reversed(base.weight.shape)
        self.lora_a = nn.Linear(columns, rank, bias=False, device=device, dtype=torch.float32)
        self.lora_b = nn.Linear(rank, rows, bias=False, device=device, dtype=torch.float32)

    def forward(self, x):
        """Add the adapter's answer to that of the frozen layer."""
        answer = self.base(x)
        kind = answer.dtype
        inner = x if torch.is_autocast_enabled() else x.to(self.lora_a.weight.dtype)
        return (answer + self.lora_b(self.lora_a(inner)) * self.scale).to(kind)


def add_adapters(model, *, rank, targets, alpha=16):
    """Freeze a model, and put adapters beside the layers whose last name is a target."""
    model.requires_grad_(False)
    for path, module in list(model.named_modules()):
        parent, _, name = path.rpartition(".")
        if name in targets:
            setattr(model.get_submodule(parent), name, LoraLinear(module, rank, alpha))
