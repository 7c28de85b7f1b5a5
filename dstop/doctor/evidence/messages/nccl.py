"""NCCL's own errors: what it says of GPU memory, of shared memory, of its callers and of the network."""

from __future__ import annotations

from dstop.doctor.evidence.pattern import Pattern

MESSAGES: tuple[Pattern, ...] = (
    # GPU memory: src/include/alloc.h and checks.h; the number of the error is printed since 2.13.
    Pattern(
        "nccl.oom",
        "Failed to CUDA",
        r"Failed to CUDA (?P<what>calloc|malloc|host alloc|mem ?map)(?: async)?(?: (?P<tried_bytes>\d{1,20}))?(?: bytes)?",
    ),
    Pattern(
        "nccl.oom",
        "Cuda failure",
        r"(?:Cuda|HIP) failure (?:2 )?'out of memory'|Cuda failure [\w./-]{1,80}:\d{1,6} 'out of memory'",
    ),
    Pattern("nccl.oom", "HIP failure", r"HIP failure (?:2 )?'out of memory'"),
    Pattern("nccl.oom", "hipErrorOutOfMemory", r"(?:NCCL|RCCL)[^\n]{0,160}hipErrorOutOfMemory"),
    # Any other error of the CUDA runtime inside NCCL.
    Pattern(
        "nccl.cuda_failure",
        "failure",
        r"(?:Cuda|HIP) failure (?:(?P<code_count>\d{1,4}) )?'(?!out of memory)(?P<says>[^'\n]{1,120})'",
    ),
    # Shared memory: src/include/shm.h, src/misc/shmutils.cc.
    Pattern(
        "nccl.no_space",
        "shared memory segment",
        r"Error while creating shared memory segment (?P<file>[\w./-]{1,120})"
        r"(?: \(size (?P<tried_bytes>\d{1,20})\))?(?:, error: (?P<error>[^\n]{1,60}))?",
    ),
    Pattern(
        "nccl.no_space",
        "failed to extend",
        r"failed to extend (?P<file>/dev/shm/nccl[\w-]{0,60}) to (?P<tried_bytes>\d{1,20}) bytes(?:, error: [^\n]{1,60})?",
    ),
    Pattern("nccl.no_space", "posix_fallocate failed", r"Call to posix_fallocate failed ?: [^\n]{1,80}"),
    Pattern("nccl.no_space", "ftruncate", r"NCCL WARN[^\n]{0,60}ftruncate[^\n]{0,60}No space left on device"),
    Pattern(
        "nccl.shm_attach",
        "attaching to shared memory",
        r"Error while attaching to shared memory segment [^\n]{0,160}",
    ),
    # The classes of error, as ncclGetErrorString and torch's NCCLUtils write them.
    Pattern("nccl.unhandled_cuda", "unhandled cuda error"),
    Pattern("nccl.unhandled_cuda", "ncclUnhandledCudaError"),
    Pattern("nccl.unhandled_system", "unhandled system error"),
    Pattern("nccl.unhandled_system", "ncclSystemError"),
    Pattern("nccl.internal", "ncclInternalError", r"ncclInternalError[^\n]{0,120}"),
    Pattern("nccl.internal", "internal error", r"(?:NCCL|nccl)[^\n]{0,160}internal error[^\n]{0,80}"),
    Pattern("nccl.remote", "ncclRemoteError", r"ncclRemoteError[^\n]{0,160}"),
    Pattern("nccl.remote", "remote process exited or there was a network error"),
    Pattern("nccl.duplicate_gpu", "Duplicate GPU detected", r"Duplicate GPU detected ?: ?[^\n]{0,120}"),
    Pattern("nccl.invalid_usage", "invalid usage", r"(?:NCCL|nccl)[^\n]{0,160}invalid usage[^\n]{0,80}"),
    Pattern("nccl.invalid_usage", "ncclInvalidUsage", r"ncclInvalidUsage[^\n]{0,120}"),
    Pattern("nccl.invalid_argument", "ncclInvalidArgument", r"ncclInvalidArgument[^\n]{0,120}"),
    Pattern(
        "nccl.invalid_argument", "invalid argument", r"NCCL error in: [^\n]{0,160}invalid argument[^\n]{0,80}"
    ),
    Pattern(
        "nccl.backend_lacks_gpu",
        "No backend type associated",
        r"No backend type associated with device type \w{1,12}",
    ),
    # Network and what it stands on: bootstrap.cc, socket.cc, net_ib.cc.
    Pattern(
        "nccl.network",
        "socket interface found",
        r"Bootstrap ?: [Nn]o socket interface found[^\n]{0,120}",
    ),
    Pattern("nccl.network", "NET/", r"NCCL WARN NET/\w{2,12}[^\n]{0,200}"),
    Pattern(
        "nccl.network",
        "NET/IB",
        r"NET/IB ?: ?(?:Got (?:async event|completion)|Unable|No device)[^\n]{0,200}",
    ),
    Pattern(
        "nccl.network",
        "Call to connect",
        r"Call to connect (?:to [^\n]{0,80} )?(?:returned|failed)[^\n]{0,120}",
    ),
    Pattern(
        "nccl.network",
        "onnect to ",
        r"(?:socket\w{0,30}: |NCCL WARN )Connect to [^\n]{1,80} failed ?: [^\n]{1,80}",
    ),
    Pattern(
        "nccl.network",
        "Connection refused",
        r"(?:NCCL|nccl|socket\w{0,30}:)[^\n]{0,160}Connection refused[^\n]{0,60}",
    ),
    Pattern("nccl.network", "ibv_", r"Call to ibv_\w{1,40} (?:failed|timed out)[^\n]{0,160}"),
    Pattern("nccl.network", "local qp", r"(?:status=|error )[^\n]{0,40}(?:vendor err|local qp)[^\n]{0,160}"),
    Pattern(
        "nccl.memlock", "ibv_reg_mr", r"Call to ibv_reg_mr\w{0,20} failed[^\n]{0,60}Cannot allocate memory"
    ),
    Pattern(
        "nccl.peer_closed",
        "onnection closed by",
        r"(?:socket\w{0,30}|Net|NCCL WARN[^\n]{0,60}): [Cc]onnection closed by (?:remote )?peer[^\n]{0,80}",
    ),
    Pattern("nccl.version", "NCCL version", r"NCCL version:? ?(?P<version>\d[\w.+-]{0,20})"),
)
