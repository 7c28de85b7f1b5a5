"""Where dstop and the hook of a process meet: a socket in a private directory of the process' user.

All names are the target's own: the directory is found through `/proc/PID/root`, so containers work from the host. The
target may have planted anything there, and root may be asking: every step goes through descriptors of directories,
links are resolved within the target's own root or not at all, and as the target's user (`acting_as`).
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dstop.errors import AttachError
from dstop.model.value import Value
from dstop.pytorch.acting import acting_as
from dstop.pytorch.beneath import open_beneath
from dstop.pytorch.directories import directories
from dstop.pytorch.sockets import connect_beneath
from dstop.pytorch.target import read_start

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dstop.pytorch.target import Target

__all__ = [
    "Place",
    "acting_as",
    "directories",
    "find_socket",
    "opened",
    "prepare",
    "publish",
    "sweep",
    "withdraw",
]

_SWEPT = re.compile(r"([0-9]{1,10})-([0-9]{1,20})\.(sock|py)")
_UNFINISHED = re.compile(r"\.[0-9]{1,10}-[0-9]{1,20}\.py\.[0-9]{1,10}")
_MOST_SWEPT = 512

_YOUNG_S = 10.0
"""A socket refuses between bind and listen, too: only an older one is dead."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Place(Value):
    """A socket, by the names that the target uses."""

    directory: str
    name: str

    @property
    def path(self) -> str:
        """The whole name."""
        return f"{self.directory}/{self.name}"


def find_socket(target: Target, root: str = "/proc") -> Place | None:
    """Find the socket of its hook, whether anybody answers there or not; None where there is none."""
    with contextlib.suppress(AttachError, OSError), _within(target, root) as top:
        for directory in directories(target):
            place = Place(directory=directory, name=target.socket_name)
            with contextlib.suppress(OSError), _opened(target, directory, top) as folder:
                if _is_socket(os.stat(place.name, dir_fd=folder, follow_symlinks=False), target):
                    return place
    return None


def _is_socket(found: os.stat_result, target: Target) -> bool:
    return stat.S_ISSOCK(found.st_mode) and found.st_uid == target.uid


