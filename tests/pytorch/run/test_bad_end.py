"""What is written down after a bad end, on a host made of files."""

from __future__ import annotations

import json
import resource
import signal
from typing import TYPE_CHECKING

import pytest

from dstop.pytorch.incident.listing import list_incidents
from dstop.pytorch.incident.read import read_file
from dstop.pytorch.incident.write import write_incident
from dstop.pytorch.run.bad_end import leave_incident
from dstop.pytorch.run.environment import HookOptions
from dstop.pytorch.run.evidence import Evidence, signal_name
from dstop.pytorch.run.options import RunOptions, plan_run
from dstop.pytorch.run.watch import Ending

if TYPE_CHECKING:
    from pathlib import Path

GROUP = "sys/fs/cgroup/job"


class Host:
    """Files in the place of a host's /proc, /sys and kernel log."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.kernel_log = root / "kmsg"
        self.write("kmsg", "")
        self.write("proc/self/cgroup", "0::/job\n")
        self.write("proc/vmstat", "oom_kill 4\n")
        self.write(f"{GROUP}/memory.events", "max 1\noom 0\noom_kill 0\n")
        self.write(f"{GROUP}/memory.max", str(16 << 30))
        self.write(f"{GROUP}/memory.current", "77")
        self.write(f"{GROUP}/memory.peak", str(16 << 30))

    def write(self, name: str, text: str) -> None:
        """Replace a file."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.fixture
def host(tmp_path):
    """Give a host."""
    return Host(tmp_path / "host")


@pytest.fixture
def run(tmp_path):
    """Give a run whose incidents go into the test's directory."""
    environ = {
        "HOME": str(tmp_path),
        "RANK": "0",
        "SECRET_THING": "abc",
        "DSTOP_DIR": str(tmp_path / "sockets"),
    }
    options = RunOptions(hook=HookOptions(incidents=str(tmp_path / "i")), name="try")
    return plan_run(["/usr/bin/python", "train.py", "--api-key=sk-abcdefghijklmnop1234"], options, environ)


def _ending(**how):
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    usual = {"code": 1, "signal": None, "core_dumped": False, "usage": usage, "asked": None, "asked_s": None}
    return Ending(**usual | how)


def _killed(**how):
    return _ending(code=None, signal=signal.SIGKILL, **how)


def test_a_kill_by_the_control_group_is_told_with_its_figures(host, run, tmp_path):
    """Counters since the start, the limit, the peak and the kernel's own line are all in the incident."""
    evidence = Evidence(str(host.root), str(host.kernel_log))
    host.write(f"{GROUP}/memory.events", "max 9\noom 1\noom_kill 1\n")
    host.write("proc/vmstat", "oom_kill 5\n")
    host.write("kmsg", "4,9,9,-;Memory cgroup out of memory: Killed process 7 (python)\n")
    line = leave_incident(run, evidence, _killed(), 4711, ("first", "last"))
    evidence.close()
    (told,) = list_incidents(tmp_path / "i")
    assert line == (
        "python was killed by SIGKILL (the kernel killed a process of its control group at its memory limit of 16.0G)"
        f": dstop doctor {told.directory}"
    )
    assert told.exit is not None
    assert told.exit.memory_events == {"max": 8, "oom": 1, "oom_kill": 1}
    assert told.exit.host_oom_kills == 1
    assert (told.exit.memory_max_bytes, told.exit.memory_peak_bytes) == (16 << 30, 16 << 30)
    assert told.exit.kernel_lines == ("Memory cgroup out of memory: Killed process 7 (python)",)
    assert told.exit.unavailable == {}
    assert (told.pid, told.run, told.run_name) == (4711, run.id, "try")
    assert read_file(told, "output", 100) == b"first\nlast\n"


def test_secrets_stay_out(host, run, tmp_path):
    """Of the environment only what explains errors has a value; the command's key is hidden."""
    evidence = Evidence(str(host.root), str(host.kernel_log))
    leave_incident(run, evidence, _ending(), 1, ("x",))
    evidence.close()
    (told,) = list_incidents(tmp_path / "i")
    assert told.environment["RANK"] == "0"
    assert "SECRET_THING" in told.environment_names
    text = (told.directory / "incident.json").read_text()
    assert "abc" not in text


