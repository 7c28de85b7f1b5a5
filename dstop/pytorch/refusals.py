"""Every reason not to go into a process, each as one line that says what to do; pure, but for looking at ourselves."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dstop.errors import AttachError
from dstop.model.value import Value
from dstop.pytorch.below import NotTorchError
from dstop.pytorch.target import ended, stopped
from dstop.sources.procfs.facts import user_name
from dstop.sources.procfs.namespace import own_container
from dstop.sources.procfs.reading import as_count, read_text
from dstop.sources.procfs.stat import read_stat

if TYPE_CHECKING:
    from collections.abc import Callable

    from dstop.pytorch.target import Target

_CAP_SYS_PTRACE = 1 << 19
"""capabilities(7); the number is in include/uapi/linux/capability.h."""

_ANCESTORS_ONLY, _ROOT_ONLY, _NOBODY = 1, 2, 3
"""Values of kernel.yama.ptrace_scope (Documentation/admin-guide/LSM/Yama.rst)."""


class ForbiddenByUserError(AttachError):
    """The user of the target said no beforehand; no other way in is tried."""


class TracedError(AttachError):
    """Somebody debugs the target at this moment; another dstop does so for a millisecond."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Standing(Value):
    """What dstop is allowed, and what the kernel said about one target."""

    pid: int = 0
    """Of dstop itself."""
    euid: int
    may_trace: bool = True
    """Whether the kernel let us open the target's memory: the same check as for ptrace(2)."""
    has_capability: bool = False
    """CAP_SYS_PTRACE."""
    ptrace_scope: int | None = None
    """None where the kernel has no Yama."""
    container: str | None = None
    """The kind of container that dstop runs in."""
    same_user_namespace: bool = True
    tracer: str | None = None
    """The name of who debugs the target."""


def find_standing(target: Target, root: str = "/proc") -> Standing:
    """Look at ourselves with this target in view."""
    tracer = read_stat(target.tracer_pid, root) if target.tracer_pid else None
    return Standing(
        pid=os.getpid(),
        euid=os.geteuid(),
        may_trace=_may_trace(target.pid, root),
        has_capability=_has_capability(read_text(f"{root}/self/status") or ""),
        ptrace_scope=as_count((read_text(f"{root}/sys/kernel/yama/ptrace_scope") or "").strip() or None),
        container=own_container(),
        same_user_namespace=_namespace(f"{root}/self") == _namespace(f"{root}/{target.pid}"),
        tracer=None if tracer is None else tracer.comm,
    )


def _may_trace(pid: int, root: str) -> bool:
    try:
        os.close(os.open(f"{root}/{pid}/mem", os.O_RDWR | os.O_CLOEXEC))
    except PermissionError:
        return False
    except OSError:
        return True
    return True


def _has_capability(status: str) -> bool:
    line = next((line for line in status.splitlines() if line.startswith("CapEff:")), "CapEff: 0")
    try:
        return bool(int(line.split()[1], 16) & _CAP_SYS_PTRACE)
    except (ValueError, IndexError):
        return False


def _namespace(folder: str) -> str | None:
    try:
        return os.readlink(f"{folder}/ns/user")  # noqa: PTH115 - Path is an import too many
    except OSError:
        return None


def refusal(target: Target, standing: Standing) -> AttachError | None:
    """Give the first reason not to go in; None when there is none."""
    for reason in _REASONS:
        error = reason(target, standing)
        if error is not None:
            return error
    return None


def torch_refusal(target: Target) -> AttachError | None:
    """Say that a Python process has no PyTorch; asked last, when it is known to be Python."""
    if target.has_torch is not False:
        return None
    return NotTorchError(
        f"{_named(target)} has not imported PyTorch (yet)",
        fix="try again once it has; CUDA's allocator is PyTorch's",
    )


def _named(target: Target) -> str:
    return f"process {target.pid} ({target.command})"


