"""Allocations in host memory that are refused; the kind is the family of the failure.

Figures are named as in AllocationFailure.
"""

from __future__ import annotations

from dstop.doctor.evidence.pattern import Pattern

_LINE = r"(?:^|(?<=\n)|(?<=: ))"
"""Where a message begins: with its line, or behind the name of who passes it on; not in a line of code."""

HOST_ALLOCATIONS: tuple[Pattern, ...] = (
    # c10/core/impl/alloc_cpu.cpp: Linux, Windows, and before 1.0.
    Pattern(
        "cpu",
        "DefaultCPUAllocator",
        r"DefaultCPUAllocator: can't allocate memory: you tried to allocate (?P<tried_bytes>\d{1,20}) bytes",
    ),
    Pattern(
        "cpu",
        "DefaultCPUAllocator",
        r"DefaultCPUAllocator: not enough memory: you tried to allocate (?P<tried_bytes>\d{1,20}) bytes",
    ),
    Pattern(
        "cpu", "DefaultCPUAllocator", r"DefaultCPUAllocator: (?:can't allocate|not enough) memory[^\n]{0,80}"
    ),
    Pattern(
        "cpu",
        "not enough memory",
        r"not enough memory: you tried to allocate (?P<tried_size>\d{1,9}(?:\.\d{1,3})? ?[KMGT]i?B)\.[^\n]{0,40}",
    ),
    # NumPy since 1.17, and Python itself.
    Pattern(
        "numpy",
        "Unable to allocate",
        r"Unable to allocate (?P<tried_size>[\d.]{1,12} ?(?:[KMGTP]iB|bytes)) for an array with shape[^\n]{0,120}",
    ),
    Pattern("numpy", "Unable to allocate array", r"Unable to allocate array with shape[^\n]{0,120}"),
    Pattern(
        "arrow",
        "ArrowMemoryError",
        r"ArrowMemoryError: (?:malloc|realloc) of size (?P<tried_bytes>\d{1,20}) failed",
    ),
    Pattern(
        "python",
        "MemoryError",
        rf"{_LINE}(?:[\w.]{{1,60}}\.)?_?(?:Array)?MemoryError(?:: (?!std::bad_alloc: (?:out_of_memory|CUDA))[^\n]{{0,160}}|:?(?=\n|$))",
    ),
    Pattern("cpp", "std::bad_alloc", r"std::bad_alloc(?!: (?:out_of_memory|CUDA|cuda))"),
    Pattern("rust", "memory allocation of", r"memory allocation of (?P<tried_bytes>\d{1,20}) bytes failed"),
    # errno 12; `ulimit -l` has the same words, and so have llama.cpp's mlock and earlyoom's, which go on.
    Pattern("errno", "Cannot allocate memory", r"\[Errno 12\] Cannot allocate memory[^\n]{0,80}"),
    Pattern(
        "errno",
        "Cannot allocate memory",
        r"(?:fork|clone|posix_spawn)\w{0,10}: (?:retry: )?(?:Resource )?Cannot allocate memory",
    ),
    Pattern(
        "errno",
        "Cannot allocate memory",
        r"unable to mmap (?P<tried_bytes>\d{1,20}) bytes from file <[^>\n]{1,200}>: Cannot allocate memory(?: \(12\))?",
    ),
    Pattern("errno", "Cannot allocate memory", r"\bmmap\b[^\n]{0,60}(?<!mlock)Cannot allocate memory"),
    Pattern("errno", "os error 12", r"Cannot allocate memory \(os error 12\)"),
    # Page-locked memory: PyTorch, TensorFlow, XLA, MXNet, llama.cpp, and the runtime's own names.
    Pattern(
        "pinned",
        "pinned host memory",
        r"could not allocate pinned host memory of size: (?P<tried_bytes>\d{1,20})",
    ),
    Pattern(
        "pinned",
        "bytes on host",
        r"failed to alloc(?:ate)? (?P<tried_bytes>\d{1,20}) bytes on host: CUDA_ERROR_(?:OUT_OF_MEMORY|INVALID_VALUE)[^\n]{0,40}",
    ),
    Pattern(
        "pinned",
        "Host",
        r"(?:cuda|hip)(?:Host(?:Alloc|Register|Malloc)|MallocHost)\b[^\n]{0,100}(?:out of memory|[Ff]ailed|ErrorMemoryAllocation|error)",
    ),
    Pattern(
        "pinned",
        "cuMemHost",
        r"cuMemHost(?:Alloc|Register)\w{0,6}\b[^\n]{0,100}(?:out of memory|OUT_OF_MEMORY|[Ff]ailed)",
    ),
    Pattern(
        "pinned",
        "cuMemAllocHost",
        r"cuMemAllocHost\w{0,6}\b[^\n]{0,100}(?:out of memory|OUT_OF_MEMORY|[Ff]ailed)",
    ),
    Pattern("pinned", "CUDA host alloc", r"Failed to CUDA host alloc (?P<tried_bytes>\d{1,20}) bytes"),
    # ggml's own buffers.
    Pattern(
        "ggml_host",
        "failed to allocate",
        r"failed to allocate (?:CPU|CPU_\w{1,20}|\w{1,20}_Host|BLAS) buffer of size (?P<tried_bytes>\d{1,20})",
    ),
    Pattern(
        "ggml_host",
        "ggml_backend_cpu_buffer",
        r"ggml_backend_cpu_buffer\w{0,30}: failed to allocate buffer of size (?P<tried_bytes>\d{1,20})",
    ),
    Pattern(
        "ggml_host",
        "insufficient memory",
        r"ggml_aligned_malloc: insufficient memory \(attempted to allocate (?P<tried_mib>[\d.]{1,12}) MB\)",
    ),
)
"""In host memory."""
