"""One training of one case: builds the model from its configuration, takes steps, and notes what the allocator says.

No weights are downloaded and no figure depends on a value: on a simulated device every result is nought, so the
inputs are known beforehand (no padding, one mask of ones), and nothing here looks at a result.
"""

from __future__ import annotations

import gc
import json
import time
from contextlib import nullcontext

import torch
import transformers
from adapters import add_adapters
from optimizers import make_optimizer
from ranks import held, join, shard
from routing import route_evenly

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
MOMENTS = ("forward", "backward", "optimizer")


def counters():
    """Give what the allocator says now: handed out, asked for, taken from the driver; and their peaks."""
    stats = torch.cuda.memory_stats()
    return {
        "allocated": stats["allocated_bytes.all.current"],
        "requested": stats["requested_bytes.all.current"],
        "reserved": stats["reserved_bytes.all.current"],
        "allocated_peak": stats["allocated_bytes.all.peak"],
        "requested_peak": stats["requested_bytes.all.peak"],
        "reserved_peak": stats["reserved_bytes.all.peak"],
    }


def current():
    """Give the same without the peaks."""
    return {name: value for name, value in counters().items() if not name.endswith("_peak")}


def config_of(model):
    """Give a model's config.json as transformers would write it."""
    said = json.loads(model.config.to_json_string(use_diff=True))
    return said | {"architectures": [type(model).__name__]}


def without_padding():
    """Tell transformers what it would see on a GPU: that a mask of ones masks nothing.

    It asks `mask.all()` of the device before it leaves the mask away; a simulated device answers with a nought.
    """
    from transformers import masking_utils

    asked = masking_utils._ignore_causal_mask_sdpa
    masking_utils._ignore_causal_mask_sdpa = lambda _mask, *rest, **named: asked(None, *rest, **named)


class Run:
    """A model, its optimizer and a batch, as one case says."""

    def __init__(self, case):
        self.case = case
        self.model = self.optimizer = None

    def config(self):
        """Give the configuration object of transformers."""
        kind = getattr(transformers, self.case.config)
        return kind(**self.case.model, attn_implementation=self.case.attention)

    def build(self):
        """Build the model on the device, with adapters and frozen parts, and its optimizer."""
        case = self.case
        config = self.config()
        before = torch.get_default_dtype()
        torch.set_default_dtype(DTYPES[case.weights])
        try:
            with torch.device("cuda"):
                self.model = transformers.AutoModelForCausalLM.from_config(config, dtype=DTYPES[case.weights])
        finally:
            torch.set_default_dtype(before)
        route_evenly(self.model, case.config)
        if case.lora:
            add_adapters(self.model, **case.lora)
        for name, each in self.model.named_parameters():
            if any(part in name for part in case.frozen):
                each.requires_grad_(False)
        if case.checkpointing:
            self.model.gradient_checkpointing_enable({"use_reentrant": False})
            if case.lora or case.frozen:
                self.model.enable_input_require_grads()
        self.model.train()
        self.written = config_of(self.model)
        self.trained = shard(self.model, self.layers(), case.sharding)
        self.optimizer = make_optimizer(
            case.optimizer, [p for p in self.model.parameters() if p.requires_grad]
        )
        shape = (case.batch, case.sequence)
        self.tokens = torch.zeros(shape, dtype=torch.int64, device="cuda")
        self.labels = torch.zeros(shape, dtype=torch.int64, device="cuda")
        self.mask = torch.ones(shape, dtype=torch.int64, device="cuda") if case.mask else None
        gc.collect()

    def layers(self):
        """Give the transformer layers."""
        base = self.model.base_model
        return base.h if hasattr(base, "h") else base.layers

    def forward(self):
        """Give the loss; the outputs beside it are let go, as the Trainer does."""
        kind = self.case.autocast
        with torch.autocast("cuda", dtype=DTYPES[kind]) if kind else nullcontext():
            inputs = {"input_ids": self.tokens, "attention_mask": self.mask, **self.case.arguments}
            if self.case.loss == "hidden":
                return self.model.base_model(**inputs).last_hidden_state.float().sum()
            if self.case.loss == "chunked":
                return self.chunked(self.model.base_model(**inputs).last_hidden_state)
            return self.trained(labels=self.labels, **inputs).loss

    def chunked(self, hidden):
        """Give the loss over pieces of the sequence, each computed again in the backward pass."""
        from torch.utils.checkpoint import checkpoint

        def piece(states, labels):
            logits = self.model.lm_head(states).float()
            return torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="sum")

        pieces = zip(hidden.chunk(self.case.chunks, 1), self.labels.chunk(self.case.chunks, 1), strict=True)
        return sum(checkpoint(piece, *each, use_reentrant=False) for each in pieces) / self.labels.numel()

    def step(self, optimizer, note=None):
        """Take one step; `note` is called with the name of each moment, after it."""
        note = note or (lambda _: None)
        loss = self.forward()
        note("forward")
        loss.backward()
        del loss
        note("backward")
        optimizer.step()
        note("optimizer")
        optimizer.zero_grad(set_to_none=True)

    def static(self):
        """Give the bytes of the tensors that outlive a step, by what they are; gradients must be there."""
        parameters = list(self.model.parameters())
        states = [each for state in self.optimizer.state.values() for each in state.values()]
        return {
            "weights": held(parameters),
            "gradients": held(each.grad for each in parameters if each.grad is not None),
            "optimizer": held(states),
            "buffers": held(self.model.buffers()),
            "parameters": sum(each.numel() for each in parameters),
            "trainable": sum(each.numel() for each in parameters if each.requires_grad),
        }


def measure(case):
    """Run a case, and give its figures in bytes.

    DDP makes its buckets anew in the second step, so it takes one step more. NCCL's watchdog lets go of finished work,
    and of the buckets below it, some ten times a second: steps this short have to wait for it.
    """
    torch.cuda.init()
    join()
    run = Run(case)
    run.build()
    figures = {"built": current(), "steps": []}
    inputs = held([run.tokens, run.labels, run.mask])
    for _ in range(4 if case.sharding == "ddp" else 3):
        moments = {}

        def note(moment, moments=moments):
            moments[moment] = counters()
            if moment == "optimizer":
                figures["static"] = run.static() | {"inputs": inputs}
            torch.cuda.reset_peak_memory_stats()

        torch.cuda.reset_peak_memory_stats()
        before = current()
        run.step(run.optimizer, note)
        if case.sharding:
            time.sleep(0.5)
        figures["steps"].append({"before": before, **moments})
    figures["after"] = current()
    figures["segments"] = segments()
    figures["config"] = run.written
    return figures


def segments():
    """Give how many segments there are, and the widest free block in them."""
    found = torch.cuda.memory_snapshot()
    free = [block["size"] for each in found for block in each["blocks"] if block["state"] == "inactive"]
    return {"count": len(found), "widest_free": max(free, default=0)}
