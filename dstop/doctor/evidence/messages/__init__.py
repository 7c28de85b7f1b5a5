"""What programs print, one table a family of programs: kind, needle, expression.

A new message is one line in the table of its program.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.evidence.messages import (
    benign,
    engines,
    faults,
    ggml,
    host,
    nccl,
    other,
    sglang,
    system,
    torch,
    vllm,
)

if TYPE_CHECKING:
    from dstop.doctor.evidence.pattern import Pattern

TABLES: tuple[tuple[Pattern, ...], ...] = (
    torch.MESSAGES,
    vllm.MESSAGES,
    sglang.MESSAGES,
    engines.MESSAGES,
    ggml.MESSAGES,
    nccl.MESSAGES,
    host.MESSAGES,
    system.MESSAGES,
    faults.MESSAGES,
    other.MESSAGES,
    benign.MESSAGES,
)
