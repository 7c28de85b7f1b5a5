"""`dstop attach` as a user types it: into processes that run, with and without PyTorch."""

from __future__ import annotations

import gzip
import json
import os
import pickle
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DSTOP = [sys.executable, "-m", "dstop"]
PATIENCE_S = 120
SLEEPER = "import time; print('up', flush=True); time.sleep(1000)"
TRAINER = """
import time, json, torch
torch.backends.cudnn.enabled = False
layer = torch.nn.Linear(1024, 1024).cuda()
optimizer = torch.optim.AdamW(layer.parameters())
for _ in range(2):
    layer(torch.randn(64, 1024, device="cuda")).sum().backward()
    optimizer.step()
print(json.dumps(torch.cuda.memory_stats(0)), flush=True)
while True:
    time.sleep(0.05)
"""


@pytest.fixture
def environ(tmp_path):
    """Give an environment without the tester's own settings, and a place for sockets."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("DSTOP_", "XDG_"))}
    sockets = tmp_path / "s"
    sockets.mkdir(mode=0o700)
    return {
        **kept,
        "PYTHONPATH": str(ROOT),
        "XDG_CONFIG_HOME": str(tmp_path),
        "XDG_STATE_HOME": str(tmp_path),
        "DSTOP_DIR": str(sockets),
    }


def _run(environ, *words, **options):
    given = {"capture_output": True, "text": True, "timeout": PATIENCE_S, **options}
    return subprocess.run([*DSTOP, *words], env=environ, check=False, **given)


@contextmanager
def _started(environ, source, python=sys.executable):
    with subprocess.Popen(
        [python, "-u", "-c", source], env=environ, stdout=subprocess.PIPE, text=True
    ) as target:
        try:
            first = target.stdout.readline()
            assert first, "the target did not start"
            yield target, first
        finally:
            target.kill()


@pytest.fixture
def sleeper(environ):
    """Give a Python process that sleeps, without PyTorch."""
    with _started(environ, SLEEPER) as (target, _):
        yield target


def _attach(environ, target, *words):
    """Attach, or skip where this machine does not let anybody."""
    done = _run(environ, "attach", str(target.pid), *words)
    for reason in ("ptrace", "x86-64", "permission"):
        if done.returncode == 1 and reason in done.stderr:
            pytest.skip(done.stderr.strip())
    return done


def _only_line(done):
    assert done.stdout == ""
    line, *rest = done.stderr.splitlines()
    assert rest == []
    return line


def test_a_process_without_pytorch_is_refused_with_the_way_out(environ, sleeper):
    """One line says that PyTorch is not there, and the target goes on."""
    done = _attach(environ, sleeper, "--once")
    assert done.returncode == 1
    assert "PyTorch" in _only_line(done)
    assert sleeper.poll() is None


def test_a_python_process_is_attached_to_when_asked(environ, sleeper):
    """With --without-torch the hook comes in, says what it is, and that there is no torch."""
    done = _attach(environ, sleeper, "--without-torch", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    told = json.loads(done.stdout)
    assert told["schema"] == 1
    assert told["pid"] == sleeper.pid
    assert told["hook"]["how"] in {"ptrace", "pep768"}
    assert (told["torch_version"], told["devices"]) == (None, [])
    assert told["unavailable"]["torch_version"]


def test_attaching_again_finds_the_hook_and_detaching_takes_it_away(environ, sleeper):
    """The second attach injects nothing; after --detach the socket is gone, and a second one says so."""
    assert _attach(environ, sleeper, "--without-torch", "--once").returncode == 0
    sockets = Path(environ["DSTOP_DIR"])
    assert len(list(sockets.glob("*.sock"))) == 1
    threads = len(list(Path(f"/proc/{sleeper.pid}/task").iterdir()))
    assert _attach(environ, sleeper, "--once").returncode == 0
    assert len(list(Path(f"/proc/{sleeper.pid}/task").iterdir())) == threads
    gone = _run(environ, "attach", str(sleeper.pid), "--detach")
    assert (gone.returncode, gone.stdout) == (0, "")
    assert f"detached from {sleeper.pid}" in gone.stderr
    assert list(sockets.glob("*.sock")) == []
    again = _run(environ, "attach", str(sleeper.pid), "--detach")
    assert again.returncode == 1
    assert "no hook" in _only_line(again)
    assert sleeper.poll() is None


def test_what_cannot_be_asked_of_a_process_without_cuda_is_refused(environ, sleeper):
    """A recording needs CUDA; the refusal says what is missing."""
    done = _attach(environ, sleeper, "--without-torch", "--history", "on", "--once")
    assert done.returncode == 1
    assert "torch is not imported" in _only_line(done)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ((), 2),
        (("0",), 2),
        (("nonsense",), 2),
        (("4194303",), 1),
        (("1", "2", "--snapshot", "x"), 2),
        (("1", "--detach", "--json"), 2),
        (("1", "--interval", "nan"), 2),
    ],
)
def test_nonsense_is_one_line(environ, words, code):
    """No PID, a bad PID, one that is nobody's, options that contradict each other."""
    done = _run(environ, "attach", *words)
    assert done.returncode == code
    assert _only_line(done).startswith("dstop: ")


