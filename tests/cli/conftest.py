"""The command line in this process, on a machine that the test makes up."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import NamedTuple

import pytest

from dstop.cli.program import run
from dstop.testing import FakeSource


class Said(NamedTuple):
    """What a run of dstop left behind."""

    code: int
    out: str
    err: str


@pytest.fixture
def clean_environment(monkeypatch, tmp_path):
    """Take away what the tester's own environment says about settings, colour and GPUs."""
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


@pytest.fixture
def machine(monkeypatch):
    """Put a source in the driver's place: the steps it plays are the arguments."""

    def use(*steps):
        source = FakeSource(steps)
        module = ModuleType("dstop.sources.nvml.source")
        module.NvmlSource = lambda: source
        monkeypatch.setitem(sys.modules, "dstop.sources.nvml.source", module)
        return source

    return use


@pytest.fixture
def dstop(capfdbinary, clean_environment):
    """Run the command line with these words, and give what it said."""
    del clean_environment

    def call(*words):
        code = run(words)
        sys.stdout.flush()
        out, err = capfdbinary.readouterr()
        return Said(code, out.decode(), err.decode())

    return call
