"""Processes with a GPU: ghosts, sleepers, and ranks that disagree."""

from __future__ import annotations

from dstop.doctor.environment.facts import Facts
from dstop.model.unattributed import Unattributed
from dstop.testing import make_process, make_sample
from dstop.units import GIB

EMPTY = make_sample(2, processes=())


def _rank(number: int, **more: str) -> dict[str, str]:
    place = {"MASTER_ADDR": "node1", "MASTER_PORT": "29500", "RANK": str(number), "WORLD_SIZE": "4"}
    return {**place, **more}


def test_memory_of_nobody_warns(by_id) -> None:
    """With its cause, as the source tells it."""
    row = Unattributed(gpu_index=1, bytes=5 * GIB, cause="leaked by a crash")
    check = by_id(Facts(sample=make_sample(2, unattributed=(row,))))["processes.unattributed"]
    assert (check.status, check.value) == ("warn", 5 * GIB)
    assert "GPU 1: leaked" in check.says
    assert by_id(Facts(sample=EMPTY))["processes.unattributed"].status == "pass"


def test_ghosts_are_found_by_their_open_devices(machine) -> None:
    """One that ended fails; one that waits in the kernel may do so for a moment only."""
    machine.process(4000)
    assert machine.checks(EMPTY)["processes.ghosts"].status == "pass"
    machine.process(4001, "D")
    assert machine.checks(EMPTY)["processes.ghosts"].status == "warn"
    machine.process(4002, "Z")
    check = machine.checks(EMPTY)["processes.ghosts"]
    assert (check.status, check.value) == ("fail", 4002)


def test_ghosts_are_found_in_the_drivers_list(by_id) -> None:
    """Where no open file shows them."""
    sample = make_sample(1, processes=(make_process(0, 77, state="Z"),))
    assert by_id(Facts(sample=sample))["processes.ghosts"].status == "fail"


def test_files_that_are_not_shown_leave_it_unknown(by_id) -> None:
    """None among ours is not none."""
    assert by_id(Facts(sample=EMPTY, sees_all_holders=False))["processes.ghosts"].status == "unknown"


def test_a_stopped_job_warns(machine) -> None:
    """It keeps its memory until somebody lets it go on."""
    machine.process(4000, "T")
    check = machine.checks(EMPTY)["processes.stopped"]
    assert (check.status, check.fix) == ("warn", "kill -CONT 4000")


def test_ranks_with_the_same_settings_pass(machine) -> None:
    """A variable that each rank has for itself is none of them."""
    for number in range(4):
        own = {"NCCL_DEBUG_FILE": f"/logs/{number}", "LOCAL_RANK": str(number)}
        machine.process(4000 + number, environ=_rank(number, NCCL_ALGO="Ring", **own))
    check = machine.checks(EMPTY)["processes.ranks"]
    assert (check.status, check.value) == ("pass", 4)


def test_ranks_that_differ_are_told(machine) -> None:
    """Which variable, which values, which ranks; not set is a value too."""
    for number in range(4):
        more = {} if number == 3 else {"NCCL_ALGO": "Ring"}
        machine.process(
            4000 + number, environ=_rank(number, PYTORCH_CUDA_ALLOC_CONF="backend:native", **more)
        )
    checks = machine.checks(EMPTY)
    check = checks["processes.ranks.NCCL_ALGO"]
    assert check.status == "warn"
    assert check.says.startswith("NCCL_ALGO is Ring on ranks 0-2, not set on rank 3:")
    assert "processes.ranks" not in checks
    assert "processes.ranks.PYTORCH_CUDA_ALLOC_CONF" not in checks


def test_ranks_of_different_jobs_are_not_compared(machine) -> None:
    """Two jobs with one rank each here say nothing of each other."""
    machine.process(4000, environ=_rank(0, NCCL_ALGO="Ring"))
    machine.process(4001, environ={**_rank(1, NCCL_ALGO="Tree"), "MASTER_PORT": "29501"})
    assert not [name for name in machine.checks(EMPTY) if name.startswith("processes.ranks")]


def test_a_hung_process_is_not_asked_for_its_environment(machine) -> None:
    """Its memory may be locked: reading would hang with it."""
    machine.process(4000, "D", environ={"NCCL_ALGO": "Ring"})
    job = machine.gather(EMPTY).jobs[0]
    assert (job.variables, job.reason is not None) == ({}, True)
    assert machine.checks(EMPTY)["processes.environments"].status == "unknown"


def test_pids_of_another_namespace_are_not_read(machine) -> None:
    """The driver's 4000 is somebody else here."""
    machine.process(4000, devices=())
    sample = make_sample(1, processes=(make_process(0, 4000),))
    assert len(machine.gather(sample).jobs) == 1
    machine.link("proc/self/ns/pid", "pid:[4026532999]")
    assert machine.gather(sample).jobs == ()


def test_secrets_stay_where_they_are(machine) -> None:
    """Neither tokens nor what has nothing to do with GPUs is kept."""
    environ = {"HF_TOKEN": "hf_abcdefghijklmnopqrstuv", "NCCL_SECRET_TOKEN": "abc123", "NCCL_ALGO": "Ring"}
    machine.process(4000, environ=environ)
    facts = machine.gather(EMPTY, environ)
    assert "hf_abc" not in repr(facts)
    assert "abc123" not in repr(facts)
    assert facts.jobs[0].variables["NCCL_ALGO"] == "Ring"