def test_what_cannot_be_known_has_a_reason(run, tmp_path):
    """On a host without cgroups, counters and a kernel log each absence is explained."""
    nothing = tmp_path / "nothing"
    nothing.mkdir()
    evidence = Evidence(str(nothing), str(nothing / "kmsg"))
    line = leave_incident(run, evidence, _ending(), 1, ())
    assert line is not None
    assert line.startswith("python exited with 1: ")
    (told,) = list_incidents(tmp_path / "i")
    assert told.exit is not None
    assert set(told.exit.unavailable) == {
        "memory_events",
        "memory_max_bytes",
        "kernel_lines",
        "host_oom_kills",
    }
    assert "output" in told.unavailable


@pytest.mark.parametrize("ending", [_ending(code=130), _ending(), _killed()], ids=["130", "1", "killed"])
def test_who_was_stopped_by_the_user_is_left_alone(host, run, tmp_path, ending):
    """After Ctrl-C or a SIGTERM sent to us, however the command then ends, nothing is said."""
    stopped = _ending(code=ending.code, signal=ending.signal, asked=signal.SIGINT, asked_s=0.5)
    evidence = Evidence(str(host.root), str(host.kernel_log))
    assert leave_incident(run, evidence, stopped, 1, ("x",)) is None
    assert list_incidents(tmp_path / "i") == ()
    evidence.close()


def test_a_request_long_ago_or_a_kill_for_memory_is_another_matter(host, run):
    """A command that ignored Ctrl-C and crashed an hour later crashed; so did one that the kernel killed."""
    evidence = Evidence(str(host.root), str(host.kernel_log))
    late = _ending(asked=signal.SIGINT, asked_s=3600.0)
    assert leave_incident(run, evidence, late, 1, ()) is not None
    host.write(f"{GROUP}/memory.events", "oom_kill 1\n")
    soon = _killed(asked=signal.SIGTERM, asked_s=1.0)
    assert leave_incident(run, evidence, soon, 1, ()) is not None
    evidence.close()


def test_only_the_runs_own_incidents_are_linked(host, run, tmp_path):
    """Another run's errors of the same minute are not blamed, those of a run within are; fallback places count."""
    evidence = Evidence(str(host.root), str(host.kernel_log))
    facts = {"schema": 1, "kind": "oom", "rank": 2, "request": {"device": 1}}
    oom = "20261124T002756.30{}-1-oom"
    write_incident(tmp_path / "i", oom.format(0), facts | {"run": "another"}, {})
    inner = write_incident(tmp_path / "i", oom.format(1), facts | {"run": f"{run.id}.inner"}, {})
    other = write_incident(tmp_path / "sockets" / "incidents", oom.format(2), facts | {"run": run.id}, {})
    line = leave_incident(run, evidence, _ending(), 1, ())
    evidence.close()
    assert line is not None
    assert "(out of memory on GPU 1, rank 2, and 1 more)" in line
    ended = next(one for one in list_incidents(tmp_path / "i") if one.kind == "exit")
    assert ended.exit is not None
    assert ended.exit.oom_incidents == (str(inner), str(other))


def test_the_incident_is_json_that_others_can_read(host, run, tmp_path):
    """Plain JSON with a schema, for programs that are not dstop."""
    evidence = Evidence(str(host.root), str(host.kernel_log))
    leave_incident(run, evidence, _ending(), 1, ())
    evidence.close()
    (file,) = (tmp_path / "i").glob("*/incident.json")
    told = json.loads(file.read_text())
    assert (told["schema"], told["kind"], told["exit"]["code"]) == (1, "exit", 1)


def test_signals_have_names():
    """Known ones by name, a real-time one by number."""
    assert signal_name(9) == "SIGKILL"
    assert signal_name(40) == "signal 40"
