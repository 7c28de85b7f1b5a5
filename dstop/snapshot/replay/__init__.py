"""PyTorch's caching allocator as a model: the recording replayed, checked, and replayed under other conditions."""

from dstop.snapshot.replay.baseline import fidelity_of

__all__ = ["fidelity_of"]
