"""torch.distributed and its kin: waits that end, watchdogs, barriers, rendezvous; kinds begin with `nccl.` as well."""

from __future__ import annotations

from dstop.doctor.evidence.pattern import Pattern

MESSAGES: tuple[Pattern, ...] = (
    # ProcessGroupNCCL.cpp: 1.7 to 2.0 print no SeqNum or a TensorShape, later ones NumelIn and NumelOut; HCCL and XCCL are copies.
    Pattern(
        "nccl.watchdog",
        "Watchdog caught collective operation timeout",
        r"(?:\[Rank (?P<rank_count>\d{1,6})\] )?Watchdog caught collective operation timeout: Work[A-Z]{2,6}\("
        r"(?:SeqNum=(?P<sequence_count>\d{1,12}), )?OpType=(?P<operation>\w{1,40})[^\n]{0,200}?"
        r"Timeout\(ms\)=(?P<timeout_count>\d{1,12})\) ran for (?P<ran_count>\d{1,12}) milliseconds",
    ),
    Pattern("nccl.watchdog", "Watchdog caught collective operation timeout"),
    Pattern(
        "nccl.watchdog",
        "ollective operation timeout",
        r"(?<!caught )[Cc]ollective operation timeout: [^\n]{0,200}",
    ),
    Pattern(
        "nccl.last_work",
        "nqueued",
        r"(?:Rank (?P<rank_count>\d{1,6})\][^\n]{0,200}?)?[Ll]ast enqueued (?:NCCL )?work: (?P<enqueued_count>\d{1,12}), "
        r"last completed (?:NCCL )?work: (?P<completed_count>\d{1,12})",
    ),
    Pattern(
        "nccl.heartbeat",
        "watchdog got stuck",
        r"(?:Rank (?P<rank_count>\d{1,6})\] {1,4})?(?:ProcessGroupNCCL's )?watchdog got stuck for "
        r"(?P<seconds_count>\d{1,9}) ?(?:seconds|sec)?[^\n]{0,80}",
    ),
    Pattern("nccl.heartbeat", "Heartbeat monitor timed out", r"Heartbeat monitor timed out[^\n]{0,120}"),
    Pattern("nccl.heartbeat", "watchdog hang", r"due to ProcessGroupNCCL watchdog hang[^\n]{0,40}"),
    Pattern(
        "nccl.dump_signal", "dump signal", r"(?:Received a|Observed flight recorder) dump signal[^\n]{0,160}"
    ),
    Pattern(
        "nccl.no_recorder",
        "FlightRecorder is disabled",
        r"Stack trace of the failed collective not found[^\n]{0,160}",
    ),
    Pattern("nccl.takedown", "we are taking the entire process down"),
    # Barriers and stores: c10d.
    Pattern(
        "nccl.monitored_barrier",
        "failed to pass monitoredBarrier",
        r"Ranks? (?P<late>[\d, ]{1,200}) failed to pass monitoredBarrier in (?P<timeout_count>\d{1,12}) ms",
    ),
    Pattern(
        "nccl.monitored_barrier",
        "monitoredBarrier",
        r"successfully reached monitoredBarrier, but received errors while waiting[^\n]{0,160}",
    ),
    Pattern("nccl.store_wait", "store->get", r"store->get\('[^'\n]{1,80}'\) got error: [^\n]{1,80}"),
    Pattern("nccl.store_wait", "Socket Timeout"),
    Pattern(
        "nccl.store_wait",
        "wait timeout after",
        r"wait timeout after (?P<timeout_count>\d{1,12}) ?ms[^\n]{0,120}",
    ),
    Pattern(
        "nccl.store_wait",
        "Timed out after",
        r"Timed out after (?P<seconds_count>\d{1,9}) seconds waiting for (?:clients|workers)"
        r"(?:\. (?P<joined_count>\d{1,6})/(?P<world_count>\d{1,6}) (?:clients|workers) joined)?",
    ),
    Pattern(
        "nccl.store_wait",
        "Timed out initializing process group",
        r"Timed out initializing process group in store based barrier[^\n(]{0,120}"
        r"(?:\(world_size=(?P<world_count>\d{1,6}), (?:worker_count|num_workers_joined)=(?P<joined_count>\d{1,6})[^\n)]{0,60}\))?",
    ),
    Pattern(
        "nccl.store_wait",
        "client socket has timed out",
        r"client socket has timed out after (?P<seconds_count>\d{1,9})(?:s|ms| seconds)? while trying to connect to [^\n]{1,80}",
    ),
    Pattern("nccl.store_wait", "imeout waiting for key", r"[Tt]imeout waiting for key: [^\n]{1,120}"),
    Pattern("nccl.store_wait", "RendezvousTimeoutError"),
    Pattern(
        "nccl.store_wait",
        "waiting for",
        r"(?:[Tt]imed out|[Tt]imeout)[^\n]{0,60}waiting for (?:all (?:ranks|workers|processes)|rank)[^\n]{0,80}",
    ),
    # Gloo.
    Pattern(
        "nccl.gloo_timeout",
        "Timed out waiting",
        r"gloo/[\w/.]{1,60}:\d{1,6}\] Timed out waiting (?P<timeout_count>\d{1,12}) ?ms[^\n]{0,80}",
    ),
    Pattern("nccl.gloo_timeout", "Application timeout caused pair closure"),
    Pattern("nccl.gloo_timeout", "connectFullMesh failed", r"[Gg]loo connectFullMesh failed[^\n]{0,160}"),
    Pattern(
        "nccl.peer_closed",
        "gloo",
        r"gloo/[\w/.]{1,60}:\d{1,6}\] (?:Read error[^\n]{0,40}|Connection|Socket)[^\n]{0,20}(?:closed by peer|[Rr]eset by peer)"
        r"[^\n]{0,60}",
    ),
    # Those that wait with words of their own.
    Pattern(
        "nccl.stall",
        "subset of ranks",
        r"(?:reduced|gathered|broadcasted)[^\n]{0,60}by subset of ranks and are waiting for remainder of ranks[^\n]{0,80}",
    ),
    Pattern("nccl.rpc_timeout", "RPC call to", r"RPC call to \w{1,40} timed out[^\n]{0,60}"),
    Pattern(
        "nccl.rpc_timeout",
        "shared memory broadcast block",
        r"No available shared memory broadcast block found[^\n]{0,80}",
    ),
    # torchrun's summary.
    Pattern(
        "nccl.forced_exit", "forcefully exiting", r"[Uu]nable to shutdown process \d{1,10} via[^\n]{0,80}"
    ),
    Pattern("nccl.aborted", "-6", r"exit ?code\s{0,6}:? ?\(?-6\b"),
    Pattern("nccl.aborted", "SIGABRT", r"Signal 6 \(SIGABRT\)[^\n]{0,60}"),
)
