"""Host memory: the kernel's killer, control groups, Slurm, Kubernetes, Ray, Windows, shared memory, compilers."""

from __future__ import annotations

from dstop.doctor.evidence.pattern import Pattern

_KB = r"\d{1,15}"

MESSAGES: tuple[Pattern, ...] = (
    Pattern(
        "kernel.killed",
        "Killed process",
        rf"(?P<scope>Memory cgroup out of memory|Out of memory)[^\n]{{0,40}}Killed process (?P<pid_count>\d+) \((?P<command>[^)\n]{{0,40}})\)"
        rf"(?:,? (?:UID \d+,? )?total-vm:(?P<virtual_kib>{_KB})kB, anon-rss:(?P<resident_kib>{_KB})kB, file-rss:(?P<file_kib>{_KB})kB"
        rf"(?:, shmem-rss:(?P<shared_kib>{_KB})kB)?)?",
    ),
    Pattern(
        "kernel.killed",
        "Kill process",
        r"(?P<scope>Memory cgroup out of memory|Out of memory): Kill process (?P<pid_count>\d+) \((?P<command>[^)\n]{0,40})\)",
    ),
    Pattern(
        "kernel.killed_line",
        "Killed process",
        r"Killed process (?P<pid_count>\d+) \((?P<command>[^)\n]{0,40})\)",
    ),
    Pattern("kernel.invoked", "invoked oom-killer", r"(?P<command>\S{1,40}) invoked oom-killer"),
    Pattern(
        "kernel.constraint",
        "oom-kill:constraint=",
        r"oom-kill:constraint=(?P<constraint>CONSTRAINT_\w+)[^\n]{0,300}?task=(?P<command>[^,\n]{0,40}),pid=(?P<pid_count>\d+)",
    ),
    Pattern(
        "kernel.oomd", "systemd-oomd", r"systemd-oomd[^\n]{0,60}[Kk]illed[^\n]{0,160}|killed by systemd-oomd"
    ),
    Pattern("kernel.earlyoom", "earlyoom", r"earlyoom[^\n]{0,160}"),
    Pattern(
        "kernel.unit_oom",
        "oom-kill",
        r"Failed with result 'oom-kill'|A process of this unit has been killed by the OOM killer",
    ),
    Pattern(
        "slurm.oom", "oom", r"[Dd]etected (?P<kills_count>\d+) oom[-_ ]?kill events?(?:\(s\))?[^\n]{0,160}"
    ),
    Pattern(
        "slurm.oom",
        "slurmstepd",
        r"slurmstepd: error: [^\n]{0,80}(?:[Ee]xceeded (?:job|step) memory limit|oom-kill|Out Of Memory)[^\n]{0,160}",
    ),
    Pattern("slurm.oom", "Out Of Memory", r"srun: error: [^\n]{0,80}: tasks? [\d,-]{1,40}: Out Of Memory"),
    Pattern(
        "slurm.oom", "OUT_OF_MEMORY", r"(?:JobState|State)=OUT_OF_ME\w*|\bOUT_OF_ME(?:MORY|\+)(?![A-Z_])"
    ),
    Pattern(
        "slurm.oom",
        "exceeded memory limit",
        r"(?:Job|Step) \S{1,40} exceeded (?:virtual )?memory limit[^\n]{0,120}",
    ),
    Pattern("slurm.is", "slurm", r"(?i)slurm(?:stepd|_|ctld|d)?|srun:"),
    Pattern("kubernetes.oom", "OOMKilled"),
    Pattern("kubernetes.oom", "killed by docker due to it exceeded the request memory"),
    Pattern(
        "kubernetes.evicted", "low on resource: memory", r"The node was low on resource: memory[^\n]{0,160}"
    ),
    Pattern("kubernetes.is", "pod", r"(?i)\b(?:kubectl|kubelet|pod(?:s|/| failed)|container(?:s|ID)?:)"),
    Pattern(
        "host.exit_137",
        "137",
        r"(?i)(?:exit(?:ed)?(?: with)?(?: status| code)?|exitcode|exit_code|code|status|returned(?: exit status)?|return code)[\s:=\"']{1,4}(?:is )?137\b",
    ),
    Pattern(
        "host.exit_9",
        "-9",
        r"(?i)(?:exit ?code|exitcode|return(?:ed)?(?: exit)?(?: code| status)?|exits? with(?: return)?(?: code)?|died with)[\s:=()\"']{1,5}-9\b",
    ),
    Pattern(
        "host.sigkill",
        "SIGKILL",
        r"(?i)(?:signal(?:ed)?[\s:]{1,3}(?:\(?9\)?[\s:(]{0,3})?\(?SIGKILL|received signal 9|killed by SIGKILL|SIGKILL \(?(?:signal )?9|Signal 9 \(SIGKILL\)|died with <Signals\.SIGKILL: 9>|was (?:killed|terminated)[^\n]{0,40}SIGKILL|terminated by (?:signal )?SIGKILL|exit code: SIGKILL)",
    ),
    Pattern(
        "host.sigkill",
        "signal 9",
        r"(?i)(?:exited on|killed by|received|terminated by|with) signal:? 9\b[^\n]{0,40}",
    ),
    Pattern("host.sigkill", "signal: killed", r"(?i)signal: killed"),
    Pattern(
        "host.killed_word",
        "Killed",
        r"(?:^|\n)(?:[^\n]{0,120}: line \d+: {0,4}\d* ?)?Killed(?:\s{1,30}[^\n]{0,160})?(?=\n|$)",
    ),
    Pattern(
        "host.worker_killed",
        "is killed by signal: Killed",
        r"DataLoader worker \(pid(?:\(s\))? (?P<pid>[\d, ]{1,60})\) is killed by signal: Killed",
    ),
    Pattern(
        "host.worker_exited",
        "exited unexpectedly",
        r"DataLoader worker \(pid(?:\(s\))? [\d, ]{1,200}\) exited unexpectedly",
    ),
    Pattern(
        "host.ray",
        "memory monitor",
        r"(?i)(?:task|worker|actor|node)[^\n]{0,160}(?:killed|memory)[^\n]{0,80}memory monitor[^\n]{0,160}",
    ),
    Pattern("host.ray", "OutOfMemoryError", r"ray\.exceptions\.OutOfMemoryError[^\n]{0,200}"),
    Pattern(
        "host.ray",
        "running low on memory",
        r"[^\n]{0,80}killed due to the node running low on memory[^\n]{0,160}",
    ),
    Pattern("host.ray", "RayOutOfMemoryError", r"RayOutOfMemoryError[^\n]{0,200}"),
    Pattern("host.ray_store", "ObjectStoreFullError"),
    Pattern(
        "host.paging_file",
        "paging file is too small",
        r"(?i)\[WinError 1455\]|the paging file is too small[^\n]{0,200}",
    ),
    Pattern("host.paging_file", "WinError 1455"),
    Pattern("host.paging_file", "os error 1455"),
    Pattern("host.wsl", "WSL", r"(?i)\bwsl2?\b"),
    Pattern("host.windows", "\\", r"\b[A-Z]:\\[^\n]{0,200}"),
    Pattern("shm.bus_error", "killed by signal: Bus error"),
    Pattern("shm.bus_error", "insufficient shared memory (shm)"),
    Pattern("shm.bus_error", "out of shared memory", r"workers? are out of shared memory"),
    Pattern(
        "shm.bus_error",
        "Bus error",
        r"(?i)bus error \(core dumped\)|Fatal Python error: Bus error|exitcode\s{0,6}: -7\b|Signal 7 \(SIGBUS\)",
    ),
    Pattern(
        "shm.no_space",
        "No space left on device",
        r"(?:shared memory|/dev/shm|/torch_\d|shm_open|shm)[^\n]{0,160}No space left on device(?: \(28\))?",
    ),
    Pattern(
        "shm.no_space",
        "No space left on device",
        r"No space left on device[^\n]{0,160}(?:/dev/shm|shared memory|psm_\w+|torch_\d+)",
    ),
    Pattern(
        "shm.open",
        "shared memory",
        r"[Uu]nable to (?:open|allocate|write|mmap|resize|create)[^\n]{0,24}shared memory[^\n]{0,200}",
    ),
    Pattern(
        "shm.open",
        "shared memory object",
        r"(?i)could not (?:create|open|unlink)[^\n]{0,40}shared memory[^\n]{0,160}",
    ),
    Pattern("fd.too_many", "Too many open files"),
    Pattern("fd.too_many", "received 0 items of ancdata"),
    Pattern("fd.too_many", "Errno 24"),
    Pattern(
        "build.compiler",
        "Killed signal terminated program",
        r"fatal error: Killed signal terminated program (?P<program>cc1plus|cc1|\w{2,20})",
    ),
    Pattern(
        "build.compiler",
        "cc1plus",
        r"(?:cc1plus|cc1|cicc|ptxas|nvcc|ld|clang\+*|lto1|rustc)[^\n]{0,120}(?:died due to signal 9|[Kk]illed|SIGKILL|out of memory|Cannot allocate memory|\(signal: 9)[^\n]{0,80}",
    ),
    Pattern(
        "build.compiler",
        "died due to signal 9",
        r"nvcc error\s{0,4}: '\w{2,20}' died due to signal 9[^\n]{0,80}",
    ),
    Pattern(
        "build.compiler",
        "out of memory allocating",
        r"(?:cc1plus|cc1|virtual memory exhausted|c\+\+|g\+\+)[^\n]{0,40}out of memory allocating (?P<tried_bytes>\d+) bytes[^\n]{0,80}",
    ),
    Pattern(
        "build.compiler", "virtual memory exhausted", r"virtual memory exhausted: Cannot allocate memory"
    ),
    Pattern(
        "build.compiler",
        "collect2: fatal error",
        r"collect2: fatal error: ld terminated with signal 9[^\n]{0,40}",
    ),
    Pattern("build.is", "ninja", r"ninja: build stopped|\bninja\b[^\n]{0,80}|FAILED: [^\n]{0,160}\.o\b"),
    Pattern("build.is", "Building", r"Building (?:CXX|CUDA|C|wheel|wheels)[^\n]{0,120}"),
    Pattern("build.is", "nvcc", r"\bnvcc\b[^\n]{0,160}"),
    Pattern("build.is", "make", r"make(?:\[\d+\])?: \*\*\*[^\n]{0,160}"),
    Pattern("host.map_count", "max_map_count", r"vm\.max_map_count[^\n]{0,120}"),
    Pattern("host.swap_full", "swap", r"(?i)(?:no|out of|zero|insufficient) swap(?: space)?[^\n]{0,60}"),
)
