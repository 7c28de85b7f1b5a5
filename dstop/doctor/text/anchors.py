"""The words by which a place in a large log is found to be telling.

Each message of a failure that `dstop.doctor` knows has at least one of them. What is sure to be about memory has words
of its own, so that a flood of `error=0.01 memory=12GB` does not use up the places of an `out of memory`.
"""

from __future__ import annotations

STRONG: tuple[bytes, ...] = (
    b"of memory",  # out of memory: PyTorch, CUDA, XLA, TensorFlow, ggml, the kernel, Slurm
    b"OF_MEMORY",  # CUDA_ERROR_OUT_OF_MEMORY, sacct
    b"shared memory",  # /dev/shm and on-chip
    b"emory",  # every other: cannot allocate, not enough, illegal access, engines' budgets
    b"Error:",  # Python's exceptions
    b"rror",
    b"Traceback (most",
    b"illed",  # Killed, OOMKilled, killed by signal
    b"ailed",
    b"xceed",
    b"xit",  # exitcode: -9, exits with return code = -9, Exited (137)
    b"ignal",
    b"oom-kill",
    b"NVRM: ",
    b"KV cache",
    b"mem-fraction",
    b"atchdog",
)
OTHERS: tuple[bytes, ...] = tuple(
    word.replace("~", " ").encode()
    for line in (
        "ERROR CRITICAL FATAL atal xception ASSERT Assertion~` bort terminat",
        "_FAILED STATUS_ ailure annot~ ould~not~ nable~to~ nvalid~ ot~support efused",
        "MEMORY OOM ~oom oom_ xhausted enough nsufficient bad_alloc out~of~ OutOf",
        "SIG KILL eturn~code died~with illing vict reempt core~dumped egfault ation~fault",
        "space~left dev/shm oo~many oo~small in~use MEMLIMIT slurmstepd srun:~",
        "ismatch Xid NVML NVIDIA~driver GPUs~are ECC",
        "NCCL~WARN NCCL~work imed~out imeout process~down Root~Cause",
        "KV~Cache kv_cache max~seq~len GPU~blocks model~weights oncurrency~for aptur",
        "buffer~size KV~self~size offload cache~flush arming~up ispatched etract",
    )
    for word in line.split()
)
"""`~` is a space."""
ANCHORS = STRONG + OTHERS