def _is_over(target: Target, _: Standing) -> AttachError | None:
    if target.state == "Z":
        return AttachError(
            f"{_named(target)} has ended and waits for its parent to notice (zombie)",
            fix="nothing is left to look into",
        )
    return ended(target) if target.state in "Xx" else None


def _is_kernels(target: Target, _: Standing) -> AttachError | None:
    if not target.is_kernel_thread:
        return None
    return AttachError(f"{_named(target)} is a thread of the kernel", fix="give the PID of a PyTorch process")


def _is_dstop(target: Target, standing: Standing) -> AttachError | None:
    if target.pid != standing.pid:
        return None
    return AttachError("dstop does not look into itself", fix="give the PID of a PyTorch process")


def _is_another_users(target: Target, standing: Standing) -> AttachError | None:
    if standing.euid in {0, target.uid}:
        return None
    return AttachError(
        f"{_named(target)} belongs to user {user_name(target.uid)}", fix="run dstop as that user, or as root"
    )


def _is_forbidden(target: Target, _: Standing) -> AttachError | None:
    if target.hook_switch != "0":
        return None
    return ForbiddenByUserError(
        f"{_named(target)} forbids it: DSTOP_HOOK=0 is in its environment", fix="start it without that"
    )


def _is_stopped(target: Target, _: Standing) -> AttachError | None:
    return stopped(target) if target.state == "T" else None


def _is_traced(target: Target, standing: Standing) -> AttachError | None:
    if not target.tracer_pid and target.state != "t":
        return None
    who = f"process {target.tracer_pid}" if target.tracer_pid else "another process"
    name = f" ({standing.tracer})" if standing.tracer else ""
    return TracedError(f"{_named(target)} is being debugged by {who}{name}", fix="detach that debugger first")


def _is_denied(target: Target, standing: Standing) -> AttachError | None:
    """Tell why the kernel said no (ptrace(2), "Ptrace access mode checking")."""
    if standing.may_trace:
        return None
    return _denied_by_yama(target, standing) or _denied_to_root(target, standing) or _denied(target)


def _denied_by_yama(target: Target, standing: Standing) -> AttachError | None:
    scope = standing.ptrace_scope
    if scope == _NOBODY:
        return AttachError(
            f"{_named(target)} cannot be attached to: kernel.yama.ptrace_scope is 3, for root too, until a reboot",
            fix="start it with dstop run",
        )
    if scope not in {_ANCESTORS_ONLY, _ROOT_ONLY} or standing.euid == 0 or standing.has_capability:
        return None
    return AttachError(
        f"{_named(target)}: kernel.yama.ptrace_scope is {scope}, which lets only"
        f" {'root' if scope == _ROOT_ONLY else 'root and its parents'} attach",
        fix="use sudo, sysctl kernel.yama.ptrace_scope=0, or start it with dstop run",
    )


def _denied_to_root(target: Target, standing: Standing) -> AttachError | None:
    if standing.euid == 0 and not standing.has_capability:
        return AttachError(
            f"{_named(target)}: this {standing.container or 'container'} does not let root attach (CAP_SYS_PTRACE)",
            fix="start the container of dstop with --cap-add=SYS_PTRACE, or the process with dstop run",
        )
    if standing.has_capability and not standing.same_user_namespace:
        return AttachError(
            f"{_named(target)} is in another user namespace",
            fix="run dstop as root of the host, or inside its container",
        )
    return None


def _denied(target: Target) -> AttachError:
    if target.is_protected:
        return AttachError(
            f"{_named(target)} protects itself: it may not be dumped (PR_SET_DUMPABLE)",
            fix="use sudo, or start it with dstop run",
        )
    return AttachError(
        f"{_named(target)}: the kernel does not let dstop attach (capabilities, or a security module)",
        fix="use sudo, or start it with dstop run",
    )


_REASONS: tuple[Callable[[Target, Standing], AttachError | None], ...] = (
    _is_over,
    _is_kernels,
    _is_dstop,
    _is_another_users,
    _is_forbidden,
    _is_stopped,
    _is_traced,
    _is_denied,
)
