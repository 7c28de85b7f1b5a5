"""Words and fixes that live rules share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.model.evidence import Evidence, Fix

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dstop.model.process import GpuProcess

_NAME_CELLS = 40


def who(row: GpuProcess) -> str:
    """Name a process as the event log does, with its rank where it has one."""
    facts = row.facts
    name = "".join(char if char.isprintable() else "?" for char in (facts.command or "process")[:_NAME_CELLS])
    rank = f", rank {facts.rank}" if facts.rank is not None and (facts.world_size or 0) > 1 else ""
    return f"{name} ({row.pid}{rank})"


def of_gpu(index: int, says: str, value: float | None = None) -> Evidence:
    """Make evidence of a card's figure."""
    return Evidence(source=f"GPU {index}", says=says, value=value)


def of_process(row: GpuProcess, says: str, value: float | None = None) -> Evidence:
    """Make evidence of a process's figure."""
    return Evidence(source=f"process {row.pid}", says=says, value=value)


def remedies(*ids: str, commands: Mapping[str, str] | None = None) -> tuple[Fix, ...]:
    """Give fixes of the catalog in this order, each with its line to paste.

    Args:
        ids: of the catalog.
        commands: id -> line, where a rule knows better than the table.
    """
    from dstop.doctor.fixes.catalog import CATALOG  # noqa: PLC0415 - a machine without a finding never needs it
    from dstop.doctor.fixes.commands import COMMANDS  # noqa: PLC0415 - as above

    return tuple(
        Fix(
            id=name,
            title=CATALOG[name].title,
            command=(commands or {}).get(name) or COMMANDS.get(name, {}).get(""),
            cost=CATALOG[name].cost,
        )
        for name in ids
    )
