"""Host memory where nobody was killed."""

from __future__ import annotations

from dstop.doctor.evidence.messages.host import MESSAGES  # noqa: F401 - the table that these lines are for

LINES = (
    ("increase vm.max_map_count", "host.map_count", {}),
    ("out of swap space", "host.swap_full", {}),
    (
        "Mem:         257088      131148      125940",
        "host.meminfo",
        {"total_count": 257088, "used_count": 131148, "free_count": 125940},
    ),
)
"""A message, its kind, and the figures that it must give."""

NOT = (("too large swap space", "host.swap_full"),)
"""What looks alike, and the kind that it must not have."""
