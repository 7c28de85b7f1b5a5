"""Opening the file: private to its user, in WAL mode, and set aside when it is no database any more."""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from dstop.errors import StoreError
from dstop.places import state_home
from dstop.store.schema import check_version, migrate

if TYPE_CHECKING:
    from collections.abc import Mapping

BUSY_S = 5.0
"""How long a writer waits for another one."""
_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT}
_COMPANIONS = ("", "-wal", "-shm")


def default_file(environ: Mapping[str, str]) -> str:
    """Give where the recording lies: DSTOP_RECORDING, else `dstop/recording.sqlite3` among the user's state."""
    return environ.get("DSTOP_RECORDING") or f"{state_home(environ)}/recording.sqlite3"


def is_damage(error: sqlite3.Error) -> bool:
    """Whether the file itself is no database, or no longer one."""
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in _DAMAGE


def connect(path: str) -> sqlite3.Connection:
    """Open a recording for writing, made anew where there is none, and bring it to this version.

    A commit is on the disk when it returns (`synchronous=FULL`): what was acknowledged outlives a power failure.

    Raises:
        StoreError: a newer dstop wrote it, or its place cannot be used.
        sqlite3.DatabaseError: it is damaged, see `is_damage`.
    """
    try:
        os.makedirs(os.path.dirname(path) or ".", mode=0o700, exist_ok=True)  # noqa: PTH103, PTH120 - as in `places`
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise StoreError(
            f"the recording {path} cannot be opened: {error.strerror}", fix="give another file with --file"
        ) from error
    connection = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
    try:
        check_version(connection)
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        migrate(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def connect_to_read(path: str) -> sqlite3.Connection:
    """Open a recording that is there, for reading alone.

    Raises:
        StoreError: there is none, it is damaged, or a newer dstop wrote it.
    """
    try:
        if not os.path.exists(path):  # noqa: PTH110 - as in `places`
            raise StoreError(f"there is no recording at {path}", fix="start one: dstop recorder")
        connection = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
        try:
            migrate(connection)
            connection.execute("PRAGMA query_only = ON")
        except BaseException:
            connection.close()
            raise
    except sqlite3.Error as error:
        raise StoreError(
            f"the recording {path} cannot be read: {error}",
            fix="the recorder sets a damaged file aside and begins anew: dstop recorder",
        ) from error
    return connection


def set_aside(path: str) -> str:
    """Rename a damaged recording, with what belongs to it, and give its new name."""
    stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
    aside = f"{path}.damaged-{stamp}-{os.getpid()}"
    for companion in _COMPANIONS:
        with suppress(FileNotFoundError):
            os.replace(path + companion, aside + companion)  # noqa: PTH105 - as in `places`
    return aside
