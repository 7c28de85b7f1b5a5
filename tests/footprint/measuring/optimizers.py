"""The optimizers of the cases by name: PyTorch's own, and transformers' Adafactor."""

from __future__ import annotations

import torch
from transformers.optimization import Adafactor

MAKERS = {
    "adamw": torch.optim.AdamW,
    "adamw-foreach": lambda p: torch.optim.AdamW(p, foreach=True),
    "adamw-fused": lambda p: torch.optim.AdamW(p, fused=True),
    "adamw-loop": lambda p: torch.optim.AdamW(p, foreach=False, fused=False),
    "sgd": lambda p: torch.optim.SGD(p, lr=1e-3),
    "sgd_momentum": lambda p: torch.optim.SGD(p, lr=1e-3, momentum=0.9),
    "adagrad": torch.optim.Adagrad,
    "adafactor": lambda p: Adafactor(
        p, lr=1e-3, relative_step=False, scale_parameter=False, warmup_init=False
    ),
    "adafactor-torch": torch.optim.Adafactor,
    "muon": lambda p: Both(
        torch.optim.Muon([each for each in p if each.ndim == 2 and max(each.shape) < 16384]),
        torch.optim.AdamW([each for each in p if each.ndim != 2 or max(each.shape) >= 16384]),
    ),
}


class Both:
    """Two optimizers that step one after the other."""

    def __init__(self, *parts):
        self.parts = parts

    @property
    def state(self):
        """The states of both."""
        return {key: value for each in self.parts for key, value in each.state.items()}

    def step(self):
        """Step both."""
        for each in self.parts:
            each.step()

    def zero_grad(self, *, set_to_none=True):
        """Let the gradients of both go."""
        for each in self.parts:
            each.zero_grad(set_to_none=set_to_none)


def make_optimizer(name, parameters):
    """Give the optimizer of that name over parameters."""
    return MAKERS[name](parameters)
