"""The kernel's OOM killer through its versions, and the daemons before it."""

from __future__ import annotations

from dstop.doctor.evidence.messages.kernel import MESSAGES  # noqa: F401 - the table that these lines are for

LINES = (
    (
        "Memory cgroup out of memory: Killed process 31337 (python3) total-vm:212345678kB, anon-rss:66012345kB, file-rss:70000kB, shmem-rss:512kB, UID:0 pgtables:140000kB oom_score_adj:979",
        "kernel.killed",
        {
            "pid_count": 31337,
            "command": "python3",
            "resident_bytes": 67596641280,
            "shared_bytes": 524288,
            "scope": "Memory cgroup out of memory",
        },
    ),
    (
        "Out of memory: Killed process 4711 (python) total-vm:9kB, anon-rss:8kB, file-rss:1kB",
        "kernel.killed",
        {"scope": "Out of memory", "resident_bytes": 8192},
    ),
    (
        "Killed process 4711 (python) total-vm:190345678kB, anon-rss:125012345kB, file-rss:1024kB",
        "kernel.killed",
        {"pid_count": 4711},
    ),
    (
        "Killed process 4711, UID 1000, (python) total-vm:190345678kB, anon-rss:125012345kB, file-rss:1024kB",
        "kernel.killed",
        {},
    ),
    (
        "Out of memory: Kill process 4711 (python) score 905 or sacrifice child",
        "kernel.killed",
        {"command": "python"},
    ),
    (
        "python3 invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0",
        "kernel.invoked",
        {"command": "python3"},
    ),
    (
        "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=c1,mems_allowed=0-1,oom_memcg=/slurm/uid_1000/job_7,task_memcg=/slurm/uid_1000/job_7/step_0,task=python,pid=77,uid=1000",
        "kernel.constraint",
        {
            "constraint": "CONSTRAINT_MEMCG",
            "cgroup": "/slurm/uid_1000/job_7",
            "command": "python",
            "pid_count": 77,
        },
    ),
    (
        "oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,global_oom,task_memcg=/user.slice,task=python3,pid=78,uid=0",
        "kernel.constraint",
        {"constraint": "CONSTRAINT_NONE", "pid_count": 78},
    ),
    (
        "memory: usage 8388608kB, limit 8388608kB, failcnt 1234",
        "kernel.cgroup_limit",
        {"limit_bytes": 8589934592},
    ),
    (
        "Task in /docker/8f2a killed as a result of limit of /docker/8f2a",
        "kernel.cgroup_limit",
        {"cgroup": "/docker/8f2a"},
    ),
    (
        "oom_reaper: reaped process 31337 (python3), now anon-rss:0kB, file-rss:0kB, shmem-rss:0kB",
        "kernel.reaped",
        {"pid_count": 31337},
    ),
    ("Out of memory and no killable processes...", "kernel.no_killable", {}),
    (
        "Killed /user.slice/user-1000.slice/user@1000.service/app.slice/app-a.scope due to memory pressure for /user.slice/user-1000.slice/user@1000.service being 68.91% > 50.00% for > 20s with reclaim activity",
        "kernel.oomd",
        {},
    ),
    (
        "Killed /system.slice/train.service due to memory used (32980332544) / total (33285152768) and swap used (8) / total (9) being more than 90.00%",
        "kernel.oomd",
        {"unit": "/system.slice/train.service"},
    ),
    ("train.service: systemd-oomd killed 42 process(es) in this unit.", "kernel.oomd", {}),
    ("app was killed by systemd-oomd", "kernel.oomd", {}),
    (
        'sending SIGTERM to process 12006 "python3": badness 209, VmRSS 2891 MiB',
        "kernel.earlyoom",
        {"pid_count": 12006, "command": "python3", "resident_bytes": 3031433216},
    ),
    (
        'sending SIGKILL to process 906175 uid 1000 "java": oom_score 1170, VmRSS 43912 MiB, cmdline "..."',
        "kernel.earlyoom",
        {"resident_bytes": 46045069312},
    ),
    (
        'killing process 27541 "bash" with signal 15: badness 550, VmRSS 7609 MiB',
        "kernel.earlyoom",
        {"pid_count": 27541},
    ),
    (
        "Killing process 'bash' with signal 15, pid: 5874, badness: 538, VmRSS: 3160 MiB",
        "kernel.earlyoom",
        {"command": "bash"},
    ),
    ("low memory! at or below SIGTERM limits: mem 10.00%, swap 10.00%", "kernel.earlyoom", {}),
    ("train.service: Failed with result 'oom-kill'.", "kernel.unit_oom", {}),
    ("train.service: A process of this unit has been killed by the OOM killer.", "kernel.unit_oom", {}),
)
"""A message, its kind, and the figures that it must give."""

NOT = (
    ("sending SIGTERM when mem <= 10.00% and swap <= 10.00%,", "kernel.earlyoom"),
    ("mem avail: 27949 of 31880 MiB (87.67%), swap free: 44345 of 49151 MiB (90.22%)", "kernel.earlyoom"),
    ("[INFO] [launch.py:428:sigkill_handler] Killing subprocess 4100", "kernel.killed"),
)
"""What looks alike, and the kind that it must not have."""
