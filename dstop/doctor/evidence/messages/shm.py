"""Shared memory and descriptors: /dev/shm that is full, segments that cannot be opened, too many open files."""

from __future__ import annotations

from dstop.doctor.evidence.pattern import Pattern

MESSAGES: tuple[Pattern, ...] = (
    Pattern(
        "shm.bus_error",
        "killed by signal: Bus error",
        r"DataLoader worker[^\n]{0,60}is killed by signal: Bus error",
    ),
    Pattern("shm.bus_error", "insufficient shared memory (shm)"),
    Pattern("shm.bus_error", "out of shared memory", r"workers? are out of shared memory"),
    Pattern(
        "shm.bare_bus_error",
        "us error",
        r"Bus error(?: \(core dumped\))?(?! encountered)|Fatal Python error: Bus error",
    ),
    Pattern("shm.bare_bus_error", "-7", r"exit ?code\s{0,6}:? ?\(?-7\b"),
    Pattern("shm.bare_bus_error", "SIGBUS", r"Signal 7 \(SIGBUS\)[^\n]{0,40}|\bSIGBUS\b"),
    Pattern(
        "shm.bare_bus_error",
        "135",
        r"(?:exit(?:ed)?|returned)[\w -]{0,24}(?:code|status)?[: ]{1,2}135(?!\d|\.\d)",
    ),
    Pattern(
        "shm.no_space",
        "No space left on device",
        r"(?:shared memory|/dev/shm|</?torch_\d|/torch_\d|\bshm_\w{1,20}|\bshm\b|psm_\w{1,12})[^\n]{0,160}No space left on device"
        r"(?: \(28\))?",
    ),
    Pattern(
        "shm.no_space",
        "No space left on device",
        r"No space left on device[^\n]{0,12}['\"(:< ]{1,4}(?:/dev/shm|/?psm_\w{1,20}|/?torch_\d|/?sem\.\w)[^\n]{0,80}",
    ),
    Pattern(
        "shm.no_space",
        "unable to allocate shared memory",
        r"unable to allocate shared memory ?\(shm\) for file <[^>\n]{1,120}>[^\n]{0,60}",
    ),
    Pattern(
        "shm.no_space",
        "unable to resize",
        r"unable to resize file <[^>\n]{0,40}torch_[^>\n]{1,80}>[^\n]{0,80}",
    ),
    Pattern(
        "shm.no_space",
        "unable to write to file",
        r"unable to write to file <[^>\n]{0,40}torch_[^>\n]{1,80}>[^\n]{0,60}",
    ),
    Pattern(
        "shm.small",
        "dev/shm",
        r"(?:shm|tmpfs) {1,20}(?P<size_mib>64|64\.0)M {1,20}\S{1,12} {1,20}\S{1,12} {1,12}(?P<share>\d{1,3}%) /dev/shm",
    ),
    Pattern(
        "shm.open",
        "shared memory object",
        r"(?i)(?:unable to|could not|failed to) (?:open|create)[^\n]{0,12} shared memory object[^\n]{0,200}",
    ),
    Pattern(
        "shm.open",
        "shared memory file",
        r"(?i)(?:unable to|could not|failed to) (?:open|create)[^\n]{0,12} shared memory file[^\n]{0,200}",
    ),
    Pattern("fd.too_many", "Too many open files", r"Too many open files[^\n]{0,60}"),
    Pattern("fd.too_many", "too many open files"),
    Pattern("fd.too_many", "items of ancdata", r"received \d items of ancdata"),
    Pattern("fd.too_many", "Errno 24", r"\[Errno 24\][^\n]{0,80}"),
)
