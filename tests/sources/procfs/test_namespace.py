"""Where dstop itself runs."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from dstop.sources.procfs.namespace import in_initial_pid_namespace, map_pid, own_container

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Tree

HEX = "3f2a1b9c0d4e5f60718293a4b5c6d7e8f90123456789abcdef0123456789abcd"


def _machine(root: Path, cgroup: str = "0::/\n") -> str:
    (root / "proc" / "self").mkdir(parents=True)
    (root / "proc" / "self" / "cgroup").write_text(cgroup)
    (root / "run").mkdir()
    return str(root)


def test_the_host_is_no_container(tmp_path: Path) -> None:
    """A user's session on the machine itself is none."""
    assert own_container(_machine(tmp_path, "0::/user.slice/session-1.scope\n"), {}) is None


def test_a_batch_job_is_no_container(tmp_path: Path) -> None:
    """A Slurm step sees the machine as it is."""
    assert own_container(_machine(tmp_path, "0::/system.slice/slurmstepd.scope/job_1/step_0\n"), {}) is None


@pytest.mark.parametrize(
    ("file", "cgroup", "environ", "kind"),
    [
        (".dockerenv", "0::/\n", {}, "docker"),
        ("run/.containerenv", "0::/\n", {}, "podman"),
        (None, f"0::/docker/{HEX}\n", {}, "docker"),
        (None, f"5:cpu:/kubepods/pod{'ab' * 16}/{HEX}\n", {}, "kubernetes"),
        (None, "0::/\n", {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, "kubernetes"),
        (None, "0::/\n", {"container": "lxc"}, "lxc"),
    ],
)
def test_containers_are_noticed(
    tmp_path: Path, file: str | None, cgroup: str, environ: dict[str, str], kind: str
) -> None:
    """Each runtime leaves a mark: a file, a path or a variable."""
    root = _machine(tmp_path, cgroup)
    if file is not None:
        (tmp_path / file).touch()
    assert own_container(root, environ) == kind


def test_the_initial_namespace_has_a_fixed_number(tree: Tree) -> None:
    """The kernel's own number for the first namespace tells it from every other."""
    assert in_initial_pid_namespace(tree.root)
    tree.namespace("4026532458")
    assert not in_initial_pid_namespace(tree.root)


def test_a_kernel_that_does_not_say_is_taken_for_the_machine(tmp_path: Path) -> None:
    """Without a link nothing is claimed about another namespace."""
    assert in_initial_pid_namespace(str(tmp_path))


def test_numbers_in_each_namespace(tree: Tree) -> None:
    """What a container calls 17 is found from the host's number."""
    tree.add(4872, nspid="4872 300 17")
    assert map_pid(4872, tree.root) == (4872, 300, 17)
    assert map_pid(1, tree.root) == ()
    tree.add(5, nspid="5 x")
    assert map_pid(5, tree.root) == ()


def test_our_own_number_comes_last() -> None:
    """The live kernel gives this process' own number."""
    assert map_pid(os.getpid())[-1] >= 1
    assert map_pid(os.getpid())[0] == os.getpid()
