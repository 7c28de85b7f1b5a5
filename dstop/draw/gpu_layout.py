"""How much of the screen the GPUs get, and in which form, so that the processes are never crowded out."""

from __future__ import annotations

from dataclasses import dataclass

from dstop.model.value import Value

LEAST_TABLE_ROWS = 6
TABLE_SHARE = 0.45
BLOCK_LEAST_WIDTH = 58
GRID_LEAST_WIDTH = 38
WIDE_BLOCK = 100
MOST_GRAPH_ROWS = 8


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class GpuLayout(Value):
    """Blocks (several lines a GPU) or lines (one each), side by side in `columns`."""

    blocks: bool
    columns: int
    graph_rows: int = 0
    details: bool = False
    header: bool = False

    def height(self, gpus: int) -> int:
        """Lines the GPUs take, without MIG instances."""
        per_column = -(-gpus // self.columns)
        if self.blocks:
            return per_column * block_height(graph_rows=self.graph_rows, details=self.details)
        return per_column + (1 if self.header else 0)


def block_height(*, graph_rows: int, details: bool) -> int:
    """Lines of one block: title, memory, utilisation, details, graphs."""
    return 3 + (1 if details else 0) + graph_rows


def choose_layout(gpus: int, width: int, height: int, mode: str = "auto") -> GpuLayout:
    """Choose the richest form that leaves the process table its rows.

    Args:
        gpus: how many cards.
        width: cells of the screen.
        height: lines that GPUs and processes share (without host line, headers and footer).
        mode: `auto`, `full` (blocks whenever six process rows stay) or `compact` (one line each).
    """
    rows = LEAST_TABLE_ROWS if mode == "full" else max(LEAST_TABLE_ROWS, round(height * TABLE_SHARE))
    room = height - rows
    if mode != "compact":
        block = _block_layout(gpus, width, room)
        if block is not None:
            return block
    columns = 1
    most = max(1, width // GRID_LEAST_WIDTH)
    room = height - LEAST_TABLE_ROWS
    while columns < most and -(-gpus // columns) + (1 if columns == 1 else 0) > room:
        columns += 1
    header = columns == 1 and gpus + 1 <= max(room, 2)
    return GpuLayout(blocks=False, columns=columns, header=header)


def _block_layout(gpus: int, width: int, room: int) -> GpuLayout | None:
    best: tuple[tuple[int, int, int, int], GpuLayout] | None = None
    for columns in range(1, min(gpus, width // BLOCK_LEAST_WIDTH, 4) + 1):
        per_column = -(-gpus // columns)
        spare = room // per_column - block_height(graph_rows=0, details=False)
        if spare < 0:
            continue
        details = spare >= 1 and width // columns >= BLOCK_LEAST_WIDTH
        graph_rows = min(MOST_GRAPH_ROWS, max(0, spare - (1 if details else 0)))
        # A wide block tells more than a tall one, until graphs have the rows they need to be read.
        layout = GpuLayout(blocks=True, columns=columns, graph_rows=graph_rows, details=details)
        score = (min(graph_rows, 3), min(width // columns, WIDE_BLOCK), graph_rows, -layout.height(gpus))
        if best is None or score > best[0]:
            best = (score, layout)
    return best[1] if best else None
