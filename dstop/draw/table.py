"""The process table: a header, then one line a row; only the rows in sight are ever formatted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.draw.badges import finding_badge
from dstop.draw.line import clean, fit, fit_line, line_cells
from dstop.model.process import ProcessKey
from dstop.view.cells import cell
from dstop.view.columns import GAP
from dstop.view.order import SORT_KEYS
from dstop.view.rows import AncestorRow, GroupRow, ProcessRow, UnattributedRow

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from dstop.draw.line import Line, Span
    from dstop.draw.look import Look
    from dstop.model.finding import Finding
    from dstop.model.gpu import Gpu
    from dstop.view.columns import Column
    from dstop.view.rows import Row

_ALARMING_STATES = frozenset("DZ")
_LEAST_COMMAND = 12
"""What a badge leaves of the command: whose row it is matters more."""


def header_line(columns: Sequence[Column], width: int, *, sort: str, reverse: bool) -> Line:
    """The titles; the one that orders the rows carries an arrow that points to the larger end."""
    largest_first = SORT_KEYS[sort].largest_first != reverse if sort in SORT_KEYS else False
    spans: list[Span] = []
    marked = False
    for column in columns:
        sorted_by = not marked and column.sort_key == sort
        marked = marked or sorted_by
        arrow = ("▼" if largest_first else "▲") if sorted_by else " "
        text = fit(column.title, column.width, right=column.align == "right")
        spans += [
            (text, "head.sorted" if sorted_by else "head"),
            (arrow * GAP, "head.sorted" if sorted_by else "head"),
        ]
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
    finding: Finding | None = None,
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
        finding: the worst that was found about its process; its badge stands before the command.
    """
    if isinstance(row, UnattributedRow):
        return _unattributed_line(row, columns, width, gpus)
    role = "tagged" if tagged else _role(row, look)
    gpu = gpus.get(_gpu_index(row))
    alarming = isinstance(row, ProcessRow) and row.process.state in _ALARMING_STATES
    spans: list[Span] = []
    text = ""
    for column in columns:
        value = clean(cell(row, column, now_ns, gpu))
        if tagged and column.name == "gpu":
            value = f"*{value}"  # colour is never the only sign
        if shift and column.name == "command":
            value = value[shift:]
        badge = _badge(finding, column) if finding is not None and column.name == "command" else ()
        piece = fit(value, column.width - line_cells(badge), right=column.align == "right")
        if badge:
            spans += [(text, role), *badge]
            text = piece + " " * GAP
        elif alarming and column.name == "state":
            spans += [(text, role), (piece, "bad")]
            text = " " * GAP
        else:
            text += piece + " " * GAP
    spans.append((text, role))
    return fit_line(tuple(spans), width, role)


def _badge(finding: Finding, column: Column) -> Line:
    """Give it where the column has room for both."""
    word, role = finding_badge(finding)
    return ((f" {word} ", role), (" ", "")) if column.width - len(word) >= _LEAST_COMMAND else ()


def worst_by_process(findings: Iterable[Finding]) -> Mapping[ProcessKey, Finding]:
    """Give for each row the worst of what was found about its process there."""
    found: dict[ProcessKey, Finding] = {}
    for finding in findings:
        if finding.pid is not None and finding.gpu_index is not None:
            found.setdefault(ProcessKey(finding.gpu_index, finding.pid, finding.started_at_s), finding)
    return found


def _unattributed_line(
    row: UnattributedRow, columns: Sequence[Column], width: int, gpus: Mapping[int, Gpu]
) -> Line:
    """Draw its GPU and size in their columns; the cause takes all that is left, for it is what one wants to read."""
    gpu = gpus.get(row.unattributed.gpu_index)
    text = ""
    for column in columns:
        text += fit(cell(row, column, 0, gpu), column.width, right=column.align == "right") + " " * GAP
        if column.name == "mem":
            break
    cause = f"no listed process: {clean(row.unattributed.cause)}"
    return fit_line(((text, "note"), (fit(cause, max(0, width - len(text))), "note")), width)


def _role(row: Row, look: Look) -> str:
    if isinstance(row, ProcessRow):
        return "mine" if look.user is not None and row.process.facts.user == look.user else "other"
    if isinstance(row, GroupRow):
        return "group"
    return "tree" if isinstance(row, AncestorRow) else "note"


def _gpu_index(row: Row) -> int:
    if isinstance(row, ProcessRow):
        return row.process.gpu_index
    return -1 if isinstance(row, (GroupRow, AncestorRow)) else row.unattributed.gpu_index


def empty_line(text: str, width: int) -> Line:
    """What stands in a table without rows."""
    return fit_line(((f" {text}", "dim"),), width)
