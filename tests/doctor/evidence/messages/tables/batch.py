"""Batch systems that end a job for its memory."""

from __future__ import annotations

from dstop.doctor.evidence.messages.batch import MESSAGES  # noqa: F401 - the table that these lines are for

LINES = (
    (
        "slurmstepd: error: Detected 1 oom_kill event in StepId=11300781.0. Some of the step tasks have been OOM Killed.",
        "slurm.oom",
        {"kills_count": 1},
    ),
    (
        "slurmstepd: error: Detected 2 oom-kill event(s) in step 3756240.batch cgroup. Some of your processes may have been killed by the cgroup out-of-memory handler.",
        "slurm.oom",
        {"kills_count": 2},
    ),
    ("error: Detected 2 oom_kill events in StepId=13.0", "slurm.oom", {"kills_count": 2}),
    (
        "slurmstepd: error: Step 4402.0 exceeded memory limit (67204100 > 67108864), being killed",
        "slurm.oom",
        {"used_bytes": 68816998400, "limit_bytes": 68719476736},
    ),
    (
        "slurmstepd: error: Job 123 exceeded virtual memory limit (4200000 > 4194304), being killed",
        "slurm.oom",
        {"limit_bytes": 4294967296},
    ),
    ("slurmstepd: Exceeded job memory limit", "slurm.oom", {}),
    ("slurmstepd: error: Exceeded step memory limit at some point.", "slurm.oom", {}),
    ("srun: error: nid001277: tasks 1-3: Out Of Memory", "slurm.oom", {}),
    ("4402.batch OUT_OF_ME+ 0:125", "slurm.oom", {}),
    ("State: OUT_OF_MEMORY (exit code 0)", "slurm.oom", {}),
    (
        "slurmstepd: error: *** JOB 7 ON n1 CANCELLED AT 2025-03-02T11:02:03 DUE TO MEMORY LIMIT ***",
        "slurm.oom",
        {},
    ),
    ("Memory Efficiency: 99.87% of 64.00 GB", "slurm.efficiency", {"limit_bytes": 68719476736}),
    (
        "slurmstepd: error: *** JOB 7 ON n1 CANCELLED AT 2025-03-02T11:02:03 DUE TO TIME LIMIT ***",
        "slurm.other_end",
        {},
    ),
    ("srun: error: gpu07: task 3: Killed", "slurm.killed", {}),
    ("slurmstepd: error: *** JOB 77 ON n1 CANCELLED AT 2025-01-01T00:00:00 ***", "slurm.other_end", {}),
    ("/var/spool/slurmd/job7/slurm_script: line 9: 41 Killed", "slurm.is", {}),
    ("SLURM_JOB_ID=7", "slurm.is", {}),
    ("#SBATCH --mem=64G", "slurm.is", {}),
    ("srun: Terminating job step 7.0", "slurm.is", {}),
    ("TERM_MEMLIMIT: job killed after reaching LSF memory usage limit.", "batch.oom", {}),
    (
        "=>> PBS: job killed: mem 68123456kb exceeded limit 67108864kb",
        "batch.oom",
        {"limit_bytes": 68719476736},
    ),
    ('job 7.1 exceeds job hard limit "h_vmem" of queue "all.q@n1"', "batch.oom", {}),
    (
        "Job has gone over cgroup memory limit of 4096 megabytes. Peak usage: 4100 megabytes.",
        "batch.oom",
        {"limit_bytes": 4294967296},
    ),
    (
        "Container [pid=9,containerID=c_1] is running beyond physical memory limits. Current usage: 8.1 GB of 8 GB physical memory used",
        "batch.oom",
        {},
    ),
    ("Container [pid=9] is running 136364032B beyond the 'PHYSICAL' memory limit.", "batch.oom", {}),
)
"""A message, its kind, and the figures that it must give."""

NOT = (
    (
        "slurmstepd: error: *** JOB 7 ON n1 CANCELLED AT 2025-03-02T11:02:03 DUE TO TIME LIMIT ***",
        "slurm.oom",
    ),
    ("slurmstepd: error: *** STEP 7.0 ON n1 CANCELLED AT 2021-10-27T19:35:36 ***", "slurm.other_end"),
    ("srun: error: gpu07: task 3: Exited with exit code 1", "slurm.oom"),
    ("ray.exceptions.OutOfMemoryError", "slurm.oom"),
)
"""What looks alike, and the kind that it must not have."""
