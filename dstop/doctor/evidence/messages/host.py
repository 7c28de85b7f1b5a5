"""Host memory where nobody was killed: mappings, swap, pools that an engine keeps in it."""

from __future__ import annotations

from dstop.doctor.evidence.pattern import Pattern

MESSAGES: tuple[Pattern, ...] = (
    Pattern("host.map_count", "max_map_count", r"(?:vm\.)?max_map_count[^\n]{0,120}"),
    Pattern("host.swap_full", "wap", r"(?i)\b(?:out of|zero|insufficient) swap(?: space)?[^\n]{0,60}"),
    Pattern(
        "host.meminfo",
        "Mem:",
        r"Mem: {1,20}(?P<total_count>\d{3,15}) {1,20}(?P<used_count>\d{1,15}) {1,20}(?P<free_count>\d{1,15})",
    ),
)
