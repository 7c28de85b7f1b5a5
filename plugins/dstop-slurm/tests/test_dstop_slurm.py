"""The Slurm plugin, as dstop's own plugin manager sees it."""

# ruff: noqa: S101

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

from dstop.doctor.case import Case
from dstop.doctor.evidence.collect import facts_of
from dstop.doctor.plugged import with_evidence, wrong_with
from dstop.doctor.text.read import log_of_text
from dstop.model.host import Host
from dstop.model.process import GpuProcess, ProcessFacts
from dstop.model.sample import Sample
from dstop.plugin import Labeller, Loaded, plugin_manager
from dstop.testing import check_rule

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


def test_limits_are_labels_too() -> None:
    """Memory a node with its unit, and the partition; what is no number is left out."""
    environ = {"SLURM_JOB_ID": "1", "SLURM_JOB_PARTITION": "a100", "SLURM_MEM_PER_NODE": "512000"}
    assert _labels_of(environ) == {
        "slurm job": "1",
        "partition": "a100",
        "slurm memory": "512,000 MiB a node",
    }
    assert "slurm memory" not in _labels_of({"SLURM_JOB_ID": "1", "SLURM_MEM_PER_NODE": "much"})


def test_the_rules_keep_what_a_rule_promises() -> None:
    """Each fires first on slurmstepd's line, not on its near miss, and dstop takes it."""
    plugin = _plugin()
    for rule in plugin.rules():
        check_rule(rule, plugin.evidence)
        assert wrong_with(rule) is None


def test_a_job_that_failed_before_it_was_cancelled_is_not_explained_by_its_limit() -> None:
    """An out-of-memory error comes first in the log, so the time limit that follows is no answer."""
    log = (
        "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has a total capacity of "
        "79.15 GiB of which 10.25 MiB is free.\n"
        "slurmstepd: error: *** JOB 4711 ON n CANCELLED AT 2026-05-01T12:00:00 DUE TO TIME LIMIT ***\n"
    )
    plugin = _plugin()
    read = log_of_text(log, "slurm-4711.out")
    found = with_evidence(facts_of(read), read, 0, [("slurm", lambda _, lines: plugin.evidence(lines))], [])
    assert "slurm.time_limit" in {sign.kind for sign in found.signs}
    assert [rule.id for rule in plugin.rules() if rule.examine(Case([found])) is not None] == []


def test_the_cgroup_of_the_job_tells_memory_limit_and_kills(tmp_path: Path) -> None:
    """The files lie at the job, above the step that the process is in; `max` is no limit and no figure."""
    (tmp_path / "proc" / "7").mkdir(parents=True)
    inside = "/system.slice/slurmstepd.scope/job_4711/step_0/user/task_0"
    (tmp_path / "proc" / "7" / "cgroup").write_text(f"0::{inside}\n")
    job = tmp_path / "cgroup" / "system.slice" / "slurmstepd.scope" / "job_4711"
    job.mkdir(parents=True)
    (job / "memory.current").write_text("1048576\n")
    (job / "memory.max").write_text("max\n")
    (job / "memory.events").write_text("low 0\nhigh 0\nmax 12\noom 3\noom_kill 2\n")
    told = _plugin().job_figures(7, str(tmp_path / "proc"), str(tmp_path / "cgroup"))
    assert told == {"job_memory_bytes": 1048576, "job_oom_kills_total": 2}
    (job / "memory.max").write_text("2097152\n")
    told = _plugin().job_figures(7, str(tmp_path / "proc"), str(tmp_path / "cgroup"))
    assert told["job_limit_bytes"] == 2 * 1048576


def test_a_process_outside_slurm_has_no_figures(tmp_path: Path) -> None:
    """A session's cgroup is no job, and a path that leads upwards is not followed."""
    for path in ("/user.slice/user-1000.slice", "/x/job_1/../../etc", ""):
        (tmp_path / "7").mkdir(exist_ok=True)
        (tmp_path / "7" / "cgroup").write_text(f"0::{path}\n")
        assert _plugin().job_figures(7, str(tmp_path), str(tmp_path)) is None
