"""Measure trainings and generations with the real PyTorch on a simulated device: `python measure.py FOLDER [CASE...]`.

`DSTOP_CUDASIM_PYTHON` is a Python with PyTorch's CUDA build on a simulated device, and transformers. A case (they are
in `tests/footprint/measuring/cases.py`) becomes a JSON file in FOLDER: the SPEC that `dstop plan` would be asked with,
and the bytes that PyTorch's allocator counted. `--saved` and `--peaks` print what autograd keeps of a layer, and what
is alive at the peaks, for the cases named: with them the formulas of `dstop.footprint.training` are checked.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import uuid
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MEASURING = ROOT / "tests" / "footprint" / "measuring"
DEVICES = Path("/dev/shm")  # noqa: S108 - where the simulated devices are


def main() -> int:
    """Run the programs that measure, on a device of their own."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "names",
        nargs="+",
        metavar="FOLDER|CASE",
        help="where to write, and which cases; drawn:COUNT:SEED draws them",
    )
    parser.add_argument("--saved", action="store_true", help="print what autograd keeps of the cases")
    parser.add_argument("--peaks", action="store_true", help="print what is alive at the peaks of the cases")
    chosen = parser.parse_args()
    python = os.environ.get("DSTOP_CUDASIM_PYTHON")
    if not python:
        sys.exit(
            "DSTOP_CUDASIM_PYTHON is not set: a Python with PyTorch on a simulated device, and transformers"
        )
    program = "saved.py" if chosen.saved else "peaks.py" if chosen.peaks else "record.py"
    device = f"measure-{uuid.uuid4().hex[:12]}"
    try:
        environment = os.environ | {"CUDASIM_NAME": device, "CUDASIM_TOTAL": "640GiB", "CUDASIM_DEVICES": "2"}
        command = [python, str(MEASURING / program), *chosen.names]
        return subprocess.run(command, env=environment, check=False).returncode
    finally:
        for path in DEVICES.glob(f"*{device}*"):
            path.unlink()


if __name__ == "__main__":
    sys.exit(main())