@contextlib.contextmanager
def _within(target: Target, root: str) -> Iterator[int]:
    """Act as the target's user on its root directory, which is opened as whoever we are: it may be protected."""
    top = os.open(f"{root}/{target.pid}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with acting_as(target):
            yield top
    finally:
        os.close(top)


@contextlib.contextmanager
def opened(target: Target, directory: str, root: str = "/proc") -> Iterator[int]:
    """Open a private directory of the target's user, and act as that user; gives its descriptor (O_PATH).

    Raises:
        OSError: when it is not there, or is not private: PermissionError.
        AttachError: when root cannot act as the target's user.
    """
    with _within(target, root) as top, _opened(target, directory, top) as folder:
        yield folder


@contextlib.contextmanager
def _opened(target: Target, directory: str, top: int) -> Iterator[int]:
    folder = open_beneath(top, directory)
    try:
        _check_private(folder, directory, target)
        yield folder
    finally:
        os.close(folder)


def _check_private(folder: int, directory: str, target: Target) -> None:
    found = os.fstat(folder)
    if not stat.S_ISDIR(found.st_mode) or found.st_mode & 0o077 or found.st_uid != target.uid:
        raise PermissionError(f"{directory} is not a private directory of user {target.uid}")


def prepare(target: Target, root: str = "/proc", *, keep_socket: bool = False) -> Place:
    """Make and check the private directory, and remove a dead socket of the target.

    Args:
        target: the process.
        root: where the process file system is.
        keep_socket: whether a hook answers there that is to be replaced: it removes its socket itself.

    Raises:
        AttachError: when no directory can be had.
    """
    reasons = []
    try:
        with _within(target, root) as top:
            for directory in directories(target):
                try:
                    _make(target, directory, top)
                    with _opened(target, directory, top) as folder:
                        if not keep_socket:
                            _remove(target.socket_name, folder)
                        return Place(directory=directory, name=target.socket_name)
                except OSError as error:
                    reasons.append(f"{directory}: {error.strerror or error}")
    except OSError as error:
        reasons.append(f"its root directory: {error.strerror or error}")
    raise AttachError(
        f"process {target.pid} has no private directory for a socket ({'; '.join(reasons) or 'names too long'})",
        fix="start it with DSTOP_DIR set to a directory of its own user with mode 0700",
    )


def _make(target: Target, directory: str, top: int) -> None:
    """Make the directory in its parent, which must be there; the user's own for `$XDG_RUNTIME_DIR/dstop`."""
    parent, name = os.path.split(directory)
    above = open_beneath(top, parent)
    try:
        is_runtime_dir = target.runtime_dir is not None and parent == target.runtime_dir.rstrip("/")
        if is_runtime_dir and os.fstat(above).st_uid != target.uid:
            raise PermissionError(f"{parent} is not of user {target.uid}")
        with contextlib.suppress(FileExistsError):
            os.mkdir(name, 0o700, dir_fd=above)
    finally:
        os.close(above)


def _remove(name: str, folder: int) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(name, dir_fd=folder)


def script_name(target: Target) -> str:
    """Give the name of the script that a target runs for us: like its socket's, so that it is swept like it."""
    return f"{target.inner_pid}-{target.start}.py"


def publish(target: Target, place: Place, text: str, root: str = "/proc") -> str:
    """Put a script beside the socket, whole or not at all; gives its path as the target sees it.

    Raises:
        AttachError: when it cannot be written.
    """
    name = script_name(target)
    new = f".{name}.{os.getpid()}"
    try:
        with opened(target, place.directory, root) as folder:
            _remove(new, folder)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(new, flags, 0o600, dir_fd=folder)
            try:
                with open(descriptor, "w", encoding="utf-8") as file:  # noqa: PTH123 - a descriptor, not a path
                    file.write(text)
                os.rename(new, name, src_dir_fd=folder, dst_dir_fd=folder)
            except BaseException:
                _remove(new, folder)
                raise
    except OSError as error:
        raise AttachError(
            f"cannot write in {place.directory} of process {target.pid} ({error.strerror or error})",
            fix="make room there, or start it with DSTOP_DIR set to another private directory",
        ) from error
    return f"{place.directory}/{name}"


def withdraw(target: Target, place: Place, root: str = "/proc") -> None:
    """Remove the script again; nothing happens when it cannot be."""
    with (
        contextlib.suppress(OSError, AttachError),
        opened(target, place.directory, root) as folder,
    ):
        _remove(script_name(target), folder)


def sweep(target: Target, place: Place, root: str = "/proc", *, young_s: float = _YOUNG_S) -> int:
    """Remove what processes that are gone have left in that directory; gives how many files.

    A socket is dead when nobody listens; a PID alone says little, as containers may share the directory.

    Args:
        target: whose directory it is.
        place: where its own socket is: that stays.
        root: where the process file system is.
        young_s: files that have changed within this time stay.
    """
    swept = 0
    with (
        contextlib.suppress(OSError, AttachError),
        opened(target, place.directory, root) as folder,
    ):
        for name in _names(folder)[:_MOST_SWEPT]:
            if name not in {place.name, script_name(target)} and _is_left_over(name, folder, root, young_s):
                _remove(name, folder)
                swept += 1
    return swept


def _names(folder: int) -> list[str]:
    listed = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=folder)
    try:
        return sorted(os.listdir(listed))  # noqa: PTH208 - a descriptor, not a path
    finally:
        os.close(listed)


def _is_left_over(name: str, folder: int, root: str, young_s: float) -> bool:
    match, unfinished = _SWEPT.fullmatch(name), _UNFINISHED.fullmatch(name) is not None
    if not unfinished and (match is None or read_start(int(match[1]), root) == match[2]):
        return False
    try:
        found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except OSError:
        return False
    if time.time() - found.st_ctime < young_s:
        return False
    if match is None:
        return stat.S_ISREG(found.st_mode)
    if match[3] == "py":
        return stat.S_ISREG(found.st_mode) and not _is_there(f"{match[1]}-{match[2]}.sock", folder)
    return stat.S_ISSOCK(found.st_mode) and _is_dead(name, folder)


def _is_there(name: str, folder: int) -> bool:
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except OSError:
        return False
    return True


def _is_dead(name: str, folder: int) -> bool:
    """Whether nobody listens on a socket; in doubt somebody does."""
    try:
        connect_beneath(folder, name, timeout_s=0.2).close()
    except ConnectionRefusedError:
        return True
    except OSError:
        return False
    return False
