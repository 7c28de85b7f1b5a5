"""All GPUs of a machine in the form the layout chose."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.draw.gpu_block import gpu_block
from dstop.draw.gpu_line import gpu_line, line_header, mig_line
from dstop.draw.memory_bar import holdings
from dstop.model.frame import GpuHistory

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dstop.draw.gpu_layout import GpuLayout
    from dstop.draw.line import Line, Span
    from dstop.draw.look import Look
    from dstop.model.frame import Frame
    from dstop.model.gpu import Gpu
    from dstop.model.process import GpuProcess

_NO_HISTORY = GpuHistory()
GAP = 2


def memory_by_gpu(processes: Sequence[GpuProcess]) -> Mapping[int, list[GpuProcess]]:
    """Group the processes whose memory is known by GPU."""
    found: dict[int, list[GpuProcess]] = {}
    for process in processes:
        if process.gpu_memory_bytes is not None:
            found.setdefault(process.gpu_index, []).append(process)
    return found


def columns_of(layout: GpuLayout, gpus: int, width: int) -> tuple[int, int, int]:
    """Give how many columns there are, how many cells one has, and how many cards stand in it."""
    columns = max(1, min(layout.columns, gpus or 1))
    return columns, (width - GAP * (columns - 1)) // columns, -(-gpus // columns)


def gpu_area_lines(
    frame: Frame, layout: GpuLayout, width: int, look: Look
) -> tuple[list[Line], list[int | None]]:
    """Draw the area; with each line comes the index of the GPU it belongs to (None where there is none).

    With several columns a line belongs to the leftmost card on it.
    """
    gpus = frame.sample.gpus
    owners = memory_by_gpu(frame.sample.processes)
    columns, column_width, per_column = columns_of(layout, len(gpus), width)
    blocks = [
        _lines_of(gpu, owners.get(gpu.index, []), frame, layout=layout, width=column_width, look=look)
        for gpu in gpus
    ]
    lines: list[Line] = []
    whose: list[int | None] = []
    if layout.header and not layout.blocks:
        lines.append(line_header(column_width))
        whose.append(None)
    gap, blank = (" " * GAP, ""), (" " * column_width, "")
    rest = width - column_width * columns - GAP * (columns - 1)
    for row in range(per_column):
        # Down the columns, as a reader of eight cards counts them: 0-3 left, 4-7 right.
        side_by_side = [
            blocks[place] if (place := row + column * per_column) < len(blocks) else []
            for column in range(columns)
        ]
        for offset in range(max(map(len, side_by_side))):
            spans: list[Span] = []
            for column, block in enumerate(side_by_side):
                if column:
                    spans.append(gap)
                spans += block[offset] if offset < len(block) else (blank,)
            if rest:
                spans.append((" " * rest, ""))
            lines.append(tuple(spans))
            whose.append(gpus[row].index)
    return lines, whose


def _lines_of(
    gpu: Gpu, owners: list[GpuProcess], frame: Frame, *, layout: GpuLayout, width: int, look: Look
) -> list[Line]:
    held = holdings(owners)
    found = [finding for finding in frame.findings if finding.gpu_index == gpu.index]
    if layout.blocks:
        history = frame.history.get(gpu.index, _NO_HISTORY)
        lines = gpu_block(
            gpu,
            held,
            history,
            width=width,
            look=look,
            layout=layout,
            step_s=frame.step_s,
            findings=found,
        )
    else:
        lines = [gpu_line(gpu, held, width, look, found)]
    for place, instance in enumerate(gpu.mig):
        inside = holdings(
            process
            for process in owners
            if process.gpu_instance_id == instance.gpu_instance_id
            and process.compute_instance_id in {None, instance.compute_instance_id}
        )
        lines.append(mig_line(instance, inside, width, last=place == len(gpu.mig) - 1))
    return lines
