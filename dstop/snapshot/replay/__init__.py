"""PyTorch's caching allocator as a model: the recording replayed, checked, and replayed under other conditions."""

from dstop.snapshot.replay.baseline import fidelity_of
from dstop.snapshot.replay.change import THERE_IS, WhatIf, parse_what_if
from dstop.snapshot.replay.what_if import what_if

__all__ = ["THERE_IS", "WhatIf", "fidelity_of", "parse_what_if", "what_if"]
