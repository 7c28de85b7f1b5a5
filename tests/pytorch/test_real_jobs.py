"""Whole jobs on PyTorch's real allocator, on simulated devices, looked into the way a user does."""

from __future__ import annotations

import gzip
import json
import os
import pickle
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from dstop.errors import AttachError
from dstop.pytorch.guests import LiveGuests
from dstop.pytorch.incident.read import read_incident
from dstop.pytorch.target import find_target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TARGETS = Path(__file__).parent / "targets"
PATIENCE_S = 120
CONTEXT_BYTES, LAYER_BYTES = 300 << 20, 4 << 20
DSTOP = [sys.executable, "-m", "dstop"]
RANKS_AND_ODD_ONES = """
import json, sys, time
from dstop.draw.ranks import odd_ones, ranks_of
from dstop.monitor import Monitor
from dstop.pytorch.guests import LiveGuests
from dstop.sources.nvml.source import NvmlSource

monitor = Monitor(NvmlSource(), interval_s=0.1, guests=LiveGuests())
deadline = time.monotonic() + 60
while True:
    frame = monitor.step()
    rows = ranks_of(frame.sample.processes, frame.sample.processes[0].facts)
    if (rows and all(row.allocator for row in rows)) or time.monotonic() > deadline:
        break
    time.sleep(0.1)
odd = odd_ones(rows)
print(json.dumps([[row.facts.rank, row.gpu_index, row.pid, odd.get(row.key)] for row in rows]))
monitor.close()
"""


