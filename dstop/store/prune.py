"""Keeps the file within its bounds: so many buckets of each resolution, and so many bytes in all."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from dstop.store.tiers import Tier

MOST_EVENTS = 100_000
MOST_INCIDENTS = 10_000
SHARE_AT_ONCE = 10
"""A tenth of a tier goes at a time when the file is too large."""
_POINTS = ("gpu_point", "process_point")


def prune(file: sqlite3.Connection, tiers: Sequence[Tier], most_bytes: int) -> None:
    """Delete the oldest buckets beyond each tier's number, then tenths of the finest tiers until the bytes are right.

    Runs within the caller's transaction. What counts as old is the order of recording, not the clock's.
    """
    for number, tier in enumerate(tiers):
        (newest,) = file.execute("SELECT count(*) FROM bucket WHERE tier = ?", (number,)).fetchone()
        if newest > tier.buckets:
            _drop(file, number, newest - tier.buckets)
    _newest_only(file, "event", "id", MOST_EVENTS)
    _newest_only(file, "incident", "at_ns", MOST_INCIDENTS)
    number = 0
    while number < len(tiers) and bytes_in_use(file) > most_bytes:
        (count,) = file.execute("SELECT count(*) FROM bucket WHERE tier = ?", (number,)).fetchone()
        if count <= 1:
            number += 1
            continue
        _drop(file, number, max(1, count // SHARE_AT_ONCE))
        forget_processes(file)
    file.execute("PRAGMA incremental_vacuum(256)").fetchall()


def forget_processes(file: sqlite3.Connection) -> None:
    """Delete the names of processes that no point is left of; reads all points, so it is done now and then."""
    file.execute("DELETE FROM process WHERE id NOT IN (SELECT process FROM process_point)")


def bytes_in_use(file: sqlite3.Connection) -> int:
    """Give what the file's pages with something on them take."""
    (pages,) = file.execute("PRAGMA page_count").fetchone()
    (free,) = file.execute("PRAGMA freelist_count").fetchone()
    (size,) = file.execute("PRAGMA page_size").fetchone()
    return int((pages - free) * size)


def _drop(file: sqlite3.Connection, tier: int, count: int) -> None:
    """Delete the oldest buckets of a tier with their points."""
    oldest = "SELECT id FROM bucket WHERE tier = ?1 ORDER BY id LIMIT ?2"
    for table in _POINTS:
        file.execute(f"DELETE FROM {table} WHERE bucket IN ({oldest})", (tier, count))  # noqa: S608 - our names
    file.execute(f"DELETE FROM bucket WHERE id IN ({oldest})", (tier, count))  # noqa: S608 - as above


def _newest_only(file: sqlite3.Connection, table: str, order: str, most: int) -> None:
    edge = f"SELECT {order} FROM {table} ORDER BY {order} DESC LIMIT 1 OFFSET ?"  # noqa: S608 - as above
    file.execute(f"DELETE FROM {table} WHERE {order} <= ({edge})", (most,))  # noqa: S608 - as above
