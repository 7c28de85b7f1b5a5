"""The program as a process of its own: signals, pipes, what it loads, the whole way from a driver."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DSTOP = [sys.executable, "-m", "dstop"]


@pytest.fixture
def environ(tmp_path):
    """Give an environment without the tester's own settings."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("DSTOP_", "XDG_"))}
    return {**kept, "PYTHONPATH": str(ROOT), "XDG_CONFIG_HOME": str(tmp_path)}


def _run(environ, *words, **options):
    given = {"capture_output": True, "text": True, "timeout": 60, **options}
    return subprocess.run([*DSTOP, *words], env=environ, check=False, **given)


HEAVY = (
    "textual",
    "rich",
    "asyncio",
    "pynvml",
    "psutil",
    "msgspec",
    "pluggy",
    "platformdirs",
    "tomllib",
    "subprocess",
)


def _loaded_by(environ, code):
    watch = f"import sys\n{code}\nprint(*[name for name in {HEAVY} if name in sys.modules], file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", watch], env=environ, capture_output=True, text=True, check=True
    )
    return done.stderr.split()


def test_the_command_line_loads_nothing_heavy(environ):
    """Importing the command line brings click and the standard library, and not even much of that."""
    assert _loaded_by(environ, "import dstop.cli, dstop.cli.program") == []


@pytest.mark.parametrize("face", ["--once", "--json", "--csv"])
def test_one_sample_loads_nothing_heavy(environ, face):
    """Printing a sample never loads the screen, nor anything else that takes long to start.

    The demo has models that are known by name: where it is shown what they should hold, the catalog is read.
    """
    code = f"from dstop.cli.program import run\nassert run(['demo', {face!r}]) == 0"
    catalog = [] if face == "--csv" else ["tomllib"]
    assert _loaded_by(environ, code) == catalog
    without = f"from dstop.cli.program import run\nassert run(['demo', {face!r}, '--pid', '1']) == 0"
    assert _loaded_by(environ, without) == []


def test_a_reader_that_has_enough_is_no_error(environ):
    """`dstop --json -i 0.25 | head -1` ends quietly and with exit code 0."""
    with subprocess.Popen(
        [*DSTOP, "demo", "--json", "-i", "0.25"], env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as child:
        first = child.stdout.readline()
        child.stdout.close()
        said = child.stderr.read()
        assert (child.wait(30), said) == (0, b"")
    assert json.loads(first)["schema"] == 1


def test_ctrl_c_is_quiet(environ):
    """Ctrl-C ends a repeating run with exit code 130 and no words."""
    with subprocess.Popen(
        [*DSTOP, "demo", "--json", "-i", "30"], env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as child:
        assert child.stdout.readline()
        child.send_signal(signal.SIGINT)
        said = child.stderr.read()
        assert (child.wait(30), said) == (130, b"")


def test_a_full_disk_is_one_line(environ):
    """Output that cannot be written is told in one line, with exit code 1."""
    with Path("/dev/full").open("w") as full:
        done = _run(environ, "demo", "--json", capture_output=False, stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 1
    assert done.stderr == "dstop: cannot write the output: No space left on device: check where it goes\n"


def test_a_closed_output_is_one_line(environ):
    """`dstop >&-` does not end in a traceback."""
    command = f"{sys.executable} -m dstop demo --json >&-"
    done = subprocess.run(
        ["/bin/sh", "-c", command], env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr == "dstop: there is no standard output: do not close it\n"


def test_a_latin_terminal_gets_what_it_can_show(environ):
    """An encoding without block characters gets ASCII instead of an error."""
    done = _run({**environ, "PYTHONIOENCODING": "latin-1"}, "demo", "--once")
    assert done.returncode == 0
    assert done.stdout.isascii()


def test_completion_completes(environ):
    """The shell's question for words after `dstop pi` is answered with pick."""
    asks = {"_DSTOP_COMPLETE": "bash_complete", "COMP_WORDS": "dstop pi", "COMP_CWORD": "1"}
    assert "pick" in _run({**environ, **asks}).stdout


def test_a_machine_without_a_driver_is_one_line(environ):
    """Where there is no NVIDIA driver, the reason is one line and the exit code 1."""
    done = _run({**environ, "LD_LIBRARY_PATH": "/nowhere"}, "--once")
    if done.returncode == 0:
        pytest.skip("this machine has a driver")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("dstop: ")
    assert done.stderr.count("\n") == 1


def test_the_whole_way_from_a_driver(rig, environ):
    """On a simulated machine of eight GPUs, the sample comes through libnvidia-ml to JSON and text."""
    given = {**rig.env(8, 2), "PYTHONPATH": str(ROOT), "XDG_CONFIG_HOME": environ["XDG_CONFIG_HOME"]}
    done = _run(given, "--json")
    assert done.returncode == 0, done.stderr
    sample = json.loads(done.stdout)
    assert len(sample["gpus"]) == 8
    assert all(gpu["memory_total_bytes"] > 0 for gpu in sample["gpus"])
    assert sample["simulated"] is None
    text = _run(given, "--once")
    assert text.returncode == 0, text.stderr
    assert sample["gpus"][0]["name"].split()[1] in text.stdout
