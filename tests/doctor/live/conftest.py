"""A way to set scenes, and to play a source through a monitor."""

from __future__ import annotations

import pytest

from dstop.doctor.live.scene import Scene
from dstop.testing.build import make_sample


def set_scene(gpus=1, rows=(), *, memory=None, sm=None, inside=None, sample=None, **values):
    """Give a scene of these cards and rows; series are by PID."""
    base = make_sample(gpus, 0, processes=tuple(rows)) if sample is None else sample
    memory, sm, inside = memory or {}, sm or {}, inside or {}
    return Scene(
        sample=base,
        memory_of=lambda key: memory.get(key.pid, ()),
        sm_of=lambda key: sm.get(key.pid, ()),
        allocator_of=lambda process: inside.get(process.pid, {}),
        **values,
    )


@pytest.fixture
def scene():
    """Give the builder."""
    return set_scene
