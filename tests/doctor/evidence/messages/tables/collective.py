"""Waits of torch.distributed, from 1.7 on."""

from __future__ import annotations

from dstop.doctor.evidence.messages.collective import MESSAGES  # noqa: F401 - the table that these lines are for

LINES = (
    (
        "[E ProcessGroupNCCL.cpp:566] [Rank 3] Watchdog caught collective operation timeout: WorkNCCL(OpType=ALLREDUCE, TensorShape=[1], Timeout(ms)=1800000) ran for 1803170 milliseconds before timing out.",
        "nccl.watchdog",
        {"rank_count": 3, "operation": "ALLREDUCE", "timeout_count": 1800000, "ran_count": 1803170},
    ),
    (
        "[E ProcessGroupNCCL.cpp:475] [Rank 0] Watchdog caught collective operation timeout: WorkNCCL(SeqNum=49, OpType=_ALLGATHER_BASE, Timeout(ms)=18000000) ran for 18005607 milliseconds before timing out.",
        "nccl.watchdog",
        {"sequence_count": 49, "operation": "_ALLGATHER_BASE"},
    ),
    (
        "[Rank 1] Watchdog caught collective operation timeout: WorkNCCL(SeqNum=808, OpType=ALLREDUCE, NumelIn=9801523, NumelOut=9801523, Timeout(ms)=600000) ran for 600020 milliseconds before timing out.",
        "nccl.watchdog",
        {"sequence_count": 808, "ran_count": 600020},
    ),
    (
        "[Rank 1] Watchdog caught collective operation timeout: WorkHCCL(SeqNum=8, OpType=BROADCAST, Timeout(ms)=600000) ran for 600020 milliseconds",
        "nccl.watchdog",
        {"operation": "BROADCAST"},
    ),
    (
        "what(): Collective operation timeout: WorkNCCL(OpType=ALLREDUCE, Timeout(ms)=60000)",
        "nccl.watchdog",
        {},
    ),
    (
        "[PG 1 Rank 0] Exception (either an error or timeout) detected by watchdog at work: 1580, last enqueued NCCL work: 1582, last completed NCCL work: 1579.",
        "nccl.last_work",
        {"rank_count": 0, "enqueued_count": 1582, "completed_count": 1579},
    ),
    (
        "[PG ID 0 PG GUID 0(default_pg) Rank 1] failure detected by watchdog at work sequence id: 808 PG status: last enqueued work: 811, last completed work: 807",
        "nccl.last_work",
        {"rank_count": 1, "completed_count": 807},
    ),
    (
        "Received a dump signal due to a collective timeout from rank 3 and we will try our best to dump the debug info. Last enqueued NCCL work: 2, last completed NCCL work: 1.",
        "nccl.last_work",
        {"enqueued_count": 2},
    ),
    (
        "[PG ID 0 PG GUID 0(default_pg) Rank 7] ProcessGroupNCCL's watchdog got stuck for 480 seconds without making progress in monitoring enqueued collectives.",
        "nccl.heartbeat",
        {"rank_count": 7, "seconds_count": 480},
    ),
    (
        "[PG 0 Rank 2] Heartbeat monitor timed out! Process will be terminated after dumping debug info. workMetaList_.size()=7",
        "nccl.heartbeat",
        {},
    ),
    (
        "Terminating the process after attempting to dump debug info, due to ProcessGroupNCCL watchdog hang.",
        "nccl.heartbeat",
        {},
    ),
    ("Observed flight recorder dump signal from another rank via TCPStore.", "nccl.dump_signal", {}),
    (
        "Stack trace of the failed collective not found, potentially because FlightRecorder is disabled.",
        "nccl.no_recorder",
        {},
    ),
    ("[Rank 1] To avoid data inconsistency, we are taking the entire process down.", "nccl.takedown", {}),
    (
        "[Rank 0]: Rank 3 failed to pass monitoredBarrier in 1800000 ms",
        "nccl.monitored_barrier",
        {"late": "3", "timeout_count": 1800000},
    ),
    (
        "[Rank 0]: Ranks 1, 2 failed to pass monitoredBarrier in 5000 ms",
        "nccl.monitored_barrier",
        {"late": "1, 2"},
    ),
    (
        "Rank 3 successfully reached monitoredBarrier, but received errors while waiting for send/recv from rank 0.",
        "nccl.monitored_barrier",
        {},
    ),
    (
        "[2] is setting up NCCL communicator and retrieving ncclUniqueId from [0] via c10d key-value store by key '0', but store->get('0') got error: Socket Timeout",
        "nccl.store_wait",
        {},
    ),
    (
        "torch.distributed.DistStoreError: wait timeout after 600000ms, keys: /default_pg/0//cuda//timeout_dump",
        "nccl.store_wait",
        {"timeout_count": 600000},
    ),
    (
        "torch.distributed.DistStoreError: Timed out after 601 seconds waiting for clients. 7/8 clients joined.",
        "nccl.store_wait",
        {"seconds_count": 601, "joined_count": 7, "world_count": 8},
    ),
    (
        "RuntimeError: Timed out initializing process group in store based barrier on rank: 0, for key: store_based_barrier_key:1 (world_size=8, worker_count=7, timeout=0:30:00)",
        "nccl.store_wait",
        {"world_count": 8, "joined_count": 7},
    ),
    (
        "Timed out initializing process group in store based barrier on rank 0, for key: k (world_size=4, num_workers_joined=2, timeout=0:30:00)",
        "nccl.store_wait",
        {"joined_count": 2},
    ),
    (
        "DistNetworkError: The client socket has timed out after 900s while trying to connect to (10.0.0.1, 29500).",
        "nccl.store_wait",
        {"seconds_count": 900},
    ),
    ("RuntimeError: Timeout waiting for key: default_pg/0/0 after 1800000 ms", "nccl.store_wait", {}),
    ("torch.distributed.elastic.rendezvous.api.RendezvousTimeoutError", "nccl.store_wait", {}),
    ("Timed out after 60s waiting for all workers to join", "nccl.store_wait", {}),
    (
        "[../third_party/gloo/gloo/transport/tcp/unbound_buffer.cc:81] Timed out waiting 1800000ms for recv operation to complete",
        "nccl.gloo_timeout",
        {"timeout_count": 1800000},
    ),
    (
        "[/pytorch/third_party/gloo/gloo/transport/tcp/unbound_buffer.cc:136] Timed out waiting 1800000ms for send operation",
        "nccl.gloo_timeout",
        {},
    ),
    ("Application timeout caused pair closure", "nccl.gloo_timeout", {}),
    (
        "RuntimeError: Gloo connectFullMesh failed with [../gloo/transport/tcp/pair.cc:144] no error",
        "nccl.gloo_timeout",
        {},
    ),
    (
        "[../third_party/gloo/gloo/transport/tcp/pair.cc:598] Connection closed by peer [10.0.0.3]:41234",
        "nccl.peer_closed",
        {},
    ),
    (
        "[../third_party/gloo/gloo/transport/tcp/pair.cc:534] Read error [10.0.0.3]:41234: Connection reset by peer",
        "nccl.peer_closed",
        {},
    ),
    (
        "One or more tensors were submitted to be reduced, gathered or broadcasted by subset of ranks and are waiting for remainder of ranks for more than 60 seconds.",
        "nccl.stall",
        {},
    ),
    ("TimeoutError: RPC call to execute_model timed out.", "nccl.rpc_timeout", {}),
    ("No available shared memory broadcast block found in 60 second.", "nccl.rpc_timeout", {}),
    (
        "WARNING: Unable to shutdown process 4100 via Signals.SIGTERM, forcefully exiting via Signals.SIGKILL",
        "nccl.forced_exit",
        {},
    ),
    ("failed (exitcode: -6) local_rank: 1 (pid: 4101)", "nccl.aborted", {}),
    ("traceback : Signal 6 (SIGABRT) received by PID 4100", "nccl.aborted", {}),
)
"""A message, its kind, and the figures that it must give."""

NOT = (
    ("urllib3: Read timed out. (read timeout=10)", "nccl.store_wait"),
    ("error: timed out waiting for the condition on pods/trainer", "nccl.store_wait"),
    ("failed (exitcode: -6)", "nccl.watchdog"),
)
"""What looks alike, and the kind that it must not have."""
