"""What is true of each case: every program is run for real, as it was and with the change, on a simulated device.

A run is a process of its own, ended after `TIMEOUT_S`. What a run gave is kept in a folder, so that verdicts are made
anew without running anything again.
"""

from __future__ import annotations

import json
import os
import subprocess
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from verdict_cases import Case, Spec

HERE = Path(__file__).parent
MIB = 1 << 20
PAGE = 2 * MIB
CONTEXT_MIB = 450
"""What a context takes of a simulated device."""
PLENTY_MIB = 400 * 1024
TIMEOUT_S = 240
DEVICES = Path("/dev/shm")  # noqa: S108 - where the simulated devices are


@dataclass(frozen=True, kw_only=True)
class Truth:
    """One case, run."""

    case: Case
    snapshot: Path
    """Of the program as it was: at the failure, or at the end."""
    changed_snapshot: Path
    failed: bool
    """Whether memory ran out in the program as it was."""
    recorded_capacity: int
    capacity: int
    """Of the program with the change, in bytes that it may reserve."""
    reached: int
    """How many allocations the program as it was had made when it failed, or at the end."""
    changed_reached: int
    fits: bool
    """With the change, the recorded part was got through."""
    needs: tuple[int, int]
    """The most that the changed program has in use, and reserves, where there is plenty."""


class Recorder:
    """Runs programs, each once. One for each thread."""

    def __init__(self, folder: Path, python: str) -> None:
        self.folder, self.python = folder, python
        self._server: subprocess.Popen[str] | None = None

    def truth_of(self, case: Case) -> Truth:
        """Run a case: with the change where there is plenty, to know the edge; then as it was, and with the change."""
        plain = case.changed_spec | {"late": False, "observe": True}
        other = self.run(case.name, "plenty", plain, case.changed_conf, PLENTY_MIB)
        needs = other["peak_active"], other["peak_reserved"]
        capacity = recorded = _edge(case.edge, *needs)
        if case.abundant:
            recorded = PLENTY_MIB * MIB
        elif case.kind == "capacity":
            recorded = _aligned(0.8 * needs[0])
        was = self.run(case.name, "was", case.spec, case.conf, recorded // MIB)
        if not was["ring"]:
            # It failed before it had begun to record.
            was = self.run(case.name, "was-early", case.spec | {"late": False}, case.conf, recorded // MIB)
        changed = self.run(case.name, "changed", plain, case.changed_conf, capacity // MIB)
        return Truth(
            case=case,
            snapshot=Path(was["snapshot"]),
            changed_snapshot=Path(changed["snapshot"]),
            failed=not was["fits"],
            recorded_capacity=recorded,
            capacity=capacity,
            reached=was["allocations"],
            changed_reached=changed["allocations"],
            fits=changed["fits"] or (not was["fits"] and changed["allocations"] > was["allocations"]),
            needs=needs,
        )

    def run(self, name: str, what: str, spec: Spec, conf: str, capacity_mib: int) -> dict[str, Any]:
        """Run one program on a device that lets it reserve so much; give what it said."""
        snapshot = self.folder / f"{name}.{what}.pickle"
        result, note = snapshot.with_suffix(".result.json"), snapshot.with_suffix(".asked.json")
        asked = json.dumps([spec, conf, capacity_mib], sort_keys=True)
        if not (result.exists() and note.exists() and note.read_text(encoding="utf-8") == asked):
            result.unlink(missing_ok=True)
            job = {"spec": spec, "snapshot": str(snapshot), "result": str(result), "timeout_s": TIMEOUT_S}
            said = self._ask(job, conf, capacity_mib)
            if not result.exists():
                raise RuntimeError(f"{name}, {what}: {said}")
            note.write_text(asked, encoding="utf-8")
        told: dict[str, Any] = json.loads(result.read_text(encoding="utf-8"))
        return told | {"snapshot": str(snapshot)}

    def _ask(self, job: dict[str, Any], conf: str, capacity_mib: int) -> str:
        if self._server is None:
            self._server = subprocess.Popen(
                [self.python, str(HERE / "verdict_run.py")],
                env=dict(os.environ) | {"OMP_NUM_THREADS": "1"},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        device = f"verdict-{uuid.uuid4().hex[:10]}"
        job["environment"] = {
            "CUDASIM_NAME": device,
            "CUDASIM_TOTAL": f"{capacity_mib + CONTEXT_MIB}MiB",
            "PYTORCH_CUDA_ALLOC_CONF": conf,
        }
        into, out = self._server.stdin, self._server.stdout
        if into is None or out is None:
            raise RuntimeError("the server has no pipes")
        try:
            into.write(json.dumps(job) + "\n")
            into.flush()
            return out.readline().strip()
        finally:
            for path in DEVICES.glob(f"*{device}*"):
                path.unlink(missing_ok=True)

    def close(self) -> None:
        """End the process that runs the programs."""
        if self._server is not None:
            self._server.communicate()
            self._server = None


def _aligned(size: float) -> int:
    return int(size) // PAGE * PAGE


def _edge(edge: tuple[str, float], active: int, reserved: int) -> int:
    """Lay the edge: by a share above what was reserved where there was plenty, below what was in use, or between."""
    where, share = edge
    if where == "above":
        return _aligned(reserved * (1 + share)) + PAGE
    if where == "below":
        return _aligned(active * (1 - share))
    return _aligned(active + share * (reserved - active)) + PAGE
