"""A real PyTorch that runs out of memory on a simulated device, under `dstop run`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from dstop.pytorch.incident.listing import list_incidents

SURVIVED = """
import os, time, torch

def attempt():
    return torch.empty(100 << 30, dtype=torch.uint8, device="cuda")

deadline = time.monotonic() + 60
while not any(name.endswith("-oom") for name in os.listdir(os.environ["DSTOP_INCIDENTS"])):
    try:
        attempt()
    except torch.OutOfMemoryError:
        assert time.monotonic() < deadline
        time.sleep(0.02)
"""
"""The hook arms the black box a moment after CUDA came up, so an error is tried until one was seen."""

OOM = """
import torch
keep = [torch.empty(100 << 20, dtype=torch.uint8, device="cuda") for _ in range(100)]
"""


def _run(cudasim, tmp_path, source, *options, **more):
    (tmp_path / "i").mkdir(mode=0o700)
    env = cudasim.environment(CUDASIM_TOTAL="1GiB", DSTOP_DIR=_private(tmp_path), **more)
    words = [sys.executable, "-m", "dstop", "run", "--incidents", str(tmp_path / "i"), *options, "--"]
    return subprocess.run(
        [*words, cudasim.python, "-c", source],
        env=env,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def _private(folder: Path) -> str:
    sockets = folder / "s"
    sockets.mkdir(mode=0o700, exist_ok=True)
    return str(sockets)


def test_an_out_of_memory_error_is_explained(cudasim, tmp_path):
    """The process leaves an incident, the run another that knows of it, and one line says which."""
    done = _run(cudasim, tmp_path, SURVIVED + OOM, "--name", "boom", RANK="3", WORLD_SIZE="4")
    assert done.returncode == 1
    *oom, ended = list_incidents(tmp_path / "i")
    assert ({one.kind for one in oom}, ended.kind) == ({"oom"}, "exit")
    _check_oom(oom[0], ended.run)
    assert ended.exit is not None
    assert ended.exit.oom_incidents == tuple(str(one.directory) for one in oom)
    assert "OutOfMemoryError" in (ended.directory / "output.txt").read_text()
    last = done.stderr.splitlines()[-1]
    assert last.startswith(
        f"dstop: {Path(cudasim.python).name} exited with 1 (out of memory on GPU 0, rank 3"
    )
    assert last.endswith(f"): dstop doctor {ended.directory}")


def _check_oom(oom, run):
    assert oom.run == run
    assert oom.rank == 3
    assert oom.request.device == 0
    assert oom.request.segment_bytes == 100 << 30
    assert {"snapshot", "summary", "stacks"} <= set(oom.files)


def test_an_error_that_was_survived_is_not_reported(cudasim, tmp_path):
    """When all went well in the end nothing is printed, though the process' own incident is kept."""
    done = _run(cudasim, tmp_path, SURVIVED)
    assert done.returncode == 0
    assert "dstop" not in done.stderr
    assert {one.kind for one in list_incidents(tmp_path / "i")} == {"oom"}


def test_the_black_box_can_be_left_out(cudasim, tmp_path):
    """Without it the process leaves nothing, and the run claims nothing that it does not know."""
    done = _run(cudasim, tmp_path, OOM, "--no-black-box")
    assert [one.kind for one in list_incidents(tmp_path / "i")] == ["exit"]
    assert "(" not in done.stderr.splitlines()[-1]
