"""Kernels that do what they must not: illegal accesses, assertions, bad launches."""

from __future__ import annotations

from dstop.doctor.evidence.pattern import Pattern

MESSAGES: tuple[Pattern, ...] = (
    Pattern(
        "fault.illegal_access",
        "illegal memory access",
        r"(?i)an illegal memory access was encountered|illegal memory access",
    ),
    Pattern("fault.illegal_access", "CUDA_ERROR_ILLEGAL_ADDRESS"),
    Pattern("fault.illegal_access", "cudaErrorIllegalAddress"),
    Pattern("fault.illegal_access", "hipErrorIllegalAddress"),
    Pattern(
        "fault.illegal_access",
        "Memory access fault by GPU",
        r"Memory access fault by GPU node-\d+[^\n]{0,160}",
    ),
    Pattern(
        "fault.illegal_access", "misaligned address", r"(?i)CUDA error: misaligned address|misaligned address"
    ),
    Pattern(
        "fault.illegal_instruction",
        "illegal instruction",
        r"(?i)CUDA error: an illegal instruction was encountered",
    ),
    Pattern("fault.launch_failure", "unspecified launch failure"),
    Pattern("fault.launch_failure", "CUDA_ERROR_LAUNCH_FAILED"),
    Pattern("fault.assert", "device-side assert", r"(?i)device-side assert(?: triggered)?"),
    Pattern("fault.assert", "cudaErrorAssert"),
    Pattern(
        "fault.assert_line",
        "Assertion `",
        r"(?P<file>[\w./+-]{1,200}\.(?:cu|cuh|h|hpp|cpp)):(?P<line_count>\d+):[^\n]{0,400}?Assertion `(?P<condition>[^`\n]{1,200})` failed",
    ),
    Pattern(
        "fault.segv",
        "Segmentation fault",
        r"(?i)segmentation fault(?: \(core dumped\))?|exitcode\s{0,6}: -11\b",
    ),
    Pattern("fault.dbg", "unknown error", r"CUDA error: unknown error"),
)
