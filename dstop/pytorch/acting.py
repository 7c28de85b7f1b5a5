"""Acting as the user whose process is looked into, in one thread, while dstop as a whole stays root.

The C library's `seteuid` changes every thread of dstop; the system call behind it changes the calling thread alone
(credentials(7), "C library/kernel differences").
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
from typing import TYPE_CHECKING, NamedTuple

from dstop.errors import AttachError
from dstop.pytorch.interrupts import held_back

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dstop.pytorch.target import Target


class _Calls(NamedTuple):
    setresuid: int
    setresgid: int
    setgroups: int


_CALLS = {"x86_64": _Calls(117, 119, 116), "aarch64": _Calls(147, 149, 159)}
"""arch/x86/entry/syscalls/syscall_64.tbl; include/uapi/asm-generic/unistd.h."""

_UNCHANGED = -1


@contextlib.contextmanager
def acting_as(target: Target) -> Iterator[None]:
    """Give this thread the target's effective user, group and no other groups; nothing unless dstop is root.

    So a link or a directory that the target planted makes root do nothing that the target could not do itself, what
    is made belongs to its user, and its hook sees a peer that exists in its user namespace. Within itself it does
    nothing.

    Raises:
        AttachError: when the kernel refuses (a user without a number in dstop's user namespace).
    """
    if os.geteuid() != 0 or target.uid == 0:
        yield
        return
    calls = _CALLS.get(platform.machine())
    if calls is None:
        raise AttachError(
            f"root cannot act as another user on {platform.machine()}", fix=f"run dstop as user {target.uid}"
        )
    with held_back():
        groups, gid = os.getgroups(), os.getegid()
        try:
            _become(calls, target.uid, target.gid, (), groups)
            yield
        finally:
            _come_back(calls, gid, groups)


def _become(calls: _Calls, uid: int, gid: int, groups: Sequence[int], own: Sequence[int]) -> None:
    try:
        if list(groups) != list(own):
            _set_groups(calls, groups)
        _call(calls.setresgid, _UNCHANGED, gid, _UNCHANGED)
        _call(calls.setresuid, _UNCHANGED, uid, _UNCHANGED)
    except OSError as error:
        raise AttachError(
            f"root cannot act as user {uid} here ({error.strerror})", fix=f"run dstop as user {uid}"
        ) from error


def _come_back(calls: _Calls, gid: int, groups: Sequence[int]) -> None:
    """Become root again: the user first, because only root may set the others."""
    _call(calls.setresuid, _UNCHANGED, 0, _UNCHANGED)
    _call(calls.setresgid, _UNCHANGED, gid, _UNCHANGED)
    if list(groups) != os.getgroups():
        _set_groups(calls, groups)


def _set_groups(calls: _Calls, groups: Sequence[int]) -> None:
    numbers = (ctypes.c_uint32 * len(groups))(*groups)
    _call(calls.setgroups, len(groups), ctypes.addressof(numbers) if groups else 0)


def _call(number: int, *arguments: int) -> None:
    """Make one system call.

    Raises:
        OSError: with what the kernel answered.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(ctypes.c_long(number), *(ctypes.c_long(argument) for argument in arguments)) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
