"""Black boxes and bad ends as evidence."""

from __future__ import annotations

import json

from dstop.doctor.diagnose import diagnose
from dstop.doctor.questions.whose import told_apart
from dstop.doctor.read import incident_at, report_of
from dstop.doctor.sources.incidents import case_of_incidents
from dstop.doctor.sources.nearby import look_nearby, newest_job
from dstop.pytorch.incident.place import incident_name
from dstop.pytorch.incident.read import read_incident
from dstop.pytorch.incident.write import write_incident
from dstop.units import GIB, MIB

NOW = 1_795_480_076_300_388_802


def black_box(folder, *, at_ns=NOW, pid=7, frames=(), others=(), run=None, rank=0, **told):
    """Write one as the hook does."""
    record = {
        "schema": 1,
        "kind": "oom",
        "at_ns": at_ns,
        "pid": pid,
        "rank": rank,
        "world_size": 2,
        "run": run,
        "cmdline": ["python", "train.py", "--batch_size=8"],
        "versions": {"torch": "2.8.0"},
        "environment": {"MASTER_ADDR": "a", "MASTER_PORT": "29500"},
        "request": {"device": 0, "segment_bytes": GIB, "total_bytes": 80 * GIB, "free_bytes": 100 * MIB},
        "devices": [
            {
                "index": 0,
                "stats": {
                    "allocated_bytes": {"all": {"current": 70 * GIB}},
                    "reserved_bytes": {"all": {"current": 72 * GIB}},
                },
            }
        ],
        "card": {
            "total_bytes": 80 * GIB,
            "used_bytes": 79 * GIB,
            "free_bytes": 100 * MIB,
            "processes": [{"pid": pid, "bytes": 73 * GIB}, *others],
        },
        "threads": [{"id": 1, "name": "MainThread", "current": True, "frames": list(frames)}],
        **told,
    }
    return read_incident(write_incident(folder, incident_name(at_ns, pid, "oom"), record, {}))


def test_a_black_box_is_a_failure_with_exact_figures(tmp_path):
    """Request, counters, card and stack become the same facts that a message gives, without its rounding."""
    incident = black_box(tmp_path, frames=[["/a/train.py", 10, "backward"], ["/a/train.py", 3, "main"]])
    case = case_of_incidents([incident])
    failure = case.failure
    assert failure.tried_bytes == GIB
    assert (failure.allocated_bytes, failure.reserved_unallocated_bytes) == (70 * GIB, 2 * GIB)
    assert failure.process_bytes == 73 * GIB
    assert failure.rounding_bytes == 0
    assert [frame.function for frame in case.frames] == ["main", "backward"]
    assert case.number("batch") == 8
    assert diagnose(case).diagnoses[0].cause == "capacity_activations"


def test_the_first_rank_to_fail_is_named(tmp_path):
    """By the time that each recorded."""
    incidents = [
        black_box(tmp_path, at_ns=NOW + 10**9, pid=8, rank=0),
        black_box(tmp_path, at_ns=NOW, pid=9, rank=1),
    ]
    assert diagnose(case_of_incidents(incidents)).diagnoses[0].rank == 1


def test_a_fraction_limit_is_told_by_the_card(tmp_path):
    """The observer gives the limit as the total; the card itself is larger."""
    request = {"device": 0, "segment_bytes": GIB, "total_bytes": 40 * GIB, "free_bytes": 38 * GIB}
    incident = black_box(tmp_path, request=request)
    assert diagnose(case_of_incidents([incident])).diagnoses[0].cause == "memory_fraction_limit"


def test_a_bad_end_brings_the_kernels_word_and_the_output(tmp_path):
    """Signal, counters of the control group, kernel lines and last output are each evidence."""
    told = {
        "schema": 1,
        "kind": "exit",
        "at_ns": NOW,
        "pid": 5,
        "cmdline": ["python", "prepare.py"],
        "exit": {
            "signal": 9,
            "signal_name": "SIGKILL",
            "memory_events": {"oom": 1, "oom_kill": 1},
            "memory_max_bytes": 8 * GIB,
            "kernel_lines": [
                "Memory cgroup out of memory: Killed process 5 (python) total-vm:9000000kB, anon-rss:8300000kB, file-rss:0kB, shmem-rss:0kB"
            ],
        },
        "files": {"output": "output.txt"},
    }
    path = write_incident(tmp_path, incident_name(NOW, 5, "exit"), told, {"output.txt": b"loading\nKilled\n"})
    report = diagnose(case_of_incidents([incident_at(path)]))
    assert report.diagnoses[0].cause == "host_ram_oom"
    assert {"kernel log:1", "kernel log"} & {item.source for item in report.diagnoses[0].evidence}


