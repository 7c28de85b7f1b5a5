"""Memory sits in the private pools of CUDA graphs

What it means
    Each captured graph keeps its memory in a pool of its own: eager code cannot use it, and the allocator cannot give it back,
    even while nothing of it is in use. One graph a shape makes one pool a shape.

Evidence
    PyTorch 2.4 and newer print how much is "allocated in private pools"; it is a good part of the card. A snapshot tells the
    pools, and what lies idle in them.

Fix
    Fewer shapes to capture, `mode="default"` instead of `"reduce-overhead"`, or no graphs.

When it is wrong
    While graphs are being captured by an engine, its budget is the question (DS504).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.fixes.prescribe import prescribe
from dstop.doctor.questions.arithmetic import gib
from dstop.doctor.questions.asking import failure_lines, rank_lines
from dstop.doctor.questions.remembering import told
from dstop.doctor.rule import FITS, PROVEN, Assessment, Rule
from dstop.model.diagnosis import Evidence

if TYPE_CHECKING:
    from dstop.doctor.case import Case

_PART, _MUCH = 0.1, 0.3


def _examine(case: Case) -> Assessment | None:
    failure = case.failure
    if failure is None or not failure.private_pool_bytes:
        return None
    # A snapshot alone does not know the card; what the process could have had is what it had, and what was free.
    total = failure.total_bytes or (failure.reserved_bytes or 0) + (failure.free_bytes or 0)
    share = failure.private_pool_bytes / total if total else 0.0
    if share < _PART:
        return None
    says = f"{gib(failure.private_pool_bytes)} is in private pools of CUDA graphs ({100 * share:.0f} % of the card)"
    recovers = {
        "disable_cuda_graph": failure.private_pool_bytes,
        "disable_torch_compile": failure.private_pool_bytes,
    }
    return Assessment(
        strength=PROVEN if share >= _MUCH else FITS + 2,
        evidence=(
            *failure_lines(case),
            Evidence(source=str(failure.place), says=says, value=failure.private_pool_bytes),
            *_pools(case),
            *rank_lines(case),
        ),
        at=failure.place,
        fixes=prescribe(
            case,
            "reduce_cuda_graph_bs",
            "disable_cuda_graph",
            "disable_torch_compile",
            "reduce_batch",
            recovers=recovers,
        ),
    )


def _pools(case: Case) -> list[Evidence]:
    memory = case.memory
    if memory is None or not memory.is_of_failure or not memory.blocks.private_reserved_bytes:
        return []
    blocks = memory.blocks
    idle = blocks.private_reserved_bytes - blocks.private_allocated_bytes
    pools = (
        "1 private pool has" if blocks.private_pools == 1 else f"{blocks.private_pools} private pools have"
    )
    says = f"{pools} {gib(blocks.private_reserved_bytes)} reserved, {gib(idle)} of it idle and of no use to anything else"
    return [told(memory, says, blocks.private_reserved_bytes)]


RULE = Rule(
    id="DS203",
    name="private-pools",
    cause="cuda_graph_capture",
    title="Memory sits in the private pools of CUDA graphs",
    page=__doc__ or "",
    examine=_examine,
    fires=(
        """torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 1.20 GiB. GPU 0 has a total capacity of 79.15 GiB of which 311.20 MiB is free. Including non-PyTorch memory, this process has 78.84 GiB memory in use. Of the allocated memory 75.40 GiB is allocated by PyTorch, with 31.50 GiB allocated in private pools (e.g., CUDA Graphs), and 1.02 GiB is reserved by PyTorch but unallocated.
""",
    ),
    near_miss=(
        """torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 1.20 GiB. GPU 0 has a total capacity of 79.15 GiB of which 311.20 MiB is free. Including non-PyTorch memory, this process has 78.84 GiB memory in use. Of the allocated memory 75.40 GiB is allocated by PyTorch, with 51.50 MiB allocated in private pools (e.g., CUDA Graphs), and 1.02 GiB is reserved by PyTorch but unallocated.
""",
    ),
)
