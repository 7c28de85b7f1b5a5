"""Processes that end with SIGKILL and no word: exit statuses as shells, launchers, schedulers and languages print them."""

from __future__ import annotations

from dstop.doctor.evidence.pattern import Pattern

MESSAGES: tuple[Pattern, ...] = (
    # 128 + 9, as a shell or a container runtime reports it.
    Pattern(
        "host.exit_137",
        "137",
        r"(?i)(?:\bexit(?:ed|s)?(?: with)?(?: exit)?(?: status| code)?|\bexit_?code|\bcode|\bstatus|\breturn(?:ed)?(?: a)?"
        r"(?: non-zero)?(?: exit)?(?: status| code)?|\berror)[\s:=\"'(]{1,6}(?:is )?137(?!\d|\.\d)[^\n]{0,60}",
    ),
    # -9 as Python's subprocess, torch elastic and DeepSpeed's launcher report it; 247 is -9 in a byte.
    Pattern(
        "host.exit_9",
        "-9",
        r"(?i)(?:exit_?code|exit(?:ed|s)?(?: with)?(?: a)?(?: exit| return)?(?: status| code)?|\bdied with(?: return code)?|"
        r"return(?:ed|code)?(?: non-zero)?(?: exit)?(?: status| code)?|\bcode|\bstatus)[\s:=()\"']{1,6}-9(?!\d|[.-]\d)",
    ),
    Pattern(
        "host.exit_247",
        "247",
        r"(?i)(?:exit|return|finished)[\w -]{0,30}(?:status|code)[\s:=]{1,3}247(?!\d|\.\d)",
    ),
    Pattern("host.sigkill", "SIGKILL", r"Signal 9 \(SIGKILL\)[^\n]{0,60}"),
    Pattern("host.sigkill", "SIGKILL", r"[Ss]ignal(?:ed)?[:\s]{1,3}\(?9,? ?[(:]? ?SIGKILL[^\n]{0,40}"),
    Pattern(
        "host.sigkill",
        "SIGKILL",
        r"(?:[Kk]illed|[Tt]erminated|[Ii]nterrupted)(?: abruptly)? (?:by|with|via) (?:the )?(?:signal:? )?(?:9:? ?)?\(?SIGKILL"
        r"(?! by OOM killer)[^\n]{0,40}",
    ),
    Pattern("host.sigkill", "SIGKILL", r"died with <Signals\.SIGKILL: 9>"),
    Pattern("host.sigkill", "SIGKILL", r"(?:exit code|codes of the workers are)[: {]{1,4}SIGKILL[^\n]{0,40}"),
    Pattern("host.sigkill", "SIGKILL", r"Worker \(pid:\d{1,10}\) was sent SIGKILL![^\n]{0,60}"),
    Pattern("host.sigkill", "SIGKILL", r"(?:exit(?:ed)?|exception)[^\n]{0,40}signal 9 \(SIGKILL\)"),
    Pattern(
        "host.sigkill",
        "ignal 9",
        r"(?i)(?:exited on|killed by|received|terminated by|with|exited prematurely:) signal:? 9\b[^\n]{0,40}",
    ),
    Pattern("host.sigkill", "SIGNAL: 9", r"KILLED BY SIGNAL: 9 \(Killed\)"),
    Pattern("host.sigkill", "signal: killed", r"(?:signal: killed)[^\n]{0,40}"),
    Pattern("host.sigkill", "status=9/KILL", r"code=killed, status=9/KILL"),
    Pattern(
        "host.killed_word",
        "Killed",
        r"(?:^|(?<=\n))(?:[^\n]{0,120}: line \d{1,6}: {0,4}\d{0,10} ?)?(?:\[\d{1,3}\][+-]? {1,6})?(?:\d{1,10} )?[ \t]{0,12}"
        r"Killed(?:\s{1,30}[^\n]{0,160})?(?=\n|$)",
    ),
    Pattern("host.killed_word", "]Killed", r"(?<=it/s\])Killed(?=\n|$)|(?<=s/it\])Killed(?=\n|$)"),
    Pattern(
        "host.killed_word",
        "killed",
        r"(?:^|(?<=\n))(?:zsh: killed {1,8}\S[^\n]{0,160}|\[\d{1,3}\] {1,6}[+-]? {0,4}\d{1,10} killed {1,8}\S[^\n]{0,160})",
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
        "host.pool_broken",
        "abruptly",
        r"(?:process pool was terminated abruptly|subprocesses has abruptly died)[^\n]{0,80}",
    ),
    Pattern(
        "host.pool_broken",
        "unexpectedly terminated",
        r"worker process managed by the executor was unexpectedly terminated[^\n]{0,200}",
    ),
    # What also ends a process with SIGKILL.
    Pattern("host.other_kill", "WORKER TIMEOUT", r"WORKER TIMEOUT \(pid:\d{1,10}\)"),
    Pattern(
        "host.other_kill",
        "reempt",
        r"(?i)(?:instance|node|job|spot)[^\n]{0,40}(?:was|is being|has been) preempted[^\n]{0,60}",
    ),
    Pattern("host.other_kill", "KeyboardInterrupt"),
    Pattern(
        "host.other_kill",
        "iveness probe",
        r"[Ll]iveness probe failed[^\n]{0,80}|failed liveness probe[^\n]{0,40}",
    ),
    Pattern(
        "host.other_kill",
        "SIGTERM",
        r"[Rr]eceived (?:signal:? )?(?:15 )?(?:\(?Signals\.)?SIGTERM\b[^\n]{0,60}",
    ),
    Pattern("host.other_kill", "got signal: 15"),
)
