"""The whole first screen as lines: host, GPUs, processes, status; a pure function of frame, state and size."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from dstop.draw.gpu_area import GAP, columns_of, gpu_area_lines
from dstop.draw.gpu_layout import LEAST_TABLE_ROWS, choose_layout
from dstop.draw.host_line import host_line, problem_lines
from dstop.draw.line import BLANK, clean, fit_line
from dstop.draw.status_line import status_line
from dstop.draw.table import empty_line, header_line, row_line, worst_by_process
from dstop.model.value import Value
from dstop.view.columns import columns_for, row_facts
from dstop.view.rows import ProcessRow

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

    from dstop.draw.gpu_layout import GpuLayout
    from dstop.draw.line import Line
    from dstop.draw.look import Look
    from dstop.model.frame import Frame
    from dstop.view.columns import Column
    from dstop.view.rows import Row

_FRAME_LINES = 3
"""Host line, table header, status line."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class OverviewState(Value):
    """What the user has chosen to see."""

    mode: str = "auto"
    sort: str = "gpu"
    reverse: bool = False
    cursor: int = 0
    top: int = 0
    shift: int = 0
    columns: tuple[str, ...] = ()
    tags: frozenset[Hashable] = frozenset()
    flags: tuple[str, ...] = ()
    notice: str = ""
    keys: tuple[tuple[str, str], ...] = ()
    now_ns: int = 0
    """The wall clock: how old a problem is."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Overview(Value):
    """The lines, and what is where on them, for the mouse and for scrolling."""

    lines: list[Line]
    layout: GpuLayout
    columns: tuple[Column, ...] = ()
    header_y: int | None = None
    first_row_y: int = 0
    table_rows: int = 0
    top: int = 0
    marked: int | None = None
    gpu_at: Mapping[int, int] = field(default_factory=dict)
    """Line -> index of the leftmost card on it; `gpu_under` knows the others."""
    gpus: tuple[int, ...] = ()
    width: int = 0

    def gpu_under(self, x: int, y: int) -> int | None:
        """Give the index of the card drawn at a cell: cards stand side by side, filled down the columns."""
        leftmost = self.gpu_at.get(y)
        if leftmost is None:
            return None
        columns, column_width, per_column = columns_of(self.layout, len(self.gpus), self.width)
        column = min(x // (column_width + GAP), columns - 1)
        place = self.gpus.index(leftmost) + column * per_column
        return self.gpus[place] if place < len(self.gpus) else None

    def row_at(self, y: int) -> int | None:
        """Give the index of the table row drawn on a line."""
        place = y - self.first_row_y
        return self.top + place if 0 <= place < self.table_rows else None

    def column_at(self, x: int) -> Column | None:
        """Give the column under a cell of the header."""
        edge = 0
        for column in self.columns:
            if edge <= x < edge + column.width:
                return column
            edge += column.width + 1
        return None


def overview(
    frame: Frame, rows: Sequence[Row], state: OverviewState, *, width: int, height: int, look: Look
) -> Overview:
    """Draw the screen: exactly `height` lines of exactly `width` cells."""
    problem = problem_lines(frame, width, state.now_ns)
    frame = with_age(frame, state.now_ns)
    lines = [host_line(frame, width), *problem]
    shared = height - _FRAME_LINES - (len(lines) - 1)
    layout = choose_layout(max(1, len(frame.sample.gpus)), width, shared, state.mode)
    area, whose = gpu_area_lines(frame, layout, width, look)
    area, whose = _cropped(area, whose, shared, len(rows), width)
    gpu_at = {len(lines) + y: index for y, index in enumerate(whose) if index is not None}
    lines += area
    left = height - len(lines) - 1
    columns: tuple[Column, ...] = ()
    header_y, first_row_y, table_rows, top, marked = None, 0, 0, 0, None
    if left >= 2:  # noqa: PLR2004 - a header without a row says nothing
        columns = columns_for(width, row_facts(frame.sample.processes), state.columns)
        header_y = len(lines)
        lines.append(header_line(columns, width, sort=state.sort, reverse=state.reverse))
        table_rows = left - 1
        first_row_y = len(lines)
        top = scrolled(state.top, state.cursor, table_rows, len(rows))
        gpus = {gpu.index: gpu for gpu in frame.sample.gpus}
        worst = worst_by_process(frame.findings)
        for place in range(top, min(top + table_rows, len(rows))):
            row = rows[place]
            lines.append(
                row_line(
                    row,
                    columns,
                    width,
                    now_ns=frame.sample.taken_at_ns,
                    gpus=gpus,
                    look=look,
                    tagged=row.key in state.tags,
                    shift=state.shift,
                    finding=worst.get(row.process.key) if isinstance(row, ProcessRow) else None,
                )
            )
        if not rows:
            lines.append(empty_line(_why_empty(frame, state), width))
        elif top <= state.cursor < top + table_rows:
            marked = first_row_y + state.cursor - top
    lines += [fit_line(BLANK, width)] * (height - 1 - len(lines))
    del lines[max(0, height - 1) :]
    lines.append(status_line(state.keys, width, cost=frame.cost, flags=state.flags, notice=state.notice))
    return Overview(
        lines=lines[:height],
        layout=layout,
        columns=columns,
        header_y=header_y,
        first_row_y=first_row_y,
        table_rows=table_rows,
        top=top,
        marked=marked,
        gpu_at=gpu_at,
        gpus=tuple(gpu.index for gpu in frame.sample.gpus),
        width=width,
    )


def with_age(frame: Frame, now_ns: int) -> Frame:
    """Give every card the age of its figures while the driver as a whole does not answer."""
    if frame.problem is None:
        return frame
    age_s = max(1.0, (now_ns - frame.problem.since_ns) / 1e9)
    gpus = tuple(replace(gpu, stale_s=max(gpu.stale_s, age_s)) for gpu in frame.sample.gpus)
    return replace(frame, sample=replace(frame.sample, gpus=gpus))


def waiting_lines(width: int, height: int) -> list[Line]:
    """What is shown until there is a first frame: a driver may take its time, a blank screen says nothing."""
    texts = [
        (" waiting for the driver's first answer … (q quits)", "title"),
        (" `dmesg | grep NVRM` may say why", "dim"),
    ]
    lines = [fit_line((span,), width) for span in texts[:height]]
    return lines + [fit_line(BLANK, width)] * (height - len(lines))


def scrolled(top: int, cursor: int, visible: int, count: int) -> int:
    """Move the window as little as it takes to have the cursor in sight and no blank line below the last row."""
    if visible <= 0:
        return 0
    top = min(top, cursor)
    top = max(top, cursor - visible + 1)
    return max(0, min(top, count - visible))


def _cropped(
    area: list[Line], whose: list[int | None], shared: int, rows: int, width: int
) -> tuple[list[Line], list[int | None]]:
    """Leave the table its rows when MIG instances or a small terminal make the GPUs too many lines."""
    keep = max(1, shared - min(LEAST_TABLE_ROWS, rows))
    if shared < LEAST_TABLE_ROWS:
        keep = max(1, shared + 1)
    if len(area) <= keep:
        return area, whose
    left = len({index for index in whose[keep - 1 :] if index is not None})
    more = fit_line(((f"   … {left} more (c: compact, 1-9: one GPU)", "dim"),), width)
    return [*area[: keep - 1], more], [*whose[: keep - 1], None]


def _why_empty(frame: Frame, state: OverviewState) -> str:
    if any(flag.startswith("filter") for flag in state.flags):
        return "no process matches the filter (Esc clears it)"
    if not frame.sample.gpus:
        return clean(next(iter(frame.sample.notices), "no GPU"))
    if frame.sample.processes and any(flag.startswith(("GPU ", "user ")) for flag in state.flags):
        return "no process here: others are hidden (Esc shows all)"
    return "no process on a GPU"
