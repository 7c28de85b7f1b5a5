"""What is below a launcher: found by /proc alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dstop.pytorch.below import NotTorchError, torch_below, with_torch_below

if TYPE_CHECKING:
    from pathlib import Path

STAT = "{pid} (python) {state} {ppid} 1 1 0 -1 4194304 1 0 0 0 30 12 0 0 20 0 5 0 815 1000 25 18446744073709551615 1 1"
TORCH, OTHER = "/usr/lib/libtorch_cpu.so\n", "/usr/lib/libc.so\n"


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    """Give a /proc where 2 is a launcher: 3 and 5 below it have PyTorch, 4 has none, 6 hangs, 7 is another's."""
    for pid, ppid, state, maps in (
        (2, 1, "S", OTHER), (3, 2, "R", TORCH), (4, 2, "S", OTHER), (5, 4, "S", TORCH), (6, 2, "D", TORCH),
        (7, 1, "S", TORCH),
    ):  # fmt: skip
        folder = tmp_path / str(pid)
        folder.mkdir()
        (folder / "stat").write_text(STAT.format(pid=pid, ppid=ppid, state=state))
        (folder / "maps").write_text(maps)
    (tmp_path / "stat").write_text("cpu 1 2 3\nbtime 1700000000\n")
    return tmp_path


def test_processes_with_pytorch_are_found_at_any_depth(proc: Path) -> None:
    """Nearest first; neither what hangs in the kernel nor what belongs to somebody else."""
    assert torch_below(2, str(proc)) == (3, 5)
    assert torch_below(4, str(proc)) == (5,)
    assert torch_below(7, str(proc)) == ()


def test_a_refusal_names_what_to_attach_to_instead(proc: Path) -> None:
    """Who gives the launcher's PID gets the line to type; without anything below, the refusal stays."""
    refused = NotTorchError("process 2 (bash) is not a Python process", fix="give another")
    assert with_torch_below(refused, 2, str(proc)).fix == "2 processes below it use PyTorch: dstop attach 3 5"
    assert with_torch_below(refused, 4, str(proc)).fix == "process 5 below it uses PyTorch: dstop attach 5"
    assert with_torch_below(refused, 7, str(proc)) is refused
