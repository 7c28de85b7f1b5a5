"""What is beside the tensors of a step: libraries, contexts, communicators, and the allocator's own loss."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.footprint.inference.overheads import COMMUNICATOR, CONTEXT, library_workspace
from dstop.units import MIB

if TYPE_CHECKING:
    from dstop.footprint.spec.values import Spec

MEGATRON_LIBRARIES = 68 * MIB
"""Two cuBLAS workspaces of 32 MiB (`CUBLAS_WORKSPACE_CONFIG=:4096:8`, a handle for each of autograd's threads) and 4
MiB of Transformer Engine: what golden values of Megatron-LM have beyond the states."""
SLACK, SLACK_SHARDED, MOST_SLACK = 0.05, 0.08, 0.2
"""Reserved beyond the peak that was handed out, a share of it: 5 to 30 % (arXiv 2502.07846, section 5), nothing with
expandable segments. FSDP gathers and reduces on streams of its own, and blocks are not shared between streams: 0.19 in
the recording of an 8 B model on two ranks, more in smaller ones."""


def slack(spec: Spec) -> float:
    """Give the share of what is handed out that the allocator is expected to hold beyond it."""
    return SLACK_SHARDED if spec.parallel.zero == 3 else SLACK  # noqa: PLR2004 - FSDP


def libraries(spec: Spec) -> int:
    """Give the workspaces of libraries inside the allocator: cuBLAS has one for each of autograd's two threads."""
    return MEGATRON_LIBRARIES if spec.framework == "megatron" else 2 * library_workspace(spec)


def outside(spec: Spec, end: str) -> int:
    """Give context and communicators at the `low`, `expected` or `high` end."""
    return CONTEXT[end] + communicators(spec) * COMMUNICATOR[end]


def communicators(spec: Spec) -> int:
    """Count the groups of ranks that a rank talks in: one for each way in which work is divided."""
    parallel = spec.parallel
    return sum(ways > 1 for ways in (parallel.tp, parallel.pp, parallel.replicas, parallel.ep, parallel.cp))
