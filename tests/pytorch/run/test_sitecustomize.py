"""The cooperative start, in real interpreters: nobody notices it, and torch brings the hook."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dstop.pytorch.run.environment import SITE

TORCH = "print('torch is imported')\n__version__ = '0.fake'\n"


def _python(python=sys.executable, *, site=True, before=(), after=(), words=("-c", "pass"), **variables):
    """Run an interpreter with our directory among those of PYTHONPATH, or without it."""
    path = [*before, *([SITE] if site else []), *after]
    env = {name: value for name, value in os.environ.items() if not name.startswith(("DSTOP_", "PYTHON"))}
    env |= {"PYTHONPATH": os.pathsep.join(map(str, path)), "PYTHONDONTWRITEBYTECODE": "1", **variables}
    return subprocess.run([python, *words], env=env, capture_output=True, text=True, timeout=60, check=False)


def _both(**how):
    """Run the same with and without us, and give both outcomes."""
    with_us, without = _python(**how), _python(**how, site=False)
    return [(done.returncode, done.stdout, done.stderr) for done in (with_us, without)]


def _customize(folder: Path, text: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "sitecustomize.py").write_text(text)
    return folder


LOOK = "import sys; print(sys.path, sys.modules.get('sitecustomize'), sorted(sys.modules))"


@pytest.fixture(params=["3.9", "3.10", "3.11", "3.12", "3.13", "3.14", "3.15"])
def python(request, pythons):
    """Give each interpreter of this machine in turn."""
    found = pythons.get(request.param)
    if found is None:
        pytest.skip(f"this machine has no Python {request.param}")
    return found


def test_a_plain_python_sees_nothing_of_it(python):
    """The path, the modules and what is printed are as without us."""
    with_us, without = _both(python=python, words=("-c", LOOK))
    assert with_us == without


@pytest.mark.parametrize(
    "text",
    [
        "import sys\nprint('mine', __name__, __file__, sys.path)\n",
        "raise RuntimeError('mine is broken')\n",
        "import nothing_of_this_name\n",
        "this is no Python\n",
    ],
    ids=["works", "raises", "imports what is not there", "has a syntax error"],
)
def test_the_users_own_sitecustomize_runs_once_and_as_before(python, tmp_path, text):
    """Whatever the user's file does, it does it once, with the same messages and the same exit code."""
    mine = _customize(tmp_path / "mine", text)
    with_us, without = _both(python=python, after=(mine,), words=("-c", LOOK))
    assert with_us == without


def test_a_sitecustomize_that_leaves_still_leaves(tmp_path):
    """The interpreter ends with the same code and the same last word."""
    mine = _customize(tmp_path / "mine", "raise SystemExit(7)\n")
    with_us, without = _both(after=(mine,))
    assert with_us[0] == without[0] != 0
    assert with_us[2].splitlines()[-1] == without[2].splitlines()[-1]


def test_a_sitecustomize_before_ours_keeps_us_out(tmp_path):
    """Who puts a directory before ours has the word; nothing breaks."""
    mine = _customize(tmp_path / "mine", "print('mine')\n")
    assert _python(before=(mine,)).stdout == "mine\n"


@pytest.mark.parametrize("flag", ["-I", "-E", "-S"])
def test_the_interpreters_own_switches_hold(flag):
    """An isolated interpreter has no finder of ours."""
    look = "import sys; print([type(one).__name__ for one in sys.meta_path])"
    with_us, without = _both(words=(flag, "-c", look))
    assert with_us == without


FINDERS = "import sys; print('_TorchFinder' in [type(one).__name__ for one in sys.meta_path])"


def test_there_is_one_finder_and_the_switch_takes_it_away():
    """DSTOP_HOOK=0 leaves an interpreter as it was."""
    assert _python(words=("-c", FINDERS)).stdout == "True\n"
    assert _python(words=("-c", FINDERS), DSTOP_HOOK="0").stdout == "False\n"


