"""One process close up: each question opens a line of its own and waits as long as the process takes."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any

from dstop.errors import AttachError
from dstop.pytorch.client import Client
from dstop.pytorch.target import find_target

if TYPE_CHECKING:
    from dstop.model.guest import ProcessId

_CONNECT_S = 5.0
ATTACH_S = 10.0
ASK_S = 5.0
LONG_S = 30.0
"""For what takes the process itself a while: walking a hundred thousand blocks, or all of its objects."""
SNAPSHOT_S = 300.0


def ask(
    process: ProcessId, op: str, *, root: str = "/proc", timeout_s: float = ASK_S, **fields: Any
) -> dict[str, Any]:
    """Ask the hook of a process one question and wait for the answer.

    Raises:
        AttachError: when the process is gone, has no hook, does not answer or refuses.
    """
    with connect(process, root) as client:
        return client.ask(op, timeout_s=timeout_s, **fields)


def connect(process: ProcessId, root: str = "/proc") -> Client:
    """Open a line to the hook of this very process, never of one that has got its PID since.

    Raises:
        AttachError: when it is gone or has no hook.
    """
    check_same(process, root)
    return Client.connect(find_target(process.pid, root, look_inside=False), _CONNECT_S, root=root)


def check_same(process: ProcessId, root: str = "/proc") -> None:
    """Make sure that the PID is still the process'.

    Raises:
        AttachError: when it is gone.
    """
    target = find_target(process.pid, root, look_inside=False)
    if process.started_at_s is not None and target.started_at_s != process.started_at_s:
        raise AttachError(
            f"process {process.pid} has ended, and another one has its PID",
            fix="choose it anew on the first screen",
        )


def attach(
    process: ProcessId, root: str = "/proc", *, timeout_s: float = ATTACH_S, without_torch: bool = False
) -> str:
    """Bring the hook in by the first way that works; says which.

    Raises:
        AttachError: when none does.
    """
    from dstop.pytorch.attach import attach as bring_in  # noqa: PLC0415 - the ways in are of use here alone

    check_same(process, root)
    attached = bring_in(process.pid, timeout_s=timeout_s, without_torch=without_torch, root=root)
    attached.client.close()
    return attached.how


def save_snapshot(process: ProcessId, path: str, *, traces: bool, root: str = "/proc") -> int:
    """Have the process write a snapshot into a file that dstop makes; gives its size.

    The file is dstop's and new: a process of another user can write nowhere else, and over nothing.

    Raises:
        AttachError: when the file cannot be made, or the process cannot write it; no file is left then.
    """
    path = os.path.expanduser(path)  # noqa: PTH111 - Path is an import too many
    with connect(process, root) as client:
        descriptor = _new_file(path)
        try:
            client.ask(
                "snapshot", timeout_s=SNAPSHOT_S, fds=(descriptor,), traces=traces, gzip=path.endswith(".gz")
            )
            return _size(descriptor, process)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(path)  # noqa: PTH108 - Path is an import too many
            raise
        finally:
            os.close(descriptor)


def _size(descriptor: int, process: ProcessId) -> int:
    size = os.fstat(descriptor).st_size
    if size == 0:
        raise AttachError(f"process {process.pid} wrote no snapshot", fix="see whether the disk is full")
    return size


def _new_file(path: str) -> int:
    try:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except FileExistsError as error:
        raise AttachError(f"{path} exists already", fix="give another name, or remove it") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise AttachError(
            f"{path} cannot be written: {reason}", fix="give a name in a directory of yours"
        ) from error
