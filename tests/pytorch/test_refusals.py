"""Every reason not to go into a process, as one line that says what to do."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from dstop.pytorch.refusals import Standing, find_standing, refusal, torch_refusal
from dstop.pytorch.target import Target, find_target

TARGET = Target(
    pid=4711,
    start="815",
    uid=1000,
    gid=1000,
    inner_pid=4711,
    inner_uid=1000,
    state="S",
    command="train.py",
    has_torch=True,
)
OURS = Standing(pid=1, euid=1000)
ROOT = Standing(pid=1, euid=0, has_capability=True)

CASES = {
    "zombie": (replace(TARGET, state="Z"), OURS, "zombie", "nothing is left"),
    "ended": (replace(TARGET, state="X"), OURS, "has ended", "nothing is left"),
    "kernel": (replace(TARGET, is_kernel_thread=True), ROOT, "thread of the kernel", "PyTorch process"),
    "itself": (replace(TARGET, pid=1), OURS, "itself", "PyTorch process"),
    "another user": (TARGET, replace(OURS, euid=1001), "belongs to user", "as that user, or as root"),
    "no": (replace(TARGET, hook_switch="0"), OURS, "DSTOP_HOOK=0", "start it without"),
    "stopped": (replace(TARGET, state="T"), OURS, "is stopped", "kill -CONT 4711"),
    "traced": (replace(TARGET, tracer_pid=99), replace(OURS, tracer="gdb"), "process 99 (gdb)", "detach"),
    "trace stop": (replace(TARGET, state="t"), OURS, "debugged by another process", "detach"),
    "scope 1": (TARGET, replace(OURS, may_trace=False, ptrace_scope=1), "ptrace_scope is 1", "dstop run"),
    "scope 2": (TARGET, replace(OURS, may_trace=False, ptrace_scope=2), "ptrace_scope is 2", "sudo"),
    "scope 3": (TARGET, replace(ROOT, may_trace=False, ptrace_scope=3), "for root too", "dstop run"),
    "container": (
        TARGET,
        replace(OURS, euid=0, may_trace=False, container="docker"),
        "docker does not let root",
        "--cap-add=SYS_PTRACE",
    ),
    "user namespace": (
        TARGET,
        replace(ROOT, may_trace=False, same_user_namespace=False),
        "another user namespace",
        "root of the host",
    ),
    "protected": (
        replace(TARGET, is_protected=True),
        replace(OURS, may_trace=False),
        "may not be dumped",
        "sudo",
    ),
    "unknown": (TARGET, replace(OURS, may_trace=False), "does not let dstop", "sudo"),
    "root refused": (
        TARGET,
        replace(ROOT, may_trace=False, ptrace_scope=1),
        "does not let dstop",
        "dstop run",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_refusal_says_what_and_how(name: str) -> None:
    """One line: what is wrong, and the next step."""
    target, standing, says, fix = CASES[name]
    error = refusal(target, standing)
    assert error is not None
    assert says in error.message
    assert error.fix is not None
    assert fix in error.fix
    assert "\n" not in str(error)


@pytest.mark.parametrize(
    "standing", [OURS, ROOT, replace(OURS, ptrace_scope=1)], ids=["user", "root", "scope"]
)
def test_nothing_is_refused_without_a_reason(standing: Standing) -> None:
    """Where the kernel lets us, nothing else counts: a parent may attach under scope 1."""
    assert refusal(TARGET, standing) is None


def test_python_without_torch_is_told_to_wait() -> None:
    """It may not have come to its import yet; where that cannot be seen nothing is refused."""
    error = torch_refusal(replace(TARGET, has_torch=False))
    assert error is not None
    assert "not imported PyTorch (yet)" in str(error)
    assert torch_refusal(TARGET) is None
    assert torch_refusal(replace(TARGET, has_torch=None)) is None


def test_our_standing_is_read_from_the_kernel() -> None:
    """This process: its user, and the kernel lets it read itself."""
    standing = find_standing(find_target(os.getpid()))
    assert (standing.pid, standing.euid) == (os.getpid(), os.geteuid())
    assert standing.may_trace
    assert standing.same_user_namespace
