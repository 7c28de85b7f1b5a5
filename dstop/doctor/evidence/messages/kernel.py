"""The kernel's OOM killer and the daemons that kill before it: mm/oom_kill.c, systemd-oomd, earlyoom."""

from __future__ import annotations

from dstop.doctor.evidence.pattern import Pattern

_KB = r"\d{1,15}"

MESSAGES: tuple[Pattern, ...] = (
    # 3.x and RHEL 7 say it in two lines (`Kill process … or sacrifice child`, then `Killed process`), 4.19 and newer in one.
    Pattern(
        "kernel.killed",
        "Killed process",
        r"(?:(?P<scope>Memory cgroup out of memory|Out of memory)[^\n]{0,40}: )?Killed process (?P<pid_count>\d{1,10})(?:, UID:? ?\d{1,10},?)? "
        r"\((?P<command>[^)\n]{0,40})\)(?:,? (?:UID:? ?\d{1,10},? )?"
        rf"total-vm:(?P<virtual_kib>{_KB})kB, anon-rss:(?P<resident_kib>{_KB})kB, file-rss:(?P<file_kib>{_KB})kB"
        rf"(?:, shmem-rss:(?P<shared_kib>{_KB})kB)?)?",
    ),
    Pattern(
        "kernel.killed",
        "Kill process",
        r"(?P<scope>Memory cgroup out of memory|Out of memory)[^\n]{0,30}: Kill process (?P<pid_count>\d{1,10}) "
        r"\((?P<command>[^)\n]{0,40})\)[^\n]{0,60}",
    ),
    Pattern("kernel.invoked", "invoked oom-killer", r"(?P<command>\S{1,40}) invoked oom-killer[^\n]{0,80}"),
    Pattern(
        "kernel.constraint",
        "oom-kill:constraint=",
        r"oom-kill:constraint=(?P<constraint>CONSTRAINT_\w{1,20})"
        r"(?:[^\n]{0,300}?oom_memcg=(?P<cgroup>[^,\n]{1,300}))?[^\n]{0,400}?task=(?P<command>[^,\n]{0,40}),pid=(?P<pid_count>\d{1,10})",
    ),
    Pattern(
        "kernel.cgroup_limit",
        "limit",
        rf"memory: usage (?P<used_kib>{_KB})kB, limit (?P<limit_kib>{_KB})kB, failcnt \d{{1,12}}",
    ),
    Pattern(
        "kernel.cgroup_limit",
        "as a result of limit of",
        r"Task in \S{1,300} killed as a result of limit of (?P<cgroup>\S{1,300})",
    ),
    Pattern(
        "kernel.reaped",
        "oom_reaper",
        r"oom_reaper: reaped process (?P<pid_count>\d{1,10}) \((?P<command>[^)\n]{0,40})\)",
    ),
    Pattern(
        "kernel.no_killable",
        "no killable processes",
        r"[Oo]ut of memory and no killable processes[^\n]{0,40}",
    ),
    Pattern(
        "kernel.oomd",
        "due to memory",
        r"Killed (?P<unit>/\S{1,300}) due to memory (?:pressure|used)[^\n]{0,200}",
    ),
    Pattern("kernel.oomd", "systemd-oomd killed", r"systemd-oomd killed \d{1,6} process[^\n]{0,60}"),
    Pattern("kernel.oomd", "killed by systemd-oomd"),
    Pattern(
        "kernel.earlyoom",
        "VmRSS",
        r"sending SIG(?:TERM|KILL) to process (?P<pid_count>\d{1,10})(?: uid \d{1,10})? \"(?P<command>[^\"\n]{1,60})\": "
        r"(?:badness|oom_score) \d{1,6}, VmRSS (?P<resident_mib>\d{1,9}) MiB",
    ),
    Pattern(
        "kernel.earlyoom",
        "VmRSS",
        r"[Kk]illing process (?:(?P<pid_count>\d{1,10}) )?[\"'](?P<command>[^\"'\n]{1,60})[\"'] with signal[^\n]{0,60}"
        r"VmRSS:? (?P<resident_mib>\d{1,9}) MiB",
    ),
    Pattern(
        "kernel.earlyoom",
        "ow memory! at or below",
        r"[Ll]ow [Mm]emory! at or below SIG(?:TERM|KILL) limits[^\n]{0,60}",
    ),
    Pattern("kernel.unit_oom", "oom-kill'", r"Failed with result 'oom-kill'"),
    Pattern(
        "kernel.unit_oom",
        "killed by the OOM killer",
        r"A process of this unit has been killed by the OOM killer",
    ),
)