def test_a_training_process_tells_what_its_allocator_holds(environ, cudasim):
    """The figures are those of torch.cuda.memory_stats, and the driver's figure minus them is not PyTorch's."""
    surroundings = environ | cudasim.environment(DSTOP_DIR=environ["DSTOP_DIR"], PYTHONPATH=str(ROOT))
    with _started(surroundings, TRAINER, cudasim.python) as (target, first):
        stats = json.loads(first)
        told = json.loads(_attach(surroundings, target, "--json").stdout)
        (device,) = told["devices"]
        assert device["allocated_bytes"] == stats["allocated_bytes.all.current"]
        assert device["reserved_bytes"] == stats["reserved_bytes.all.current"]
        assert device["stats"] == stats
        assert device["non_torch_bytes"] == device["gpu_memory_bytes"] - device["reserved_bytes"] > 0
        assert "PyTorch CUDA memory summary" in device["summary"]
        text = _run(surroundings, "attach", str(target.pid), "--once").stdout
        assert "allocated" in text
        assert "not PyTorch's" in text
        overview = json.loads(_run(surroundings, "--json").stdout)
        (row,) = [row for row in overview["processes"] if row["pid"] == target.pid]
        assert row["allocator"]["allocated_bytes"] == device["allocated_bytes"]


class _NoGlobals(pickle.Unpickler):
    def find_class(self, module, name):
        raise AssertionError(f"the snapshot asks for {module}.{name}")


def test_a_snapshot_is_written_by_whoever_asks(environ, cudasim, tmp_path):
    """--snapshot writes a file that needs no code to load; it never writes over one."""
    surroundings = environ | cudasim.environment(DSTOP_DIR=environ["DSTOP_DIR"], PYTHONPATH=str(ROOT))
    with _started(surroundings, TRAINER, cudasim.python) as (target, first):
        path = tmp_path / "now.pickle.gz"
        done = _attach(surroundings, target, "--history", "on", "--snapshot", str(path))
        assert (done.returncode, done.stdout) == (0, "")
        with gzip.open(path) as file:
            snapshot = _NoGlobals(file).load()
        total = sum(segment["total_size"] for segment in snapshot["segments"])
        assert total == json.loads(first)["reserved_bytes.all.current"]
        assert _run(surroundings, "attach", str(target.pid), "--snapshot", str(path)).returncode == 1


def test_an_interval_prints_one_object_a_line(environ, cudasim):
    """-i with -n gives so many lines, each a whole document."""
    surroundings = environ | cudasim.environment(DSTOP_DIR=environ["DSTOP_DIR"], PYTHONPATH=str(ROOT))
    with _started(surroundings, TRAINER, cudasim.python) as (target, _):
        done = _attach(surroundings, target, "--json", "-i", "0.25", "-n", "3")
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        assert [line["pid"] for line in lines] == [target.pid] * 3
        taken = [line["taken_at_ns"] for line in lines]
        assert taken == sorted(set(taken))


def test_detaching_goes_on_after_a_refusal(environ, sleeper):
    """One process without a hook keeps no other from being let go; the exit code tells of it."""
    with _started(environ, SLEEPER) as (bare, _):
        assert _attach(environ, sleeper, "--without-torch", "--once").returncode == 0
        done = _run(environ, "attach", str(bare.pid), str(sleeper.pid), "--detach")
        assert done.returncode == 1
        assert f"detached from {sleeper.pid}" in done.stderr
        assert f"process {bare.pid}" in done.stderr
        assert "carries no hook" in done.stderr


def test_a_process_without_a_row_is_called_by_its_command(environ, sleeper):
    """Where no driver lists it, the text still says what it is, and why the card's figures are missing."""
    done = _attach(environ, sleeper, "--without-torch", "--once")
    assert done.stdout.startswith(f"process {sleeper.pid}, python")
