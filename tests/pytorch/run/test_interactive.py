"""Which commands get the terminal itself."""

from __future__ import annotations

import os
import pty

import pytest

from dstop.pytorch.run.interactive import needs_terminal


@pytest.fixture
def typed():
    """Make standard input a terminal."""
    kept = os.dup(0)
    reads, writes = pty.openpty()
    os.dup2(writes, 0)
    yield
    os.dup2(kept, 0)
    for descriptor in (kept, reads, writes):
        os.close(descriptor)


@pytest.mark.usefixtures("typed")
@pytest.mark.parametrize(
    ("command", "needs"),
    [
        ("bash", True),
        ("/usr/bin/zsh -l", True),
        ("bash --norc -i", True),
        ("bash train.sh", False),
        ("sh -c make", False),
        ("bash -lc make", False),
        ("less log", True),
        ("python train.py", False),
        ("torchrun --nproc-per-node 8 train.py", False),
    ],
)
def test_shells_to_type_into_and_full_screens(command, needs):
    """A shell that runs a script is a job, one without is somebody's."""
    assert needs_terminal(command.split()) is needs


def test_nobody_types_into_a_pipe():
    """Without a keyboard a shell reads a script from its input."""
    kept = os.dup(0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    try:
        assert not needs_terminal(["bash"])
    finally:
        os.dup2(kept, 0)
        os.close(kept)
        os.close(nothing)
