"""The one line after a bad end says what is known and no more."""

from __future__ import annotations

from pathlib import Path

from dstop.pytorch.incident.values import Exit, Incident, Request
from dstop.pytorch.run.sentence import doctor_hint, ending_line

AT_NS = 10**18


def _oom(rank=None, device=0, at_ns=AT_NS, environment=None):
    return Incident(
        name="x",
        directory=Path("/x"),
        kind="oom",
        at_ns=at_ns,
        rank=rank,
        request=Request(device=device),
        environment=environment or {},
    )


def test_without_evidence_no_reason_is_given():
    """A command that just failed just failed."""
    assert ending_line("/usr/bin/python", Exit(code=1), (), AT_NS) == "python exited with 1"


def test_a_signal_is_named():
    """A killed command was not exited."""
    told = Exit(code=None, signal=9, signal_name="SIGKILL")
    assert ending_line("python", told, (), AT_NS) == "python was killed by SIGKILL"


def test_the_first_device_and_rank_that_ran_out():
    """The first of several is named, the others are counted."""
    line = ending_line("torchrun", Exit(code=1), (_oom(3), _oom(1)), AT_NS)
    assert line == "torchrun exited with 1 (out of memory on GPU 0, rank 3, and 1 more)"


def test_a_renumbered_device_is_no_card():
    """With CUDA_VISIBLE_DEVICES the process' 0 may be any card."""
    oom = _oom(environment={"CUDA_VISIBLE_DEVICES": "6,7"})
    assert (
        ending_line("python", Exit(code=1), (oom,), AT_NS) == "python exited with 1 (out of memory on cuda:0)"
    )


def test_an_old_error_that_was_survived_is_called_earlier():
    """What happened an hour before the end need not be its cause."""
    oom = _oom(at_ns=AT_NS - 3600 * 10**9)
    assert "(earlier: out of memory on GPU 0)" in ending_line("python", Exit(code=1), (oom,), AT_NS)


def test_the_kernel_kills_at_a_limit():
    """A control group's counter and its limit are the reason, in the tool's own units."""
    told = Exit(
        code=None, signal=9, signal_name="SIGKILL", memory_events={"oom_kill": 1}, memory_max_bytes=8 << 30
    )
    assert ending_line("python", told, (), AT_NS) == (
        "python was killed by SIGKILL (the kernel killed a process of its control group at its memory limit of 8.0G)"
    )


def test_a_kill_without_its_own_limit_names_none():
    """When the group itself never met its limit, the host or a group above had no more memory."""
    told = Exit(code=1, memory_events={"oom": 0, "oom_kill": 2}, memory_max_bytes=8 << 30)
    assert "(the kernel killed 2 processes of its control group for want of memory)" in ending_line(
        "p", told, (), 1
    )


def test_the_kernel_kills_on_the_host():
    """Without a group's counter the host's says that somebody was killed, not who."""
    line = ending_line("python", Exit(code=1, host_oom_kills=2), (), AT_NS)
    assert line == "python exited with 1 (the kernel killed 2 processes on this host for want of memory)"


def test_the_driver_reports():
    """An Xid comes with its meaning."""
    told = Exit(code=1, kernel_lines=("NVRM: Xid (PCI:0000:01:00): 79, pid=1, GPU has fallen",))
    assert "(meanwhile the driver reported Xid 79: the GPU has fallen off the bus" in ending_line(
        "p", told, (), AT_NS
    )


def test_the_hint_can_be_pasted():
    """A directory with a space is quoted, and a command's word cannot steer the terminal."""
    assert doctor_hint(Path("/a b")) == "dstop doctor '/a b'"
    assert "\x1b" not in ending_line("\x1b[31m", Exit(code=1), (), AT_NS)
