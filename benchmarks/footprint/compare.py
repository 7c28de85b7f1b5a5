"""Hold plans against what `measure.py` wrote to a folder: `python compare.py FOLDER`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from dstop.errors import DstopError
from dstop.footprint.estimate import estimate
from dstop.footprint.spec.parse import parse_spec

FAR = 0.05
MOMENTS = ("forward", "backward", "optimizer", "prefill", "decode")


def measured_peak(figures: dict[str, Any]) -> int:
    """Give the most that was handed out: in the last step of a training, or in a generation."""
    last = figures["steps"][-1] if "steps" in figures else figures
    return max(int(last[moment]["allocated_peak"]) for moment in MOMENTS if moment in last)


def main(folder: Path) -> None:
    """Print how far each plan is off, then how far plans are off in general."""
    errors = []
    for path in sorted(folder.glob("*.json")):
        data = json.loads(path.read_text("utf-8"))
        try:
            rank = estimate(parse_spec(data["spec"])).per_gpu
        except DstopError as refusal:
            print(f"{path.stem:36} refused: {refusal}")
            continue
        error = rank.parts.allocated_bytes / measured_peak(data["figures"]) - 1
        says = f" (no field of a SPEC says: {data['variant']})" if data["variant"] else ""
        print(f"{path.stem:36} {error:+8.2%} {rank.peak_at}{says}")
        if not data["variant"]:
            errors.append(abs(error))
    errors.sort()
    if errors:
        middle, most = errors[len(errors) // 2], errors[int(len(errors) * 0.9)]
        over = sum(error > FAR for error in errors)
        print(
            f"{len(errors)}: median {middle:.2%}, 90 in 100 within {most:.2%}, {over} off by more than {FAR:.0%}"
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
