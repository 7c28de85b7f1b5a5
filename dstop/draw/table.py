"""The process table: a header, then one line a row; only the rows in sight are ever formatted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.draw.line import clean, fit, fit_line
from dstop.units import bytes_text, percent_text
from dstop.view.arrange import AncestorRow, GroupRow, ProcessRow, UnattributedRow
from dstop.view.columns import cell

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dstop.draw.line import Line, Span
    from dstop.draw.look import Look
    from dstop.model.gpu import Gpu
    from dstop.model.process import ProcessKey
    from dstop.view.arrange import Row
    from dstop.view.columns import Column

_ALARMING_STATES = frozenset("DZ")


def header_line(columns: Sequence[Column], width: int, *, sort: str, reverse: bool) -> Line:
    """The titles; the one that orders the rows carries an arrow."""
    spans: list[Span] = []
    for column in columns:
        sorted_by = column.sort_key is not None and column.sort_key == sort
        title = column.title + (("▲" if reverse else "▼") if sorted_by else "")
        text = fit(title, column.width, right=column.align == "right")
        spans += [(text, "head.sorted" if sorted_by else "head"), (" ", "head")]
    return fit_line(tuple(spans), width, "head")


def row_line(
    row: Row,
    columns: Sequence[Column],
    width: int,
    *,
    now_ns: int,
    gpus: Mapping[int, Gpu],
    look: Look,
    tagged: bool = False,
    shift: int = 0,
) -> Line:
    """Draw one row of any kind.

    Args:
        row: what to draw.
        columns: of the table.
        width: cells.
        now_ns: when the sample was taken, for ages.
        gpus: cards by index, for shares.
        look: thresholds, and whose processes stand out.
        tagged: whether the user has marked it.
        shift: how many cells the command is scrolled to the left.
    """
    if isinstance(row, ProcessRow):
        return _process_line(row, columns, width, now_ns=now_ns, gpus=gpus, look=look, tagged=tagged, shift=shift)
    if isinstance(row, GroupRow):
        return _group_line(row, width)
    if isinstance(row, AncestorRow):
        text = f" {'':3}{row.pid:>8} {row.prefix}{clean(row.command)}"
        return fit_line(((text, "tree"),), width)
    return _unattributed_line(row, width)


def _process_line(
    row: ProcessRow,
    columns: Sequence[Column],
    width: int,
    *,
    now_ns: int,
    gpus: Mapping[int, Gpu],
    look: Look,
    tagged: bool,
    shift: int,
) -> Line:
    process = row.process
    gpu = gpus.get(process.gpu_index)
    base = "tagged" if tagged else "mine" if look.user is not None and process.facts.user == look.user else "other"
    spans: list[Span] = []
    plain = ""
    for column in columns:
        text = cell(row, column, now_ns, gpu)
        if column.name == "command":
            text = clean(text)[shift:] if shift else clean(text)
        elif column.align == "left":
            text = clean(text)
        text = fit(text, column.width, right=column.align == "right")
        alarming = column.name == "state" and process.state in _ALARMING_STATES
        role = "bad" if alarming else base
        if role == base:
            plain += text + " "
            continue
        spans += [(plain, base), (text, role), (" ", base)]
        plain = ""
    if plain:
        spans.append((plain, base))
    return fit_line(tuple(spans), width, base)


def _group_line(row: GroupRow, width: int) -> Line:
    ranges = ",".join(map(str, row.gpu_indices))
    parts = [f" {clean(row.label)}", f"{row.count} process{'es' if row.count != 1 else ''}", f"GPU {ranges}"]
    parts.append(bytes_text(row.gpu_memory_bytes) + (f" + {row.unknown} unknown" if row.unknown else ""))
    if row.sm_pct is not None:
        parts.append(f"SM {percent_text(row.sm_pct)}%")
    if row.imbalance_bytes and row.heaviest is not None and row.heaviest.facts.rank is not None:
        parts.append(f"rank {row.heaviest.facts.rank} has {bytes_text(row.imbalance_bytes)} more than the lightest")
    return fit_line((("  ".join(parts), "group"),), width)


def _unattributed_line(row: UnattributedRow, width: int) -> Line:
    lost = row.unattributed
    text = f"{lost.gpu_index:>3}        – {bytes_text(lost.bytes):>6} of no listed process: {clean(lost.cause)}"
    return fit_line(((text, "note"),), width)


def empty_line(text: str, width: int) -> Line:
    """What stands in a table without rows."""
    return fit_line(((f" {text}", "dim"),), width)


def pruned(tags: frozenset[ProcessKey], alive: frozenset[ProcessKey]) -> frozenset[ProcessKey]:
    """Tags of rows that are still there."""
    return tags & alive
