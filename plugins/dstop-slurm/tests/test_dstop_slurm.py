"""The Slurm plugin, as dstop's own plugin manager sees it."""

# ruff: noqa: S101

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

from dstop.model.host import Host
from dstop.model.process import GpuProcess, ProcessFacts
from dstop.model.sample import Sample
from dstop.plugin import Labeller, Loaded, plugin_manager

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import ModuleType


def _plugin() -> ModuleType:
    path = Path(__file__).parents[1] / "dstop_slurm.py"
    spec = importlib.util.spec_from_file_location("dstop_slurm", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _labels_of(environ: dict[str, str]) -> Mapping[str, str]:
    manager = plugin_manager(entry_points=False).manager
    manager.register(_plugin(), name="slurm")
    label = Labeller(lambda: Loaded(manager, ()), environ_of=lambda _: environ)
    row = GpuProcess(gpu_index=0, pid=7, facts=ProcessFacts(pid=7, started_at_s=1.0))
    return label(Sample(taken_at_ns=1, host=Host(name="node"), processes=(row,))).processes[0].facts.labels


def test_a_slurm_process_is_labelled_with_its_job() -> None:
    """A process that Slurm started carries its job's id and name and its step."""
    environ = {"SLURM_JOB_ID": "4711", "SLURM_JOB_NAME": "pretrain", "SLURM_STEP_ID": "0", "HOME": "/root"}
    assert _labels_of(environ) == {"slurm job": "4711", "slurm name": "pretrain", "slurm step": "0"}


def test_a_process_of_nobody_has_no_label() -> None:
    """A process that Slurm did not start gets no label, not an empty one."""
    assert _labels_of({"HOME": "/root", "SLURM_JOB_ID": ""}) == {}
