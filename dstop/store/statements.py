"""The SQL that adds what was gathered to what is there: counts and sums add up, maxima stay the larger."""

from __future__ import annotations

BUCKET = "INSERT OR IGNORE INTO bucket (tier, at_s) VALUES (?, ?)"
BUCKET_ID = "SELECT id FROM bucket WHERE tier = ? AND at_s = ?"
GPU = """
    INSERT INTO gpu (uuid, place, name, memory_total_bytes) VALUES (?, ?, ?, ?)
    ON CONFLICT (uuid) DO UPDATE SET place = excluded.place, name = coalesce(excluded.name, name),
        memory_total_bytes = coalesce(excluded.memory_total_bytes, memory_total_bytes)
    RETURNING id
"""
PROCESS = """
    INSERT INTO process (pid, started_ms, command, user, job, rank) VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (pid, started_ms) DO UPDATE SET command = coalesce(excluded.command, command),
        user = coalesce(excluded.user, user), job = coalesce(excluded.job, job), rank = coalesce(excluded.rank, rank)
    RETURNING id
"""
EVENT = """
    INSERT INTO event (at_ns, kind, text, gpu, pid) SELECT ?1, ?2, ?3, ?4, ?5
    WHERE NOT EXISTS (
        SELECT 1 FROM event
        WHERE at_ns BETWEEN ?1 - ?6 AND ?1 + ?6 AND kind = ?2 AND text = ?3 AND gpu IS ?4 AND pid IS ?5
    )
"""
"""Two recorders see the same thing happen: the second one's line is left out."""
INCIDENT = "INSERT OR IGNORE INTO incident (path, at_ns, title, pid) VALUES (?, ?, ?, ?)"


def _most(name: str) -> str:
    """SQLite's scalar max() is NULL as soon as one of its arguments is."""
    return f"{name} = max(coalesce({name}, excluded.{name}), coalesce(excluded.{name}, {name}))"


def _adds(name: str) -> str:
    return f"{name} = {name} + excluded.{name}"


_AMOUNTS = ("memory", "busy")
_GPU_AMOUNTS = (*_AMOUNTS, "power")


def _columns(amounts: tuple[str, ...]) -> list[str]:
    return [f"{name}_{kind}" for name in amounts for kind in ("count", "sum", "most")]


def _upsert(table: str, keys: tuple[str, ...], amounts: tuple[str, ...], most: tuple[str, ...]) -> str:
    columns = [*keys, "readings", *_columns(amounts), *most]
    changes = [_adds("readings")]
    changes += [_most(name) if name.endswith("_most") else _adds(name) for name in _columns(amounts)]
    changes += [_most(name) for name in most]
    places = ", ".join("?" * len(columns))
    return (
        f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places}) "  # noqa: S608 - all names are ours
        f"ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {', '.join(changes)}"
    )


GPU_POINT = _upsert("gpu_point", ("bucket", "gpu"), _GPU_AMOUNTS, ("temperature_most",))
PROCESS_POINT = _upsert(
    "process_point", ("bucket", "gpu", "process"), _AMOUNTS, ("allocated_most", "reserved_most")
)
