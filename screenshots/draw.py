"""Draw the pictures of the README: `python screenshots/draw.py`.

The stage and the pilots are those of the snapshot tests, so no picture can show what the program does not do. SVG is
written always, PNG beside the most wanted where `rsvg-convert` is installed.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pictures import BY_NAME, Picture, still
from shapes import with_shapes

if TYPE_CHECKING:
    from plans import PlanPicture
    from snapshots import SnapshotPicture

HERE = Path(__file__).parent
SHOWN = {
    "overview-8-gpus": "eight-gpus",
    "compact-80x24": "eight-gpus-small",
    "two-gpus": "two-gpus",
    "out-of-memory": "out-of-memory",
    "jobs": "jobs",
    "process": "process",
    "expected": "process-expected",
    "allocator": "allocator",
    "segments": "segments",
    "gpu": "gpu",
    "light-theme": "theme-light",
    "snapshot": "snapshot",
    "plan": "plan",
}
"""File -> picture."""
ALSO_PNG = ("overview-8-gpus", "compact-80x24", "two-gpus", "out-of-memory")
"""For places that show no SVG; they are heavy, so not all."""
_FULL_CELL_FONT = "font-size: 19.82px"
"""A character of Fira Code is 1200 of 1950 units wide: this makes it as wide as the cell."""

_PNG_ZOOM = "0.75"
"""Small enough to be mailed, large enough to be read."""


def svg_of(picture: Picture | SnapshotPicture | PlanPicture) -> str:
    """Play a picture and give it as SVG; its ids do not depend on anything else."""
    svg = asyncio.run(picture.drawn())
    svg = re.sub(r"terminal-\d+", "t", svg)
    return with_shapes(svg.replace("font-size: 20px", _FULL_CELL_FONT))


def main() -> int:
    """Write every picture, and say what was written."""
    still()
    convert = shutil.which("rsvg-convert")
    for name, picture in SHOWN.items():
        path = HERE / f"{name}.svg"
        path.write_text(svg_of(BY_NAME[picture]), encoding="utf-8")
        if convert is not None and name in ALSO_PNG:
            subprocess.run(
                [convert, "--zoom", _PNG_ZOOM, str(path), "-o", str(path.with_suffix(".png"))], check=True
            )
        print(path)
    if convert is None:
        print("no PNGs: rsvg-convert (package librsvg2-bin) is not installed", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
