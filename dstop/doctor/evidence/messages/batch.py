"""Batch systems that enforce a job's memory: Slurm, LSF, PBS, Grid Engine, HTCondor, YARN."""

from __future__ import annotations

from dstop.doctor.evidence.pattern import Pattern

MESSAGES: tuple[Pattern, ...] = (
    # slurmstepd since 17.11 counts oom-kill events; before, it polled, and printed both sides in KB.
    Pattern(
        "slurm.oom",
        "etected",
        r"[Dd]etected (?P<kills_count>\d{1,9}) oom[-_ ]?kill events?(?:\(s\))? in [^\n]{0,160}",
    ),
    Pattern(
        "slurm.oom",
        "exceeded",
        r"(?:Job|Step|StepId=?|JobId=?) ?\S{0,40} exceeded (?:virtual )?memory limit"
        r"(?: \((?P<used_kib>\d{1,15}) > (?P<limit_kib>\d{1,15})\))?[^\n]{0,60}",
    ),
    Pattern("slurm.oom", "xceeded", r"[Ee]xceeded (?:job|step) memory limit[^\n]{0,60}"),
    Pattern(
        "slurm.oom", "Out Of Memory", r"(?:srun: )?error: [^\n]{0,80}: tasks? [\d,-]{1,60}: Out Of Memory"
    ),
    Pattern(
        "slurm.oom", "OUT_OF_ME", r"(?:JobState=|State[=:]? ?)?\bOUT_OF_ME(?:MORY|\+|M)?(?![A-Z_])[^\n]{0,60}"
    ),
    Pattern("slurm.oom", "MEMORY LIMIT", r"CANCELLED AT \S{1,40} DUE TO MEMORY LIMIT"),
    Pattern(
        "slurm.efficiency",
        "Memory Efficiency",
        r"Memory Efficiency: (?P<share_ratio>[\d.]{1,8})% of (?P<limit_size>[\d.]{1,9} [KMGT]B)",
    ),
    Pattern(
        "slurm.other_end",
        "DUE TO",
        r"CANCELLED AT \S{1,40} DUE TO (?:TIME LIMIT|PREEMPTION|NODE FAILURE|JOB REQUEUE)[^\n]{0,20}",
    ),
    Pattern(
        "slurm.other_end", "CANCELLED AT", r"\*\*\* JOB \d{1,12} ON \S{1,80} CANCELLED AT \S{1,40} \*\*\*"
    ),
    Pattern("slurm.killed", "task", r"srun: error: [^\n]{0,80}: tasks? [\d,-]{1,60}: Killed"),
    Pattern("slurm.is", "lurm", r"\bslurm(?:stepd|_|ctld|d\b)|\bSLURM_\w{2,40}|\bSlurm\b|/slurm/"),
    Pattern("slurm.is", "SLURM_", r"\bSLURM_\w{2,40}"),
    Pattern("slurm.is", "SBATCH", r"#?SBATCH\b"),
    Pattern("slurm.is", "srun:"),
    # Others.
    Pattern("batch.oom", "TERM_MEMLIMIT", r"TERM_MEMLIMIT[^\n]{0,100}"),
    Pattern(
        "batch.oom",
        "exceeded limit",
        r"PBS: job killed: v?mem (?P<used_kib>\d{1,15})kb exceeded limit (?P<limit_kib>\d{1,15})kb",
    ),
    Pattern("batch.oom", "h_vmem", r"exceeds? job (?:hard|soft) limit \"?[hs]_vmem[^\n]{0,80}"),
    Pattern(
        "batch.oom",
        "memory limit of",
        r"gone over (?:cgroup )?memory limit of (?P<limit_mib>\d{1,9}) (?:megabytes|MB)[^\n]{0,80}",
    ),
    Pattern(
        "batch.oom",
        "beyond ",
        r"running (?:\d{1,15}B )?beyond (?:the '?PHYSICAL'? memory limit|physical memory limits)[^\n]{0,160}",
    ),
)