def test_what_belongs_together(tmp_path):
    """Of one run, or of one master within a quarter of an hour; others are counted apart."""
    one = black_box(tmp_path, at_ns=NOW, pid=1, run="r1")
    two = black_box(tmp_path, at_ns=NOW + 10**9, pid=2, run="r1")
    other = black_box(tmp_path, at_ns=NOW - 10**12 * 3, pid=3, run="r0")
    assert newest_job([two, other, one]) == (one, two)
    alone = black_box(tmp_path, at_ns=NOW + 2 * 10**9, pid=4, environment={})
    assert newest_job([two, alone]) == (alone,)


def test_nearby_finds_the_newest_job_and_counts_the_rest(tmp_path, monkeypatch):
    """Everything within the window, without being told where."""
    monkeypatch.setenv("DSTOP_INCIDENTS", str(tmp_path / "i"))
    black_box(tmp_path / "i", at_ns=NOW, pid=1, run="old")
    black_box(tmp_path / "i", at_ns=NOW + 10**9, pid=2, run="new")
    found = look_nearby({"DSTOP_INCIDENTS": str(tmp_path / "i")}, tmp_path)
    assert [one.run for one in found.incidents] == ["new"]
    assert found.older == 1
    assert found.logs == ()


def test_an_incident_is_named_by_its_directory_or_its_file(tmp_path):
    """Anything else is a log."""
    incident = black_box(tmp_path)
    assert incident_at(incident.directory) == incident
    assert incident_at(incident.directory / "incident.json") == incident
    assert incident_at(tmp_path) is None
    report = report_of((), [incident])
    assert json.dumps(dict(report.facts))


def test_a_process_finds_itself():
    """By its PID, else by what its allocator reserved; never by a guess."""
    processes = [(10, 20 * GIB), (11, 71 * GIB)]
    assert told_apart(processes, 70 * GIB, pid=10) == (20 * GIB, ((11, 71 * GIB),))
    assert told_apart(processes, 70 * GIB) == (71 * GIB, ((10, 20 * GIB),))
    assert told_apart(processes, 40 * GIB) == (71 * GIB, ((10, 20 * GIB),))
    assert told_apart(processes, 10 * GIB) == (None, tuple(processes))
    assert told_apart(processes, 90 * GIB) == (None, tuple(processes))
    assert told_apart(processes, None) == (None, tuple(processes))


def test_settings_that_differ_between_ranks_are_told(tmp_path):
    """One rank without peer-to-peer is a job whose ranks do not agree."""
    settings = ({"NCCL_P2P_DISABLE": "1", "CUDA_VISIBLE_DEVICES": "0"}, {"CUDA_VISIBLE_DEVICES": "1"})
    incidents = [
        black_box(tmp_path, at_ns=NOW + rank, pid=rank + 1, rank=rank, environment=told)
        for rank, told in enumerate(settings)
    ]
    report = report_of((), incidents)
    assert "NCCL_P2P_DISABLE differs between ranks (rank 0: 1, rank 1: unset)" in report.notes


def test_the_command_of_a_black_box_names_the_model(tmp_path):
    """What was started is known exactly: the batch that fits is that of its plan."""
    incident = black_box(
        tmp_path,
        frames=[["/a/train.py", 10, "backward"], ["/a/train.py", 3, "main"]],
        cmdline=[
            "python",
            "train.py",
            "--model_name_or_path",
            "meta-llama/Llama-3.2-1B",
            "--per_device_train_batch_size=64",
            "--max_seq_length=4096",
            "--bf16",
        ],
    )
    case = case_of_incidents([incident])
    assert case.expected.architecture.total_parameters == 1_235_814_400
    spec = case.expected.spec
    assert (spec.batch, spec.sequence, spec.autocast, spec.parallel.dp) == (64, 4096, "bf16", 2)
    (first, *_others) = diagnose(case).diagnoses
    assert any("by the plan of Llama-3.2-1B at 4,096 tokens" in fix.title for fix in first.fixes)
