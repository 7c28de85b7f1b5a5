"""How much memory gets its right category: what trainings know of their tensors, beside what the snapshot says.

    python benchmarks/snapshot/attribution.py [NAME ...]

Needs `DSTOP_CUDASIM_PYTHON` (PyTorch's CUDA build on a simulated device). `llama` needs transformers there, and is left
out otherwise. Shares are of the live bytes at the peak, and of all positions of the ring together. `KEEP=FOLDER` keeps
the recordings there, and takes those that are there already.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dstop.model.study import CATEGORIES, CONFIDENCES
from dstop.snapshot.lives import BEFORE
from dstop.snapshot.load import load_snapshot
from dstop.snapshot.study import DeviceStudy
from dstop.snapshot.timeline import alive_at

if TYPE_CHECKING:
    from numpy.typing import NDArray

HERE = Path(__file__).parent
RANK = {
    kind: rank
    for rank, kind in enumerate(
        ("parameters", "optimizer_state", "gradients", "input", "logits", "communication", "activations")
    )
}
"""Which label a life keeps that has several: a weight that is saved for backward is a weight."""
TOLD = 0.002
"""What is less of the peak is not worth a line."""
TEMPORARY = CATEGORIES.index("temporaries")


def record(python: str, name: str, folder: Path) -> Path | None:
    """Run one training; None where it cannot run there."""
    path, device = folder / f"{name}.pickle", f"dstop-bench-{uuid.uuid4().hex[:8]}"
    env = os.environ | {"CUDASIM_NAME": device, "CUDASIM_TOTAL": "16GiB", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [python, str(HERE / "trainings.py"), name, str(path)],
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    Path(f"/dev/shm/cudasim-{device}").unlink(missing_ok=True)  # noqa: S108 - where cudasim keeps its devices
    if not path.exists():
        print(f"{name}: left out: {done.stderr.strip().splitlines()[-1:]}")
        return None
    return path


def labelled(study: DeviceStudy, start: int, labels: list[tuple[str, int, int]]) -> NDArray[np.int8]:
    """Give the true category of each life."""
    lives = study.lives
    young = np.flatnonzero(lives.begin != BEFORE)
    turn = np.full(len(lives), -1, np.int64)
    turn[young] = np.arange(len(young))
    by_address: dict[int, list[int]] = {}
    for row in range(len(lives)):
        by_address.setdefault(int(lives.address[row]), []).append(row)
    best: dict[int, str] = {}
    for kind, address, count in labels:
        if count < start:  # before the recording: of whom the address was then, nobody knows
            continue
        rows = [row for row in by_address.get(address, []) if turn[row] < count - start]
        if not rows:
            continue
        row = rows[-1]
        if row not in best or RANK[kind] < RANK[best[row]]:
            best[row] = kind
    found = np.full(len(lives), TEMPORARY, np.int8)
    for row, kind in best.items():
        found[row] = CATEGORIES.index(kind)
    return found


def shares(study: DeviceStudy, true: NDArray[np.int8]) -> tuple[float, float, float]:
    """Give the right share at the peak, over the ring, and of what was likely or exact at the peak."""
    lives, said = study.lives, study.attribution
    rows = alive_at(lives, study.peak)
    size, right = lives.size.astype(float), said.category == true
    span = size * (lives.end - np.maximum(lives.begin, 0))
    sure = rows[said.confidence[rows] > CONFIDENCES.index("possible")]
    return (
        float(size[rows][right[rows]].sum() / size[rows].sum()),
        float(span[right].sum() / span.sum()),
        float(size[sure][right[sure]].sum() / max(1.0, size[sure].sum())),
    )


def confusion(study: DeviceStudy, true: NDArray[np.int8]) -> list[str]:
    """Say in sentences what was taken for what at the peak."""
    rows = alive_at(study.lives, study.peak)
    total = float(study.lives.size[rows].sum())
    found = []
    for was in range(len(CATEGORIES)):
        for said in range(len(CATEGORIES)):
            mine = rows[(true[rows] == was) & (study.attribution.category[rows] == said)]
            share = study.lives.size[mine].sum() / total
            if was != said and share > TOLD:
                sure = study.attribution.confidence[mine] > 0
                least = study.lives.size[mine][sure].sum() / total
                found.append(
                    f"{CATEGORIES[was]} said to be {CATEGORIES[said]}: {share:.1%} (of it likely: {least:.1%})"
                )
    return found


def main() -> None:
    """Run all, and print a table."""
    python = os.environ.get("DSTOP_CUDASIM_PYTHON")
    if not python:
        sys.exit("DSTOP_CUDASIM_PYTHON names no Python with PyTorch on a simulated device")
    listed = subprocess.run([python, "-c", LIST], cwd=HERE, capture_output=True, text=True, check=True)
    names = sys.argv[1:] or listed.stdout.split()
    sums: dict[str, list[float]] = {}
    kept = os.environ.get("KEEP")
    with tempfile.TemporaryDirectory() as made:
        folder = Path(kept or made)
        print(f"{'training':<15}{'peak':>9}{'right':>9}{'of sure':>9}{'over time':>11}  steps")
        for name in names:
            path = folder / f"{name}.pickle"
            if not path.exists() and record(python, name, folder) is None:
                continue
            study = DeviceStudy(load_snapshot(path), 0)
            truth = json.loads(Path(f"{path}.truth.json").read_text())
            true = labelled(study, truth["start"], truth["labels"])
            peak, always, sure = shares(study, true)
            live = int(study.live[study.peak]) >> 20
            print(
                f"{name:<15}{live:>6}MiB{peak:>9.1%}{sure:>9.1%}{always:>11.1%}  {len(study.attribution.steps)}"
            )
            for line in confusion(study, true):
                print(f"    {line}")
            _count(sums, study, true)
    print("\ncategory           true bytes at peaks   found   said and right")
    for name, (there, hit, said) in sums.items():
        print(f"{name:<18}{there / 2**20:>15.0f}MiB{hit / max(1, there):>10.1%}{hit / max(1, said):>15.1%}")


LIST = "import trainings; print(*trainings.TRAININGS)"


def _count(sums: dict[str, list[float]], study: DeviceStudy, true: NDArray[np.int8]) -> None:
    rows = alive_at(study.lives, study.peak)
    for number, name in enumerate(CATEGORIES):
        was, said = true[rows] == number, study.attribution.category[rows] == number
        size = study.lives.size[rows]
        sum_of = sums.setdefault(name, [0.0, 0.0, 0.0])
        for at, part in enumerate((was, was & said, said)):
            sum_of[at] += float(size[part].sum())


if __name__ == "__main__":
    main()