def test_interpreters_that_are_too_old_are_left_alone():
    """Python 2 and 3.6 run it without a word: their syntax is kept, and nothing is installed."""
    root = Path(os.environ.get("PYENV_ROOT") or "~/.pyenv").expanduser()
    old = [
        path for minor in ("2.7", "3.6", "3.7", "3.8") for path in root.glob(f"versions/{minor}.*/bin/python")
    ]
    if not old:
        pytest.skip("this machine has no Python before 3.9")
    for python in old:
        done = _python(str(python), words=("-c", FINDERS))
        assert (done.returncode, done.stdout, done.stderr) == (0, "False\n", ""), python


def _torch(folder: Path, text: str = TORCH) -> Path:
    package = folder / "packages" / "torch"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(text)
    return package.parent


WAIT = """
import glob, os, sys, time
deadline = time.monotonic() + 60
while not glob.glob(os.environ["DSTOP_DIR"] + "/%d-*.sock" % os.getpid()) and time.monotonic() < deadline:
    time.sleep(0.01)
print("sockets", len(glob.glob(os.environ["DSTOP_DIR"] + "/*.sock")))
print("finder", "_TorchFinder" in [type(one).__name__ for one in sys.meta_path])
print("loader", vars(torch.__loader__).get("exec_module"))
"""


def test_importing_torch_starts_the_hook(python, tmp_path):
    """The hook's socket is there soon after the import; the finder has gone and the loader is as it was."""
    packages = _torch(tmp_path)
    done = _python(
        python, after=(packages,), words=("-c", "import torch" + WAIT), DSTOP_DIR=_private(tmp_path)
    )
    assert done.stdout == "torch is imported\nsockets 1\nfinder False\nloader None\n"
    assert done.stderr == ""


def test_looking_for_torch_is_not_importing_it(tmp_path):
    """Libraries that ask whether torch is there start nothing, and the import that follows does."""
    packages = _torch(tmp_path)
    ask = "import importlib.util, os; importlib.util.find_spec('torch'); print(os.listdir(os.environ['DSTOP_DIR']))\n"
    done = _python(after=(packages,), words=("-c", ask + "import torch" + WAIT), DSTOP_DIR=_private(tmp_path))
    assert done.stdout.startswith("[]\ntorch is imported\nsockets 1\n")


def test_an_import_that_fails_may_be_tried_again(tmp_path):
    """A torch that raises raises as without us, and the one that works at last brings the hook."""
    packages = _torch(
        tmp_path, "import os\nif not os.environ.get('READY'): raise ImportError('not yet')\n" + TORCH
    )
    source = (
        "import os\ntry:\n    import torch\nexcept ImportError as why: print(why)\n"
        "os.environ['READY'] = '1'\nimport torch"
    )
    done = _python(after=(packages,), words=("-c", source + WAIT), DSTOP_DIR=_private(tmp_path))
    assert done.stdout.startswith("not yet\ntorch is imported\nsockets 1\n")


def test_without_torch_there_is_the_usual_error():
    """An environment without torch says so in Python's own words."""
    with_us, without = _both(words=("-c", "import torch_that_is_nowhere"))
    assert with_us == without
    done = _python(words=("-S", "-c", "import torch"))
    assert "No module named 'torch'" in done.stderr


def test_children_of_children_have_the_hook(tmp_path):
    """Processes that a worker starts, by spawn and by a shell, carry the hook as well."""
    packages = _torch(tmp_path)
    child = "import torch" + WAIT
    shell = 'exec "$0" -c "$1"'
    source = (
        f"import subprocess, sys; subprocess.call(['/bin/sh', '-c', {shell!r}, sys.executable, {child!r}])"
    )
    done = _python(after=(packages,), words=("-c", source), DSTOP_DIR=_private(tmp_path))
    assert "sockets 1" in done.stdout


def _private(folder: Path) -> str:
    sockets = folder / "s"
    sockets.mkdir(mode=0o700)
    return str(sockets)
