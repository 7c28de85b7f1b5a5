"""Opening a directory of another process' file system without being led out of it.

`/proc/PID/root` is the root of the target's mount namespace. A link in there that begins with `/` would lead into our
own file system, and `..` past its root as well: `openat2` with RESOLVE_IN_ROOT keeps both inside (openat2(2)).
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct

_OPENAT2 = 437
"""The same number on every architecture (include/uapi/asm-generic/unistd.h)."""

_RESOLVE_NO_MAGICLINKS = 0x02
_RESOLVE_IN_ROOT = 0x10

_FLAGS = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC

_UNKNOWN = frozenset({errno.ENOSYS, errno.EPERM, errno.EINVAL, errno.E2BIG})
"""Kernels before 5.6 do not have the call; a container's system call filter may refuse it."""


def open_beneath(base: int, path: str) -> int:
    """Open a directory below another one as if that were `/`; gives a descriptor (O_PATH).

    Args:
        base: a descriptor of the directory that is taken as `/`.
        path: absolute, as a process with that root sees it.

    Raises:
        OSError: when it is not there or not a directory.
    """
    try:
        return _openat2(base, path)
    except OSError as error:
        if error.errno not in _UNKNOWN:
            raise
    return walk_beneath(base, path)


def _openat2(base: int, path: str) -> int:
    how = struct.pack("=QQQ", _FLAGS, 0, _RESOLVE_IN_ROOT | _RESOLVE_NO_MAGICLINKS)
    libc = ctypes.CDLL(None, use_errno=True)
    found: int = libc.syscall(
        ctypes.c_long(_OPENAT2), ctypes.c_int(base), os.fsencode(path), how, ctypes.c_size_t(len(how))
    )
    if found < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), path)
    return found


def walk_beneath(base: int, path: str) -> int:
    """Do without `openat2`: go step by step, and refuse every link and every `..`.

    Raises:
        OSError: when it is not there, not a directory, or behind a link.
    """
    here = os.open(".", _FLAGS, dir_fd=base)
    for part in path.split("/"):
        if part in {"", "."}:
            continue
        try:
            if part == "..":
                raise OSError(errno.ELOOP, "is not followed", path)
            there = os.open(part, _FLAGS | os.O_NOFOLLOW, dir_fd=here)
        finally:
            os.close(here)
        here = there
    return here
