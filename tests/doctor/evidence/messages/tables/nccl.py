"""NCCL's messages, from 2.4 to 2.2x."""

from __future__ import annotations

from dstop.doctor.evidence.messages.nccl import MESSAGES  # noqa: F401 - the table that these lines are for

LINES = (
    (
        "gpu07:4100:4177 [0] include/alloc.h:48 NCCL WARN Failed to CUDA calloc 10485760 bytes",
        "nccl.oom",
        {"tried_bytes": 10485760, "what": "calloc"},
    ),
    (
        "gpu07:4100:4177 [0] include/alloc.h:246 NCCL WARN Failed to CUDA calloc async 608 bytes",
        "nccl.oom",
        {"tried_bytes": 608},
    ),
    ("include/alloc.h:30 NCCL WARN Failed to CUDA host alloc 4096 bytes", "nccl.oom", {"what": "host alloc"}),
    ("[1] include/alloc.h:28 NCCL WARN Cuda failure 'out of memory'", "nccl.oom", {}),
    ("Last error:\nCuda failure 2 'out of memory'", "nccl.oom", {}),
    ("gpu1:7:7 [0] alloc.h:99 NCCL WARN HIP failure 'out of memory'", "nccl.oom", {}),
    ("NCCL error 1: hipErrorOutOfMemory: out of memory", "nccl.oom", {}),
    (
        "Last error:\nCuda failure 999 'unknown error'",
        "nccl.cuda_failure",
        {"code_count": 999, "says": "unknown error"},
    ),
    (
        "init.cc:1 NCCL WARN Cuda failure 'peer access is not supported between these two devices'",
        "nccl.cuda_failure",
        {"says": "peer access is not supported between these two devices"},
    ),
    (
        "include/shm.h:48 NCCL WARN Error while creating shared memory segment nccl-shm-recv-14624-1-2-3 (size 9637888)",
        "nccl.no_space",
        {"tried_bytes": 9637888},
    ),
    (
        "misc/shmutils.cc:132 NCCL WARN Error while creating shared memory segment /dev/shm/nccl-WU88OE (size 9637888), error: No space left on device (28)",
        "nccl.no_space",
        {"error": "No space left on device (28)"},
    ),
    (
        "misc/shmutils.cc:88 NCCL WARN Error: failed to extend /dev/shm/nccl-WU88OE to 9637892 bytes, error: No space left on device (28)",
        "nccl.no_space",
        {"tried_bytes": 9637892},
    ),
    (
        "[3] include/shm.h:28 NCCL WARN Call to posix_fallocate failed : No space left on device",
        "nccl.no_space",
        {},
    ),
    (
        "[3] include/shm.h:28 NCCL WARN Call to ftruncate failed : No space left on device",
        "nccl.no_space",
        {},
    ),
    (
        "misc/shmutils.cc:129 NCCL WARN Error while attaching to shared memory segment /dev/shm/nccl-glnlGK (size 14156128), error: No such file or directory (2)",
        "nccl.shm_attach",
        {},
    ),
    (
        "NCCL error in: ../torch/csrc/distributed/c10d/NCCLUtils.hpp:275, unhandled cuda error (run with NCCL_DEBUG=INFO for details), NCCL version 2.20.5",
        "nccl.unhandled_cuda",
        {},
    ),
    ("ncclUnhandledCudaError: Call to CUDA function failed.", "nccl.unhandled_cuda", {}),
    ("RuntimeError: NCCL Error 2: unhandled system error", "nccl.unhandled_system", {}),
    (
        "ncclSystemError: System call (e.g. socket, malloc) or external library call failed or device error.",
        "nccl.unhandled_system",
        {},
    ),
    ("ncclInternalError: Internal check failed.", "nccl.internal", {}),
    (
        "RuntimeError: NCCL error in: ../torch/lib/c10d/NCCLUtils.hpp:158, internal error, NCCL version 2.10.3",
        "nccl.internal",
        {},
    ),
    (
        "ncclRemoteError: A call failed possibly due to a network error or a remote process exiting prematurely.",
        "nccl.remote",
        {},
    ),
    ("remote process exited or there was a network error, NCCL version 2.21.5", "nccl.remote", {}),
    ("Duplicate GPU detected : rank 1 and rank 0 both on CUDA device 1000", "nccl.duplicate_gpu", {}),
    (
        "NCCL error in: ../ProcessGroupNCCL.cpp:1269, invalid usage, NCCL version 2.14.3",
        "nccl.invalid_usage",
        {},
    ),
    ("ncclInvalidUsage: This usually reflects invalid usage of NCCL library.", "nccl.invalid_usage", {}),
    ("ncclInvalidArgument: Invalid value for an argument.", "nccl.invalid_argument", {}),
    (
        "NCCL error in: NCCLUtils.cpp:94, invalid argument (run with NCCL_DEBUG=WARN for details), NCCL version 2.26.2",
        "nccl.invalid_argument",
        {},
    ),
    ("RuntimeError: No backend type associated with device type cpu", "nccl.backend_lacks_gpu", {}),
    ("misc/socket.cc:40 NCCL WARN Bootstrap : no socket interface found", "nccl.network", {}),
    (
        "gpu:1:1 [0] NCCL WARN NET/IB : Got completion from peer 10.0.0.3<41817> with status=12 opcode=0 len=0 vendor err 129",
        "nccl.network",
        {},
    ),
    ("NET/IB : Got async event : port error", "nccl.network", {}),
    (
        "misc/socket.cc:483 NCCL WARN Call to connect to 10.0.0.3<41817> returned Connection refused",
        "nccl.network",
        {},
    ),
    ("socketStartConnect: Connect to 10.0.0.3<41817> failed : Connection refused", "nccl.network", {}),
    ("[0] NCCL WARN socketPollConnect: connect returned Connection refused", "nccl.network", {}),
    (
        "misc/ibvwrap.cc:252 NCCL WARN Call to ibv_modify_qp failed with error Connection timed out errno 110",
        "nccl.network",
        {},
    ),
    ("status=12 opcode=0 len=0 vendor err 129 (Send) local qp 1234", "nccl.network", {}),
    (
        "misc/ibvwrap.cc:160 NCCL WARN Call to ibv_reg_mr failed with error Cannot allocate memory",
        "nccl.memlock",
        {},
    ),
    ("socketProgress: Connection closed by remote peer node2<44123>", "nccl.peer_closed", {}),
    ("NCCL version 2.21.5+cuda12.4", "nccl.version", {"version": "2.21.5+cuda12.4"}),
)
"""A message, its kind, and the figures that it must give."""

NOT = (
    ("Cuda failure 'invalid device function'", "nccl.oom"),
    ("Cuda failure 2 'out of memory'", "nccl.cuda_failure"),
    ("NCCL INFO Bootstrap : Using eth0:10.0.0.3<0>", "nccl.network"),
    ("NCCL INFO NET/IB : Using [0]mlx5_0:1/IB", "nccl.network"),
)
"""What looks alike, and the kind that it must not have."""
