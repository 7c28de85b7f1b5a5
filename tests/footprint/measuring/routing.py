"""Routing that every expert gets an equal share of, for devices whose answers are nought.

transformers asks the device which tokens an expert gets (`torch.where`, `nonzero`, counts); a simulated device says
"none". Here those questions are answered from the shapes: each expert gets tokens x top_k / experts of them. What is
allocated is then what a balanced router leads to; how far real routers are from balance is not measured. Where
there are fewer choices than experts, the first experts get them.
"""

from __future__ import annotations

import importlib

import torch

MODULES = {
    "DeepseekV3Config": "deepseek_v3.modeling_deepseek_v3",
    "Qwen3MoeConfig": "qwen3_moe.modeling_qwen3_moe",
    "MixtralConfig": "mixtral.modeling_mixtral",
}


def shares(choices, experts):
    """Give how many of the choices each expert gets; what does not divide goes to the first ones."""
    return [choices // experts + (number < choices % experts) for number in range(experts)]


class Hit:
    """The experts that get a token: all of them."""

    def __init__(self, experts):
        self.experts = experts

    def nonzero(self):
        """Give their numbers, where they can be read."""
        return torch.arange(self.experts)[:, None]


class EvenTorch:
    """`torch`, but for the questions whose answer depends on what the router said."""

    def __init__(self, experts):
        self.experts = experts
        self.turn = 0
        """Which expert is asked about: they are asked one after the other, the first to the last."""

    def __getattr__(self, name):
        """Everything else is torch's own."""
        return getattr(torch, name)

    def where(self, condition, *others):
        """Give the places of an even share of a mask (one place per pair of token and choice)."""
        if others:
            return torch.where(condition, *others)
        share = shares(condition.numel(), self.experts)[self.turn]
        self.turn = (self.turn + 1) % self.experts
        return torch.zeros((share, condition.ndim), dtype=torch.int64, device=condition.device).unbind(1)

    def greater(self, *_):
        """Say that every expert is hit."""
        return Hit(self.experts)


class EvenIndices(torch.Tensor):
    """The router's choice in DeepSeek-V2, whose counts are known beforehand."""

    def new_zeros(self, shape, **_):
        """Give the table of tokens and experts in which choices are counted."""
        return Counts(torch.zeros(shape, dtype=torch.int64, device="cuda"), self.numel())


class Counts:
    """That table: its sum over tokens is an even share."""

    def __init__(self, table, choices):
        self.table = table
        self.choices = choices

    def scatter_(self, *_):
        """Count: known already."""

    def sum(self, **_):
        """Give how many tokens each expert gets, where it can be read."""
        return torch.tensor(shares(self.choices, self.table.shape[1]))


def route_evenly(model, kind):
    """Make a model's mixtures route evenly; nothing is done to models that have none."""
    experts = getattr(model.config, "n_routed_experts", None) or getattr(model.config, "num_experts", None)
    experts = experts or getattr(model.config, "num_local_experts", None)
    if kind in MODULES and experts:
        module = importlib.import_module(f"transformers.models.{MODULES[kind]}")
        module.torch = EvenTorch(experts)
    if kind == "DeepseekV2Config":
        for each in model.modules():
            if type(each).__name__ == "DeepseekV2MoEGate":
                each.register_forward_hook(lambda _m, _i, out: (out[0].as_subclass(EvenIndices), out[1]))
