"""The card is nearly full: the next larger allocation may fail

What it means
    Less is free than a layer's activations or a buffer of NCCL takes. Whether the next request fails depends on what PyTorch has
    cached: it serves itself from that first.

Evidence
    Free memory below 1 GiB and below 2 % of what programs can have. Watched live alone.

Fix
    A smaller micro batch, activation checkpointing, or a card with room (`dstop pick`).

When it is wrong
    Serving engines and JAX take their share at the start, on purpose, and ask for nothing after it: their cards are left out. A
    training job that has been full and steady for hours lives from its cache: then it is a note.
"""

from __future__ import annotations

from dstop.doctor.live.full_card import watch
from dstop.doctor.rule import Rule

RULE = Rule(
    id="DS250",
    name="full-card",
    cause="capacity_activations",
    title="The card is nearly full: the next larger allocation may fail",
    page=__doc__ or "",
    watch=watch,
)
