"""Real crashes of PyTorch on a simulated device: the doctor names the cause, and its first fixes let the job finish."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dstop.doctor.case import Case
from dstop.doctor.questions.replayed import surely_fails, surely_fits
from dstop.doctor.sources.snapshots import found_of, snapshot_at

JOB = Path(__file__).parent / "targets" / "crashes.py"
DSTOP = [sys.executable, "-m", "dstop"]
TOTAL = "2GiB"
PATIENCE_S = 120
EXPANDABLE = {"PYTORCH_CUDA_ALLOC_CONF": "expandable_segments:True"}


class Box:
    """A simulated device, and jobs on it that leave incidents."""

    def __init__(self, cudasim: Any, folder: Path) -> None:
        """Make places for sockets and incidents."""
        self.python, self.folder = cudasim.python, folder
        self.incidents, sockets = folder / "i", folder / "s"
        sockets.mkdir(mode=0o700)
        self.environment = cudasim.environment(
            CUDASIM_TOTAL=TOTAL,
            DSTOP_DIR=str(sockets),
            DSTOP_INCIDENTS=str(self.incidents),
            XDG_STATE_HOME=str(folder),
            XDG_CONFIG_HOME=str(folder),
            PYTHONDONTWRITEBYTECODE="1",
        )

    def run(self, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run a job under `dstop run`."""
        command = [*DSTOP, "run", "--", self.python, "-u", str(JOB), *words]
        return self._do(command, **more)

    def doctor(self, *words: str) -> dict[str, Any]:
        """Ask the doctor, in a folder where there is nothing else."""
        empty = self.folder / "empty"
        empty.mkdir(exist_ok=True)
        done = self._do([*DSTOP, "doctor", "--json", "--no-kernel", *words], cwd=empty)
        assert done.returncode == 3, done.stderr
        report: dict[str, Any] = json.loads(done.stdout)
        return report

    def _do(
        self, command: list[str], cwd: Path | None = None, **more: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            env=self.environment | more,
            cwd=cwd or self.folder,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
            stdin=subprocess.DEVNULL,
        )


@pytest.fixture
def box(cudasim: Any, tmp_path: Path) -> Box:
    """Give a device with 2 GiB."""
    return Box(cudasim, tmp_path)


CASES = [
    (("batch", "--batch", "12000"), "capacity_activations", "reduce_batch", ("batch", "--batch", "6000"), {}),
    (
        ("fragmentation",),
        "fragmentation",
        "expandable_segments",
        ("fragmentation",),
        EXPANDABLE,
    ),
    (("leak",), "leak", "fix_leak_detach", ("leak", "--fixed"), {}),
    (("logits", "--batch", "2400"), "logits_spike", "reduce_batch", ("logits", "--batch", "1200"), {}),
    (("evaluation",), "eval_accumulation", "no_grad_eval", ("evaluation", "--fixed"), {}),
    (("handler",), "leak", "free_outside_except", ("handler", "--fixed"), {}),
    (("checkpoint",), "checkpoint_duplicate", "map_location_cpu", ("checkpoint", "--fixed"), {}),
    (("optimizer",), "optimizer_states", None, None, {}),
    (("weights",), "capacity_weights", None, None, {}),
    (("huge",), "huge_single_allocation", None, None, {}),
    (("fraction",), "memory_fraction_limit", None, None, {}),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0][0])
def test_the_cause_is_named_and_its_first_fix_works(box: Box, case: Any) -> None:
    """From the log alone, and from what the run left; with the first fix applied literally, the job ends well."""
    crash, cause, fix, fixed, more = case
    ended = box.run(*crash)
    assert ended.returncode == 1, ended.stdout
    log = box.folder / "crash.log"
    log.write_text(ended.stdout + ended.stderr)
    by_log = box.doctor(str(log))["diagnoses"][0]
    by_incident = box.doctor()["diagnoses"][0]
    assert by_log["cause"] == cause, by_log
    assert by_incident["cause"] == cause, by_incident
    if fix is not None:
        assert by_log["fixes"][0]["id"] == fix, by_log["fixes"]
        again = box.run(*fixed, **more)
        assert again.returncode == 0, again.stderr
        assert "finished" in again.stdout


