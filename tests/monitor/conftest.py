"""Builders of samples, and a source that plays them."""

from __future__ import annotations

import pytest

from dstop.errors import SourceError
from dstop.model.gpu import Gpu
from dstop.model.host import Host
from dstop.model.process import GpuProcess, ProcessFacts
from dstop.model.sample import Sample

SECOND = 1_000_000_000


class Build:
    """Short ways to write what a test is about."""

    @staticmethod
    def gpu(index=0, **values):
        """Give a card."""
        return Gpu(index=index, **values)

    @staticmethod
    def row(pid=1, gpu=0, memory=2**30, started=1.0, **facts):
        """Give a process on a card."""
        return GpuProcess(
            gpu_index=gpu,
            pid=pid,
            gpu_memory_bytes=memory,
            facts=ProcessFacts(pid=pid, started_at_s=started, **facts),
        )

    @staticmethod
    def sample(at_s=0.0, gpus=(), rows=()):
        """Give a reading of one card, unless others are named."""
        gpus = gpus or (Gpu(index=0),)
        return Sample(
            taken_at_ns=int(at_s * SECOND), host=Host(name="node"), gpus=tuple(gpus), processes=tuple(rows)
        )


class Script:
    """A source that gives one thing after another: a Sample, or a SourceError to raise."""

    def __init__(self, *steps):
        self.steps = list(steps)
        self.closed = 0
        self.watched = frozenset()
        self.patience = []

    def read(self, *, patience_s=0.5):
        """Give the next step."""
        self.patience.append(patience_s)
        step = self.steps.pop(0)
        if isinstance(step, SourceError):
            raise step
        return step

    def watch(self, fields):
        """Keep what is watched."""
        self.watched = fields

    def close(self):
        """Count."""
        self.closed += 1


@pytest.fixture
def build():
    """Give the builders."""
    return Build


@pytest.fixture
def script():
    """Give the class of the source that plays steps."""
    return Script
