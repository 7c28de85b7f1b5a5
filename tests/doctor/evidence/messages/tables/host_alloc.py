"""Refused allocations in host memory."""

from __future__ import annotations

from dstop.doctor.evidence.messages.host_alloc import HOST_ALLOCATIONS as MESSAGES  # noqa: F401 - the table that these lines are for

LINES = (
    (
        "[enforce fail at alloc_cpu.cpp:75] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate 44040192000 bytes. Error code 12 (Cannot allocate memory)",
        "cpu",
        {"tried_bytes": 44040192000},
    ),
    (
        "[enforce fail at alloc_cpu.cpp:80] data. DefaultCPUAllocator: not enough memory: you tried to allocate 1024 bytes.",
        "cpu",
        {"tried_bytes": 1024},
    ),
    (
        "$ Torch: not enough memory: you tried to allocate 12GB. Buy new RAM!",
        "cpu",
        {"tried_bytes": 12884901888},
    ),
    (
        "numpy.core._exceptions._ArrayMemoryError: Unable to allocate 5.50 GiB for an array with shape (9, 9) and data type float64",
        "numpy",
        {"tried_bytes": 5905580032},
    ),
    ("MemoryError: Unable to allocate array with shape (9, 9) and data type float64", "numpy", {}),
    ("pyarrow.lib.ArrowMemoryError: malloc of size 4096 failed", "arrow", {"tried_bytes": 4096}),
    ("x\nMemoryError\n", "python", {}),
    ("numpy.core._exceptions.MemoryError: Unable to allocate 1.00 MiB", "python", {}),
    ("what():  std::bad_alloc", "cpp", {}),
    ("memory allocation of 4294967296 bytes failed", "rust", {"tried_bytes": 4294967296}),
    ("OSError: [Errno 12] Cannot allocate memory", "errno", {}),
    ("bash: fork: retry: Cannot allocate memory", "errno", {}),
    (
        "RuntimeError: unable to mmap 9976578072 bytes from file </models/a.bin>: Cannot allocate memory (12)",
        "errno",
        {"tried_bytes": 9976578072},
    ),
    ("mmap failed: Cannot allocate memory", "errno", {}),
    ("SafetensorError: Cannot allocate memory (os error 12)", "errno", {}),
    ("could not allocate pinned host memory of size: 34359738368", "pinned", {"tried_bytes": 34359738368}),
    (
        "failed to alloc 34359738368 bytes on host: CUDA_ERROR_OUT_OF_MEMORY: out of memory",
        "pinned",
        {"tried_bytes": 34359738368},
    ),
    ("cudaHostRegister(ptr) failed: out of memory", "pinned", {}),
    ("cuMemHostAlloc failed: out of memory", "pinned", {}),
    ("cuMemAllocHost_v2 failed: CUDA_ERROR_OUT_OF_MEMORY", "pinned", {}),
    ("NCCL WARN Failed to CUDA host alloc 4096 bytes", "pinned", {"tried_bytes": 4096}),
    ("alloc_tensor_range: failed to allocate CPU buffer of size 4096", "ggml_host", {"tried_bytes": 4096}),
    (
        "ggml_backend_cpu_buffer_type_alloc_buffer: failed to allocate buffer of size 4096",
        "ggml_host",
        {"tried_bytes": 4096},
    ),
    (
        "ggml_aligned_malloc: insufficient memory (attempted to allocate 4096.00 MB)",
        "ggml_host",
        {"tried_bytes": 4294967296},
    ),
)
"""A message, its kind, and the figures that it must give."""

NOT = (
    ("    except MemoryError:", "python"),
    ("torch.cuda.OutOfMemoryError: CUDA out of memory", "python"),
    ("MemoryError: std::bad_alloc: out_of_memory: CUDA error", "cpp"),
    ("MemoryError: std::bad_alloc: CUDA error at: x.hpp:70", "python"),
    (
        "warning: failed to mlock 1048576-byte buffer (after previously locking 0 bytes): Cannot allocate memory",
        "errno",
    ),
    ("NCCL WARN Call to ibv_reg_mr failed with error Cannot allocate memory", "errno"),
    ("failed to alloc 1024 bytes on device", "pinned"),
)
"""What looks alike, and the kind that it must not have."""
