"""The checks of a machine as JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dstop.doctor.environment.values import Check

SCHEMA = 1


def checks_line(checks: Sequence[Check]) -> bytes:
    """Write the checks as one line; `fix` and `value` are null where there is none."""
    rows = [
        {
            "id": check.id,
            "title": check.title,
            "status": str(check.status),
            "says": check.says,
            "fix": check.fix,
            "value": check.value,
            "source": check.source,
        }
        for check in checks
    ]
    return (json.dumps({"schema": SCHEMA, "checks": rows}, allow_nan=False) + "\n").encode()
