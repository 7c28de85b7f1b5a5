"""What programs print, one table a family of programs: kind, needle, expression.

A new message is one line in the table of its program.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.evidence.messages import (
    batch,
    benign,
    build,
    collective,
    containers,
    engines,
    faults,
    files,
    ggml,
    hardware,
    host,
    kernel,
    killed,
    limits,
    nccl,
    other,
    ray,
    sglang,
    shm,
    system,
    torch,
    vllm,
    windows,
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
    collective.MESSAGES,
    kernel.MESSAGES,
    batch.MESSAGES,
    containers.MESSAGES,
    killed.MESSAGES,
    ray.MESSAGES,
    windows.MESSAGES,
    shm.MESSAGES,
    build.MESSAGES,
    host.MESSAGES,
    system.MESSAGES,
    hardware.MESSAGES,
    faults.MESSAGES,
    limits.MESSAGES,
    files.MESSAGES,
    other.MESSAGES,
    benign.MESSAGES,
)
