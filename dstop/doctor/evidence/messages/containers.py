"""Containers and the platforms that run them: Kubernetes, Docker, cloud training services, notebooks."""

from __future__ import annotations

from dstop.doctor.evidence.pattern import Pattern

MESSAGES: tuple[Pattern, ...] = (
    Pattern(
        "kubernetes.oom", "OOMKilled", r"(?<!\")\bOOMKilled\b(?!\"?\s{0,2}[:=] ?(?:false|False))[^\n]{0,60}"
    ),
    Pattern("kubernetes.oom", "OOMKilled", r"\"OOMKilled\": ?true"),
    Pattern("kubernetes.oom", "OOMKilling", r"OOMKilling[^\n]{0,120}"),
    Pattern("kubernetes.oom", "killed by docker due to it exceeded the request memory"),
    Pattern(
        "kubernetes.oom", "System OOM encountered", r"System OOM encountered, victim process: [^\n]{0,60}"
    ),
    Pattern(
        "kubernetes.oom",
        "killed due to memory usage",
        r"(?:OutOfMemoryError: )?Container killed due to memory usage",
    ),
    Pattern(
        "kubernetes.oom",
        "out-of-memory",
        r"(?:[Rr]eplica|[Ww]orker|[Cc]ontainer)[^\n]{0,60}ran out-of-memory and exited with a non-zero status[^\n]{0,60}",
    ),
    Pattern(
        "kubernetes.oom",
        "an instance type with more memory",
        r"Please use an instance type with more memory[^\n]{0,80}",
    ),
    Pattern("kubernetes.oom", "container was OOM", r"container was OOM[- ]?[Kk]illed[^\n]{0,60}"),
    Pattern(
        "kubernetes.evicted",
        "low on resource: memory",
        r"The node was low on resource: memory\.?(?:[^\n]{0,100}?Container (?P<container>\S{1,80}) was using (?P<used_kib>\d{1,15})Ki)?"
        r"[^\n]{0,100}",
    ),
    Pattern("kubernetes.evicted", "MemoryPressure", r"The node had condition: \[MemoryPressure\][^\n]{0,20}"),
    Pattern(
        "kubernetes.is",
        "od",
        r"\b(?:[Pp]od(?:s|/[\w.-]{1,80}| failed:|Pattern)|pods?\b(?= \S{1,80} (?:failed|in namespace|evicted)))",
    ),
    Pattern("kubernetes.is", "kube", r"\bkube(?:ctl|let|flow|pods|-\w{1,30})\b"),
    Pattern("docker.is", "docker", r"\bdocker(?:d|-compose| compose| run|\b)[^\n]{0,60}"),
    Pattern("docker.is", "ontainer", r"\b[Cc]ontainer\b[^\n]{0,60}(?:exited|killed|terminated)[^\n]{0,40}"),
    Pattern(
        "notebook.oom",
        "crashed after using all available RAM",
        r"session crashed after using all available RAM[^\n]{0,40}",
    ),
    Pattern(
        "notebook.oom",
        "more memory than is available",
        r"otebook tried to allocate more memory than is available[^\n]{0,60}",
    ),
    Pattern(
        "notebook.died",
        "ernel",
        r"(?:DeadKernelError: Kernel died|[Kk]ernel (?:appears to have )?died\b)[^\n]{0,80}",
    ),
)
