"""The tables, and how a file of an older dstop becomes one of this: migrations are added, never changed.

A `bucket` is a stretch of recorded time at one resolution (`tier`). Points hang on buckets, not on times, so that what
is kept is counted in recorded buckets: a clock that jumps a year ahead makes nothing old. Numbers are kept as count,
sum and maximum, so that two writers of one bucket, or two halves of it, add up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.errors import StoreError

if TYPE_CHECKING:
    import sqlite3

MIGRATIONS: tuple[str, ...] = (
    """
    CREATE TABLE bucket (
        id INTEGER PRIMARY KEY AUTOINCREMENT, tier INTEGER NOT NULL, at_s INTEGER NOT NULL, UNIQUE (tier, at_s)
    );
    CREATE TABLE gpu (
        id INTEGER PRIMARY KEY, uuid TEXT NOT NULL UNIQUE, place INTEGER NOT NULL, name TEXT, memory_total_bytes INTEGER
    );
    CREATE TABLE process (
        id INTEGER PRIMARY KEY, pid INTEGER NOT NULL, started_ms INTEGER NOT NULL, command TEXT, user TEXT, job TEXT,
        rank INTEGER, UNIQUE (pid, started_ms)
    );
    CREATE TABLE gpu_point (
        bucket INTEGER NOT NULL, gpu INTEGER NOT NULL, readings INTEGER NOT NULL,
        memory_count INTEGER NOT NULL, memory_sum INTEGER NOT NULL, memory_most INTEGER,
        busy_count INTEGER NOT NULL, busy_sum REAL NOT NULL, busy_most REAL,
        power_count INTEGER NOT NULL, power_sum INTEGER NOT NULL, power_most INTEGER,
        temperature_most INTEGER, PRIMARY KEY (bucket, gpu)
    ) WITHOUT ROWID;
    CREATE TABLE process_point (
        bucket INTEGER NOT NULL, gpu INTEGER NOT NULL, process INTEGER NOT NULL, readings INTEGER NOT NULL,
        memory_count INTEGER NOT NULL, memory_sum INTEGER NOT NULL, memory_most INTEGER,
        busy_count INTEGER NOT NULL, busy_sum REAL NOT NULL, busy_most REAL,
        PRIMARY KEY (bucket, gpu, process)
    ) WITHOUT ROWID;
    CREATE TABLE event (
        id INTEGER PRIMARY KEY AUTOINCREMENT, at_ns INTEGER NOT NULL, kind TEXT NOT NULL, text TEXT NOT NULL,
        gpu INTEGER, pid INTEGER
    );
    CREATE INDEX event_time ON event (at_ns);
    """,
    """
    ALTER TABLE process_point ADD COLUMN allocated_most INTEGER;
    ALTER TABLE process_point ADD COLUMN reserved_most INTEGER;
    CREATE TABLE incident (
        path TEXT PRIMARY KEY, at_ns INTEGER NOT NULL, title TEXT NOT NULL, pid INTEGER
    ) WITHOUT ROWID;
    """,
)
"""Statement lists; the number of those that a file has had is its `user_version`."""
VERSION = len(MIGRATIONS)


def migrate(connection: sqlite3.Connection) -> None:
    """Bring a file to this version, each migration whole or not at all; two that begin at once take turns.

    Raises:
        StoreError: the file was written by a newer dstop.
        sqlite3.Error: it cannot be read or written.
    """
    if check_version(connection) == VERSION:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        found = check_version(connection)
        for number in range(found, VERSION):
            for statement in MIGRATIONS[number].split(";"):
                if statement.strip():
                    connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {number + 1}")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def check_version(connection: sqlite3.Connection) -> int:
    """Give the version of a file, before anything is changed in it.

    Raises:
        StoreError: the file was written by a newer dstop.
    """
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > VERSION:
        raise StoreError(
            f"the recording was made by a newer dstop (format {version}, this one knows {VERSION})",
            fix="update dstop, or give another file with --file",
        )
    return int(version)
