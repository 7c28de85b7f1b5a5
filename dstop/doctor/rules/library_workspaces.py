"""cuBLAS keeps a workspace for every thread and stream

What it means
    Each handle of cuBLAS, one a thread and stream, keeps a workspace of PyTorch's memory for good: 8.1 MiB, 32 MiB from Hopper
    on. `empty_cache()` does not free them. Many streams or threads add up.

Evidence
    A snapshot has many live blocks of exactly these sizes, together more than what was short.

Fix
    Fewer streams or threads that multiply; `CUBLAS_WORKSPACE_CONFIG` with a smaller workspace; or
    `torch._C._cuda_clearCublasWorkspaces()` before the peak (pytorch#95668).

When it is wrong
    A tensor may happen to have such a size: where its line is yours, and no matrix product, it is one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.fixes.prescribe import prescribe
from dstop.doctor.questions.arithmetic import gib
from dstop.doctor.questions.asking import failure_lines, rank_lines
from dstop.doctor.questions.remembering import told
from dstop.doctor.rule import FITS, Assessment, Rule

if TYPE_CHECKING:
    from dstop.doctor.case import Case

_PART, _MUCH = 0.03, 0.1
"""Of what is live."""


def _examine(case: Case) -> Assessment | None:
    failure, memory, short = case.failure, case.memory, case.balance.short_bytes
    if failure is None or memory is None or not memory.is_of_failure or not short:
        return None
    held, count = memory.blocks.workspace_bytes, memory.blocks.workspaces
    if held < short or held < _PART * memory.live_bytes or count < 3:  # noqa: PLR2004 - two: forward and backward
        return None
    says = f"{count} live blocks have the size of a cuBLAS workspace: {gib(held)} in all"
    return Assessment(
        strength=FITS + (7 if held >= _MUCH * memory.live_bytes else -10),
        evidence=(*failure_lines(case), told(memory, says, held), *rank_lines(case)),
        at=failure.place,
        fixes=prescribe(
            case,
            "smaller_workspaces",
            "reduce_parallelism",
            "reduce_batch",
            recovers={"smaller_workspaces": held},
        ),
    )


RULE = Rule(
    id="DS207",
    name="library-workspaces",
    cause="cublas_workspaces",
    title="cuBLAS keeps a workspace for every thread and stream",
    page=__doc__ or "",
    examine=_examine,
    is_of_snapshots=True,
)
