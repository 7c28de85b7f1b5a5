"""The machine as text that scrolls: what `dstop --once` prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.draw.ascii import ascii_line
from dstop.draw.gpu_area import gpu_area_lines
from dstop.draw.gpu_layout import GpuLayout
from dstop.draw.host_line import host_line
from dstop.draw.line import clean, fit_line
from dstop.draw.look import Look
from dstop.draw.table import empty_line, header_line, row_line
from dstop.view.arrange import View, arrange
from dstop.view.columns import columns_for, row_facts

if TYPE_CHECKING:
    from dstop.draw.line import Line
    from dstop.model.frame import Frame
    from dstop.model.sample import Sample

_LAYOUT = GpuLayout(blocks=False, columns=1, header=True)


def once_lines(
    frame: Frame,
    width: int,
    *,
    ascii: bool = False,  # noqa: A002 - the flag's own name
    processes: bool = True,
    view: View | None = None,
    look: Look | None = None,
) -> list[Line]:
    """Draw host, GPUs and processes for a pipe or a terminal of `width` cells."""
    sample, chosen, how = frame.sample, look or Look(), view or View()
    lines = [host_line(frame, width)]
    notices = list(sample.notices)
    if sample.simulated is not None:
        notices.insert(0, sample.simulated)
    if frame.replay is not None and frame.replay.notice is not None:
        notices.insert(0, frame.replay.notice)
    lines += [fit_line(((f" {clean(notice)}", "note"),), max(width, len(notice) + 1)) for notice in notices]
    area, _ = gpu_area_lines(frame, _LAYOUT, width, chosen)
    lines += area
    if frame.findings and frame.problem is None:
        from dstop.draw.finding_lines import finding_line  # noqa: PLC0415 - most machines have nothing to tell

        lines.append(fit_line((("", ""),), width))
        # A sentence is written out, as notices are: a pipe has no edge.
        lines += [finding_line(finding, width, whole=True) for finding in frame.findings]
    if processes:
        rows = arrange(sample, how)
        columns = columns_for(width, row_facts(sample.processes), how.columns)
        gpus = {gpu.index: gpu for gpu in sample.gpus}
        lines.append(fit_line((("", ""),), width))
        lines.append(header_line(columns, width, sort=how.sort, reverse=how.reverse))
        lines += [
            row_line(row, columns, width, now_ns=sample.taken_at_ns, gpus=gpus, look=chosen) for row in rows
        ]
        if not rows:
            lines.append(empty_line(why_empty(sample, how), width))
    return [ascii_line(line) for line in lines] if ascii else lines


def why_empty(sample: Sample, view: View) -> str:
    """Say why the table has no row: nobody is there, or nobody who was asked for."""
    if any(gpu.left_out_bytes != 0 for gpu in sample.gpus) or view.filter is not None:
        return "no process that was asked for is on a GPU"
    return "no process on a GPU"
