"""The words by which a place in a large log is found to be telling.

Each message that `dstop.doctor` knows has at least one of them. They are few and rather long, for every one costs a search
through the whole file, and a long word is found faster than a short one (glibc skips by its length). What is sure to be
about memory has words of its own, so that a flood of `error=0.01` does not use up the places of an `out of memory`.
"""

from __future__ import annotations

ANCHORS: tuple[bytes, ...] = (
    b"of memory",  # out of memory: PyTorch, CUDA, XLA, TensorFlow, ggml, the kernel, Slurm
    b"OF_MEMORY",  # CUDA_ERROR_OUT_OF_MEMORY, sacct
    b"shared memory",  # /dev/shm and on-chip
    b"emory",  # every other memory: cannot allocate, not enough, illegal access, KV cache, kernel's cgroup
    b"Error:",  # Python's exceptions
    b"rror",
    b"ERROR",
    b"Traceback (most",
    b"illed",  # Killed, OOMKilled, killed by signal
    b"ailed",
    b"_FAILED",  # CUBLAS_STATUS_ALLOC_FAILED
    b"ASSERT FAIL",
    b"xceed",
    b"xhausted",
    b" OOM",
    b"oom-kill",
    b"oom_kill",
    b"oom_reaper",
    b"xit",  # exitcode: -9, exits with return code = -9, Exited (137)
    b"ignal",
    b"NVRM: ",
    b"ismatch",  # Driver/library version mismatch
    b"enough",
    b"bad_alloc",
    b"space left",
    b"core dumped",
    b"atchdog",
    b"NCCL WARN",
    b"NCCL work",
    b"process down",
    b"mem-fraction",
    b"KV cache",  # vLLM's and SGLang's budgets, and what does not fit into them
    b"model weights",
    b"oncurrency for",
    b"Graph captur",
    b"buffer size",  # ggml's budgets
)
