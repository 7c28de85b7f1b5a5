"""Every way to say SIGKILL."""

from __future__ import annotations

from dstop.doctor.evidence.messages.killed import MESSAGES  # noqa: F401 - the table that these lines are for

LINES = (
    ("Exit Code:    137", "host.exit_137", {}),
    ("trainer-1 exited with code 137", "host.exit_137", {}),
    ("returned a non-zero code: 137", "host.exit_137", {}),
    ("Process finished with exit code 137 (interrupted by signal 9: SIGKILL)", "host.exit_137", {}),
    ("command terminated with exit code 137", "host.exit_137", {}),
    ("did not complete successfully: exit code: 137", "host.exit_137", {}),
    (
        "subprocess.CalledProcessError: Command '['x']' returned non-zero exit status 137.",
        "host.exit_137",
        {},
    ),
    ("failed (exitcode: -9) local_rank: 1 (pid: 1168) of binary", "host.exit_9", {}),
    ("  exitcode  : -9 (pid: 4100)", "host.exit_9", {}),
    ("exits with return code = -9", "host.exit_9", {}),
    ("Command '['python']' returned non-zero exit status -9.", "host.exit_9", {}),
    ("Worker 3 died with return code -9", "host.exit_9", {}),
    ("Process exited with code 247", "host.exit_247", {}),
    ("  traceback : Signal 9 (SIGKILL) received by PID 4100", "host.sigkill", {}),
    ("Last Termination Signal: 9 (SIGKILL)", "host.sigkill", {}),
    (
        "torch.multiprocessing.spawn.ProcessExitedException: process 0 terminated with signal SIGKILL",
        "host.sigkill",
        {},
    ),
    ("subprocess.CalledProcessError: Command 'x' died with <Signals.SIGKILL: 9>.", "host.sigkill", {}),
    ("The exit codes of the workers are {SIGKILL(-9), SIGKILL(-9)}", "host.sigkill", {}),
    ("Worker (pid:77) was sent SIGKILL! Perhaps out of memory?", "host.sigkill", {}),
    ("Process 'ForkPoolWorker-1' pid:16 exited with 'signal 9 (SIGKILL)'", "host.sigkill", {}),
    (
        "mpirun noticed that process rank 2 with PID 0 on node x exited on signal 9 (Killed).",
        "host.sigkill",
        {},
    ),
    ("Shard process was signaled to shutdown with signal 9", "host.sigkill", {}),
    ("Command terminated by signal 9", "host.sigkill", {}),
    ("=   KILLED BY SIGNAL: 9 (Killed)", "host.sigkill", {}),
    ("llama runner process has terminated: signal: killed", "host.sigkill", {}),
    ("Main process exited, code=killed, status=9/KILL", "host.sigkill", {}),
    ("Loading\nKilled\n", "host.killed_word", {}),
    (
        "Loading checkpoint shards:  50%|#####     | 1/2 [00:21<00:21, 21.77s/it]Killed\n",
        "host.killed_word",
        {},
    ),
    (" 12%|#2        | 120/1000 [00:41<05:01,  2.92it/s]Killed", "host.killed_word", {}),
    ("  nvcc -c a.cu\n      Killed\n", "host.killed_word", {}),
    ("./run.sh: line 3:  4100 Killed                  python train.py", "host.killed_word", {}),
    ("[1]+  Killed                  python train.py", "host.killed_word", {}),
    ("zsh: killed     python train.py", "host.killed_word", {}),
    ("[1]    12345 killed     python train.py", "host.killed_word", {}),
    (
        "RuntimeError: DataLoader worker (pid 4100) is killed by signal: Killed. ",
        "host.worker_killed",
        {"pid": "4100"},
    ),
    ("RuntimeError: DataLoader worker (pid(s) 4100, 4101) exited unexpectedly", "host.worker_exited", {}),
    (
        "A process in the process pool was terminated abruptly while the future was running",
        "host.pool_broken",
        {},
    ),
    ("One of the subprocesses has abruptly died during map operation.", "host.pool_broken", {}),
    (
        "A worker process managed by the executor was unexpectedly terminated. This could be caused by a segmentation fault",
        "host.pool_broken",
        {},
    ),
    ("[CRITICAL] WORKER TIMEOUT (pid:77)", "host.other_kill", {}),
    ("The instance was preempted by the provider", "host.other_kill", {}),
    ("KeyboardInterrupt", "host.other_kill", {}),
    ("Warning Unhealthy: Liveness probe failed: timeout", "host.other_kill", {}),
    ("[INFO] Received SIGTERM, shutting down", "host.other_kill", {}),
    (
        "torch.distributed.elastic.multiprocessing.api.SignalException: Process 9 got signal: 15",
        "host.other_kill",
        {},
    ),
)
"""A message, its kind, and the figures that it must give."""

NOT = (
    ("exits with return code = 1", "host.exit_9"),
    (
        "Unable to shutdown process 4100 via Signals.SIGTERM, forcefully exiting via Signals.SIGKILL",
        "host.sigkill",
    ),
    ("Sending process 4100 closing signal SIGTERM", "host.sigkill"),
    ("(1) The process is killed by SIGKILL by OOM killer due to high memory usage.", "host.sigkill"),
    ("step 137 loss 2.1", "host.exit_137"),
    ("Killing subprocess 4100", "host.killed_word"),
    ("Killed the old server before start", "host.exit_137"),
    ("exited with code 1370", "host.exit_137"),
    ("lr: 1e-9 exit", "host.exit_9"),
)
"""What looks alike, and the kind that it must not have."""
