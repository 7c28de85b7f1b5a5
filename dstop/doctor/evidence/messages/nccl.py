"""NCCL and torch.distributed: errors, watchdogs, store waits; and what NCCL itself says of memory."""

from __future__ import annotations

from dstop.doctor.evidence.pattern import Pattern

MESSAGES: tuple[Pattern, ...] = (
    Pattern(
        "nccl.watchdog",
        "Watchdog caught collective operation timeout",
        r"(?:\[Rank (?P<rank_count>\d+)\] )?Watchdog caught collective operation timeout: WorkNCCL\((?:SeqNum=(?P<sequence_count>\d+), )?"
        r"OpType=(?P<operation>\w+)[^\n]{0,200}?Timeout\(ms\)=(?P<timeout_count>\d+)\) ran for (?P<ran_count>\d+) milliseconds",
    ),
    Pattern("nccl.watchdog", "Watchdog caught collective operation timeout"),
    Pattern("nccl.watchdog", "collective operation timeout", r"[Cc]ollective operation timeout[^\n]{0,200}"),
    Pattern(
        "nccl.last_work",
        "last enqueued NCCL work",
        r"last enqueued NCCL work: (?P<enqueued_count>\d+), last completed NCCL work: (?P<completed_count>\d+)",
    ),
    Pattern(
        "nccl.heartbeat",
        "watchdog got stuck",
        r"watchdog got stuck for (?P<seconds_count>\d+) ?(?:seconds|sec)?[^\n]{0,120}",
    ),
    Pattern("nccl.heartbeat", "Heartbeat monitor timed out"),
    Pattern("nccl.takedown", "we are taking the entire process down"),
    Pattern(
        "nccl.monitored_barrier",
        "failed to pass monitoredBarrier",
        r"Rank (?P<rank_count>\d+) failed to pass monitoredBarrier in (?P<timeout_count>\d+) ms",
    ),
    Pattern(
        "nccl.store_wait",
        "Socket Timeout",
        r"(?:DistStoreError|StoreTimeout|RuntimeError|TimeoutError|ValueError)?[^\n]{0,40}Socket Timeout",
    ),
    Pattern(
        "nccl.store_wait", "wait timeout after", r"wait timeout after (?P<timeout_count>\d+)ms[^\n]{0,120}"
    ),
    Pattern(
        "nccl.store_wait",
        "Timed out after",
        r"Timed out after (?P<seconds_count>\d+) seconds waiting for clients[^\n]{0,80}",
    ),
    Pattern(
        "nccl.store_wait",
        "Timed out initializing process group",
        r"Timed out initializing process group in store based barrier[^\n]{0,200}",
    ),
    Pattern(
        "nccl.store_wait",
        "waiting for",
        r"(?:[Tt]imed out|[Tt]imeout)[^\n]{0,60}waiting for (?:key|clients|all (?:ranks|workers)|rank)[^\n]{0,80}",
    ),
    Pattern(
        "nccl.gloo_timeout",
        "gloo",
        r"(?i)\[[^\n\]]{0,120}gloo/transport/tcp/\w+\.cc:\d+\] (?:Timed out waiting (?P<wait_count>\d+)ms|Connection closed by peer|Connection reset)[^\n]{0,120}",
    ),
    Pattern(
        "nccl.oom",
        "Failed to CUDA",
        r"Failed to CUDA (?:calloc|malloc|host alloc)(?: async)? ?(?P<tried_bytes>\d+)? ?(?:bytes)?",
    ),
    Pattern(
        "nccl.oom",
        "out of memory",
        r"(?:NCCL WARN |[Nn]CCL[^\n]{0,160}|Last error:\s{0,4})Cuda failure (?:\d+ )?'out of memory'",
    ),
    Pattern("nccl.oom", "Cuda failure", r"Cuda failure (?:2 )?'out of memory'"),
    Pattern(
        "nccl.no_space",
        "No space left on device",
        r"(?:shared memory segment|/dev/shm/nccl|shm\w*)[^\n]{0,200}No space left on device",
    ),
    Pattern(
        "nccl.no_space",
        "extend",
        r"(?:Call to posix_fallocate failed|failed to extend /dev/shm/nccl)[^\n]{0,120}",
    ),
    Pattern("nccl.unhandled_cuda", "unhandled cuda error"),
    Pattern("nccl.unhandled_cuda", "ncclUnhandledCudaError"),
    Pattern("nccl.unhandled_system", "unhandled system error"),
    Pattern("nccl.unhandled_system", "ncclSystemError"),
    Pattern("nccl.internal", "ncclInternalError"),
    Pattern("nccl.internal", "NCCL", r"NCCL[^\n]{0,80}internal error(?! - please)"),
    Pattern("nccl.remote", "ncclRemoteError"),
    Pattern("nccl.remote", "remote process exited or there was a network error"),
    Pattern(
        "nccl.invalid_usage",
        "invalid usage",
        r"(?:NCCL|nccl)[^\n]{0,120}invalid usage|Duplicate GPU detected[^\n]{0,120}",
    ),
    Pattern("nccl.invalid_usage", "Duplicate GPU detected"),
    Pattern("nccl.network", "NET/", r"NCCL WARN NET/\w{2,12}[^\n]{0,200}"),
    Pattern("nccl.version", "NCCL version", r"NCCL version:? ?(?P<version>\d[\w.+-]{0,20})"),
)