@pytest.mark.parametrize("mebibytes", [1000, 1300])
def test_a_neighbour_is_blamed_by_its_pid_and_ending_it_helps(box: Box, mebibytes: int) -> None:
    """The card is full of somebody else, with room for our context or without: the fix has the right PID."""
    holder = subprocess.Popen(
        [box.python, "-u", str(JOB), "hold", "--hold", str(mebibytes)],
        env=box.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline().startswith("held")
        assert box.run("neighbour").returncode == 1
        first = box.doctor()["diagnoses"][0]
        assert first["cause"] == "other_process", first
        assert first["fixes"][0]["command"] == f"kill {holder.pid}"
    finally:
        holder.kill()
        holder.communicate()
    assert box.run("neighbour").returncode == 0


def test_the_balance_of_a_black_box_adds_up(box: Box) -> None:
    """Recorded and not printed: the parts sum to the card to the byte."""
    box.run("batch", "--batch", "12000")
    balance = box.doctor()["diagnoses"][0]["balance"]
    parts = ("allocated", "cached", "not_pytorch", "others", "unattributed", "free")
    assert sum(balance[f"{part}_bytes"] or 0 for part in parts) == balance["total_bytes"] == 2 * 2**30
    assert balance["rounding_bytes"] == 0


def _snapshot(box: Box) -> Path:
    """Give the snapshot that the last failure left; their folders begin with the time."""
    found = sorted(box.incidents.glob("*-oom/snapshot.pickle.gz"))
    assert found, [path.read_text() for path in box.incidents.glob("*/incident.json")]
    return found[-1]


@pytest.mark.parametrize("case", CASES[:-3], ids=lambda case: case[0][0])
def test_a_recording_keeps_the_cause_and_is_cited(box: Box, case: Any) -> None:
    """With the history on, the snapshot of the black box is evidence, and contradicts nothing that was right."""
    crash, cause, *_ = case
    assert box.run(*crash, DSTOP_HISTORY="20000").returncode == 1
    report = box.doctor()
    first = report["diagnoses"][0]
    assert first["cause"] == cause, first
    assert not any("left out" in note for note in report["notes"])
    alone = box.doctor(str(_snapshot(box)))["diagnoses"][0]
    if crash[0] not in _NOT_OF_ONE_SNAPSHOT:
        assert alone["cause"] == cause, alone
        assert any(".pickle.gz:cuda:0:event " in item["source"] for item in first["evidence"])


_NOT_OF_ONE_SNAPSHOT = frozenset(("checkpoint", "handler"))
"""The words of the log, or the code of its frames, tell these; a snapshot has neither."""
VERDICTS = [
    (("fragmentation",), "expandable", True, ("fragmentation",), EXPANDABLE),
    (("leak",), "no-leak", True, ("leak", "--fixed"), {}),
    (("batch", "--batch", "12000"), "expandable", None, ("batch", "--batch", "12000"), EXPANDABLE),
    (("batch", "--batch", "12000"), "batch=x0.75", None, ("batch", "--batch", "9000"), {}),
    (("logits", "--batch", "3600"), "batch=x0.75", False, ("logits", "--batch", "2700"), {}),
]


@pytest.mark.parametrize("case", VERDICTS, ids=lambda case: f"{'-'.join(case[0])}-{case[1]}")
def test_what_is_claimed_of_a_replay_is_what_a_run_gives(box: Box, case: Any) -> None:
    """That it fits, or does not, by the recording of the crash: a run says the same. Half a step claims nothing."""
    crash, change, claim, changed, more = case
    assert box.run(*crash, DSTOP_HISTORY="20000").returncode == 1
    memory = snapshot_at(_snapshot(box))
    assert memory is not None
    verdict = memory.replay(change)
    assert verdict is not None
    of = Case([found_of(memory, 0, others=())])
    assert surely_fits(of, verdict) is (claim is True), verdict
    assert surely_fails(verdict) is (claim is False), verdict
    if claim is not None:
        assert (box.run(*changed, **more).returncode == 0) is claim