class Machine:
    """A machine of simulated devices, with the processes that were started on it."""

    def __init__(self, cudasim: Any, folder: Path, **environment: str) -> None:
        """Make places for sockets and incidents; the path of a socket has room for 107 bytes only."""
        self.folder, self.python = folder, cudasim.python
        self.sockets, self.incidents = folder / "s", folder / "i"
        for place in (self.sockets, self.incidents):
            place.mkdir(mode=0o700)
        found = cudasim.environment(
            CUDASIM_CTX=str(CONTEXT_BYTES),
            DSTOP_DIR=str(self.sockets),
            DSTOP_INCIDENTS=str(self.incidents),
            XDG_CONFIG_HOME=str(folder),
            XDG_STATE_HOME=str(folder),
            PYTHONDONTWRITEBYTECODE="1",
            **environment,
        )
        not_ours = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_", "TORCHELASTIC_")
        self.environment = {name: value for name, value in found.items() if not name.startswith(not_ours)}
        self.started: list[subprocess.Popen[bytes]] = []

    def start(self, *words: str, **environment: str) -> subprocess.Popen[bytes]:
        """Start a process; what it writes goes to a file."""
        with (self.folder / f"output{len(self.started)}").open("wb") as output:
            process = subprocess.Popen(
                words,
                env=self.environment | environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        self.started.append(process)
        return process

    def output(self, process: subprocess.Popen[bytes]) -> str:
        """Give what a process has written so far."""
        return (self.folder / f"output{self.started.index(process)}").read_text(errors="replace")

    def dstop(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Type a command of dstop's."""
        return subprocess.run(
            [*DSTOP, *words],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )

    def attach(self, pid: int, *words: str) -> subprocess.CompletedProcess[str]:
        """Attach, or skip where this machine lets nobody."""
        done = self.dstop("attach", str(pid), *words)
        for reason in ("ptrace", "x86-64", "permission"):
            if done.returncode == 1 and reason in done.stderr:
                pytest.skip(done.stderr.strip())
        return done

    def overview(self, pids: set[int]) -> dict[int, dict[str, Any]]:
        """Give the rows of these processes, by PID, once each has its allocator; a busy one may miss a step."""
        rows: dict[int, dict[str, Any]] = {}

        def complete() -> bool:
            told = json.loads(self.dstop("--json").stdout)
            rows.update({row["pid"]: row for row in told["processes"]})
            return all(pid in rows and rows[pid]["allocator"] is not None for pid in pids)

        wait_until(complete)
        return rows

    def wait_for(self, path: Path, process: subprocess.Popen[bytes]) -> None:
        """Wait for a file that a process writes."""

        def there() -> bool:
            assert process.poll() is None or path.exists(), self.output(process)
            return path.exists()

        wait_until(there)

    def close(self) -> None:
        """End everything that was started: launchers take their children with them when asked."""
        for process in self.started:
            process.terminate()
        for process in self.started:
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def wait_until(true: Callable[[], bool]) -> None:
    """Wait for something to become true, with patience."""
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture(scope="module")
def machine(new_cudasim: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Machine]]:
    """Give what makes machines."""
    made: list[Machine] = []

    def make(**environment: str) -> Machine:
        made.append(Machine(new_cudasim(), tmp_path_factory.mktemp("m"), **environment))
        return made[-1]

    yield make
    for each in made:
        each.close()


class NoGlobals(pickle.Unpickler):
    """Reads a pickle that needs no code."""

    def find_class(self, module: str, name: str) -> Any:
        """Refuse."""
        raise pickle.UnpicklingError(f"the snapshot asks for {module}.{name}")


# -- Two training processes on one device ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Trainer:
    """A training process in its stride."""

    machine: Machine
    steps_file: Path
    pid: int
    reserved_bytes: int
    workers: list[int]

    @property
    def steps(self) -> int:
        """How many steps it has done."""
        return self.steps_file.stat().st_size


@pytest.fixture(scope="module")
def trainers(machine: Any) -> tuple[Trainer, Trainer]:
    """Give two on one device: one under `dstop run` with workers and a CUDA graph, one that knows nothing of dstop."""
    one = machine(CUDASIM_TOTAL="4GiB")
    script = [one.python, str(TARGETS / "training.py"), str(one.folder)]
    by_run = one.start(*DSTOP, "run", "--", *script, "run", "cuda:0", "graph", "workers")
    by_hand = one.start(*script, "hand", "cuda:0")
    found = []
    for process, name in ((by_run, "run"), (by_hand, "hand")):
        one.wait_for(one.folder / f"{name}.json", process)
        told = json.loads((one.folder / f"{name}.json").read_text())
        found.append(Trainer(one, one.folder / f"{name}.steps", **told))
    return found[0], found[1]


def test_two_processes_on_a_card_are_told_apart(trainers: Any) -> None:
    """The overview splits each into what torch has and its context; nothing on the card is nobody's."""
    by_run, by_hand = trainers
    done = by_run.machine.attach(by_hand.pid, "--once")
    assert done.returncode == 0, done.stderr
    assert "not PyTorch's" in done.stdout
    rows = by_run.machine.overview({by_run.pid, by_hand.pid})
    assert set(rows) == {by_run.pid, by_hand.pid}
    for trainer in trainers:
        row = rows[trainer.pid]
        assert row["allocator"]["reserved_bytes"] == trainer.reserved_bytes
        assert row["allocator"]["not_torch_bytes"] == CONTEXT_BYTES
        assert row["gpu_memory_bytes"] == trainer.reserved_bytes + CONTEXT_BYTES
        assert 0 < row["allocator"]["allocated_bytes"] < trainer.reserved_bytes


def test_the_pool_of_a_cuda_graph_is_told_apart(trainers: Any) -> None:
    """What the graph captured lies in a pool of its own, which nobody else may use."""
    by_run, _ = trainers
    segments = LiveGuests().segments(find_target(by_run.pid).id).segments
    private = [segment for segment in segments if segment.pool != (0, 0)]
    assert sum(segment.allocated_bytes for segment in private) == LAYER_BYTES
    assert {segment.pool for segment in segments} - {private[0].pool} == {(0, 0)}


def test_workers_of_a_data_loader_are_no_guests(trainers: Any) -> None:
    """They have no socket; one that is attached to by hand says what it is, and goes on, as its trainer does."""
    by_run, _ = trainers
    for worker in by_run.workers:
        assert list(by_run.machine.sockets.glob(f"{worker}-*")) == []
    done = by_run.machine.attach(by_run.workers[0], "--once")
    assert done.returncode == 0, done.stderr
    assert "this is the forked child of a process that used CUDA" in done.stdout
    before = by_run.steps
    wait_until(lambda: by_run.steps > before + 20)
    assert by_run.machine.overview({by_run.pid})[by_run.pid]["allocator"] is not None


def test_a_recording_begun_by_hand_names_the_lines(trainers: Any, tmp_path: Path) -> None:
    """`--history on` in a loop that runs; then its lines are named, and PyTorch's own reader reads the snapshot."""
    _, by_hand = trainers
    done = by_hand.machine.attach(by_hand.pid, "--history", "on", "--once")
    assert done.returncode == 0, done.stderr
    guests, me = LiveGuests(), find_target(by_hand.pid).id

    def places() -> dict[str, int]:
        return {
            place.function: site.size_bytes
            for site in guests.sites(me)
            for place in site.places
            if place.file == str(TARGETS / "training.py") and place.function != "main"
        }

    wait_until(lambda: places().get("remember", 0) >= 4 * 12_000_000)
    path = tmp_path / "now.pickle"
    assert by_hand.machine.attach(by_hand.pid, "--snapshot", str(path)).returncode == 0
    assert by_hand.machine.attach(by_hand.pid, "--history", "off", "--once").returncode == 0
    with path.open("rb") as file:
        assert NoGlobals(file).load()["device_traces"][0]
    assert "TOTAL MEM" in _read_with_torch(by_hand.machine, "trace", path)
    reserved = f"{by_hand.reserved_bytes / (1 << 20):.1f}MiB"
    assert reserved in _read_with_torch(by_hand.machine, "stats", path)
    for reader in ("trace_plot", "segment_plot"):
        assert "snapshot.pickle" in _read_with_torch(by_hand.machine, reader, path)


def _read_with_torch(machine: Machine, reader: str, path: Path) -> str:
    written = path.with_suffix(".html")
    words = ["-o", str(written)] if reader.endswith("plot") else []
    done = subprocess.run(
        [machine.python, "-m", "torch.cuda._memory_viz", reader, str(path), *words],
        env=machine.environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return written.read_text() if words else done.stdout


# -- A job of three ranks, which ends for want of memory --------------------------------------------------------------


@dataclass(frozen=True)
class Told:
    """What dstop said of the job while it ran and when it had ended."""

    machine: Machine
    pids: list[int]
    rows: dict[int, dict[str, Any]]
    ranks: list[Any]
    guests: dict[int, Any]
    facts: dict[int, Any]
    exit_code: int
    output: str


@pytest.fixture(scope="module")
def job(machine: Any) -> Told:
    """Start three ranks under `dstop run -- torchrun`, ask everything of them, and let rank 1 run out of memory."""
    one = machine(CUDASIM_TOTAL="4GiB", CUDASIM_DEVICES="3")
    torchrun = str(Path(one.python).with_name("torchrun"))
    words = ["--standalone", "--nproc-per-node", "3", str(TARGETS / "ranks.py"), str(one.folder)]
    launcher = one.start(*DSTOP, "run", "--", torchrun, *words)
    pids = []
    for rank in range(3):
        one.wait_for(one.folder / f"rank{rank}", launcher)
        pids.append(int((one.folder / f"rank{rank}").read_text()))
    rows = one.overview(set(pids))
    done = subprocess.run(
        [sys.executable, "-c", RANKS_AND_ODD_ONES],
        env=one.environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=True,
    )
    guests, ids = LiveGuests(), {pid: find_target(pid).id for pid in pids}
    guests.ask(ids.values())
    answers = guests.answers(patience_s=PATIENCE_S)
    facts = {pid: guests.facts(ids[pid]) for pid in pids}
    guests.close()
    (one.folder / "end").touch()
    return Told(
        machine=one,
        pids=pids,
        rows=rows,
        ranks=json.loads(done.stdout),
        guests={pid: answers[ids[pid]] for pid in pids},
        facts=facts,
        exit_code=launcher.wait(PATIENCE_S),
        output=one.output(launcher),
    )


def test_the_ranks_of_a_job_are_guests(job: Told) -> None:
    """Each came up with the launcher's environment alone, and knows its place and its card."""
    for rank, pid in enumerate(job.pids):
        guest, row = job.guests[pid], job.rows[pid]
        assert (guest.how, guest.rank, guest.local_rank, guest.world_size) == ("run", rank, rank, 3)
        assert [device.index for device in guest.devices] == [rank]
        assert guest.black_box
        assert (row["gpu_index"], row["rank"], row["world_size"]) == (rank, rank, 3)
        assert row["allocator"]["not_torch_bytes"] == CONTEXT_BYTES
    assert len({row["job"] for row in job.rows.values()} - {None}) == 1
    assert set(job.rows) == set(job.pids)


def test_the_odd_rank_is_marked(job: Told) -> None:
    """The ranks stand in order; the one with a gibibyte more is the odd one, and no other is."""
    assert [row[:3] for row in job.ranks] == [[rank, rank, job.pids[rank]] for rank in range(3)]
    odd = [row[3] for row in job.ranks]
    assert odd[0] is odd[2] is None
    assert "allocated 1.0G above the median" in odd[1]


def test_shards_are_counted_as_what_a_rank_has(job: Told) -> None:
    """Under DDP a rank has all parameters, under FSDP2 its share of them, of gradients and of optimizer state."""
    for facts in job.facts.values():
        assert facts.unavailable == {}
        sharded, replicated = sorted(facts.models, key=lambda model: model["local_parameters"])
        assert "DistributedDataParallel" in replicated["class"]
        assert "Sharded" in sharded["class"]
        whole = 6 * 1024 * 1024
        assert replicated["parameters"] == replicated["local_parameters"] == sharded["parameters"] == whole
        assert replicated["parameter_bytes"] == replicated["gradient_bytes"] == 4 * whole
        assert sharded["local_parameters"] == pytest.approx(whole / 3, rel=0.01)
        assert sharded["parameter_bytes"] == sharded["gradient_bytes"] == 4 * sharded["local_parameters"]
        small, large = sorted(optimizer["state_bytes"] for optimizer in facts.optimizers)
        assert small == pytest.approx(2 * sharded["parameter_bytes"], rel=0.01)
        assert large == pytest.approx(2 * replicated["parameter_bytes"], rel=0.01)


def test_the_end_of_a_job_is_explained(job: Told) -> None:
    """One line names the card and the rank; the run's incident leads to that of the rank, with all that it held."""
    assert job.exit_code == 1
    assert sorted(path.name.rpartition("-")[2] for path in job.machine.incidents.iterdir()) == ["exit", "oom"]
    (exit_directory,) = job.machine.incidents.glob("*-exit")
    last = job.output.splitlines()[-1]
    assert last == (
        f"dstop: torchrun exited with 1 (out of memory on GPU 1, rank 1): dstop doctor {exit_directory}"
    )
    ended = read_incident(exit_directory)
    assert ended.exit is not None
    (oom_directory,) = ended.exit.oom_incidents
    oom = read_incident(Path(oom_directory))
    assert (oom.pid, oom.rank, oom.world_size, oom.run) == (job.pids[1], 1, 3, ended.run)
    assert oom.request is not None
    assert (oom.request.device, oom.request.segment_bytes) == (1, 256 << 20)
    assert oom.card is not None
    assert [process.pid for process in oom.card.processes] == [job.pids[1]]
    stacks = (Path(oom_directory) / oom.files["stacks"]).read_text()
    assert "grow" in stacks
    with gzip.open(Path(oom_directory) / oom.files["snapshot"]) as file:
        snapshot = NoGlobals(file).load()
    held = sum(segment["total_size"] for segment in snapshot["segments"])
    assert held == oom.devices[0].stats["reserved_bytes"]["all"]["current"]
    assert oom.card.used_bytes == held + CONTEXT_BYTES


# -- One process on the second of two devices, one with another allocator on the first --------------------------------


@pytest.fixture(scope="module")
def pair(machine: Any) -> tuple[Trainer, Trainer]:
    """Give one process on each of two devices; that on the first uses cudaMallocAsync."""
    one = machine(CUDASIM_TOTAL="4GiB", CUDASIM_DEVICES="2")
    script = [one.python, str(TARGETS / "training.py"), str(one.folder)]
    conf = "backend:cudaMallocAsync"
    first = one.start(*script, "first", "cuda:0", PYTORCH_CUDA_ALLOC_CONF=conf, PYTORCH_ALLOC_CONF=conf)
    second = one.start(*script, "second", "cuda:1")
    found = []
    for process, name in ((first, "first"), (second, "second")):
        one.wait_for(one.folder / f"{name}.json", process)
        told = json.loads((one.folder / f"{name}.json").read_text())
        found.append(Trainer(one, one.folder / f"{name}.steps", **told))
    return found[0], found[1]


def test_another_allocator_says_what_is_missing(pair: Any) -> None:
    """Its figures come, each that it does not count with the reason; recording is refused in one line."""
    first, _ = pair
    done = first.machine.attach(first.pid, "--json")
    told = json.loads(done.stdout)
    assert told["backend"] == "cudaMallocAsync"
    assert told["black_box"] is False
    (device,) = told["devices"]
    assert device["reserved_bytes"] is not None
    assert device["requested_bytes"] is None
    assert "cudaMallocAsync" in device["unavailable"]["requested_bytes"]
    refused = first.machine.attach(first.pid, "--history", "on", "--once")
    assert (refused.returncode, refused.stdout) == (1, "")
    (line,) = refused.stderr.splitlines()
    assert "cudaMallocAsync" in line


def test_a_process_keeps_to_its_device(pair: Any, tmp_path: Path) -> None:
    """After all that can be asked it has a context where it had one, and nowhere else."""
    _, second = pair
    assert second.machine.attach(second.pid, "--history", "on", "--once").returncode == 0
    guests, me = LiveGuests(), find_target(second.pid).id
    guests.ask([me])
    (device,) = guests.answers(patience_s=PATIENCE_S)[me].devices
    assert device.index == 1
    guests.segments(me)
    guests.sites(me)
    guests.facts(me)
    guests.summary(me, 1)
    with pytest.raises(AttachError, match="device 0"):
        guests.summary(me, 0)
    assert guests.snapshot(me, str(tmp_path / "now.pickle.gz")) > 0
    guests.record(me, on=False)
    guests.close()
    rows = json.loads(second.machine.dstop("--json").stdout)["processes"]
    assert {row["gpu_index"] for row in rows if row["pid"] == second.pid} == {1}
    assert os.path.exists(f"/proc/{second.pid}")  # noqa: PTH110 - of this process alone
