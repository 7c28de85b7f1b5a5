"""Who has a card's device file open."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from dstop.model.unattributed import Holder
from dstop.sources.procfs.holders import device_holders

if TYPE_CHECKING:
    from conftest import Live, Tree

CARDS = {0: 0, 3: 1}


def test_holders_and_their_cards(tree: Tree) -> None:
    """Numbers of device files become indices of GPUs; other files do not count."""
    tree.add(10, comm="python", state="D")
    tree.open_file(
        10, "/dev/null", "/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia3", "/dev/nvidia0", "/dev/nvidia3"
    )
    tree.add(11, comm="bash")
    tree.open_file(11, "/dev/pts/0", "/srv/dev/nvidia0", "/dev/nvidiactl", "/dev/nvidia-caps/nvidia-cap1")
    holders, sees_all = device_holders(CARDS, tree.root)
    assert holders == (Holder(pid=10, command="python", state="D", gpu_indices=(0, 1)),)
    assert sees_all


def test_monitors_are_no_holders(tree: Tree) -> None:
    """A program that asks for figures has the card open and no memory of it, unless it also computes."""
    tree.add(10, comm="nvidia-persiste")
    tree.open_file(10, "/dev/nvidia0", "/dev/nvidiactl")
    tree.add(11, comm="nvitop")
    tree.open_file(11, "/dev/nvidia0", "/dev/nvidia-uvm")
    assert [holder.pid for holder in device_holders(CARDS, tree.root)[0]] == [11]


def test_threads_of_a_dead_leader_are_looked_at(tree: Tree) -> None:
    """A process whose first thread has ended shows no files: those that are stuck in the driver do."""
    tree.add(10, comm="python", state="Z", threads=3)
    tree.open_file(10)
    tree.open_file(10, "/dev/nvidia0 (deleted)", "/dev/nvidia-uvm", thread=12)
    holders, _ = device_holders(CARDS, tree.root)
    assert holders == (Holder(pid=10, command="python", state="Z", gpu_indices=(0,)),)


def test_a_plain_zombie_holds_nothing(tree: Tree) -> None:
    """A process that only waits to be buried has no files."""
    tree.add(10, state="Z", threads=1)
    tree.open_file(10)
    assert device_holders(CARDS, tree.root) == ((), True)


def test_the_memory_driver_alone_is_held_without_a_card(tree: Tree) -> None:
    """A process with only the memory driver open is named, and no card is blamed."""
    tree.add(10)
    tree.open_file(10, "/dev/nvidia-uvm")
    assert device_holders(CARDS, tree.root)[0][0].gpu_indices == ()


def test_running_out_of_time_is_said(tree: Tree) -> None:
    """A search that ends early does not claim to have seen everything."""
    tree.add(10)
    tree.open_file(10, "/dev/nvidia0")
    assert device_holders(CARDS, tree.root, longest_s=-1.0) == ((), False)


def test_we_are_no_holder_of_ours(tree: Tree) -> None:
    """We have the card open and do not report it."""
    tree.add(os.getpid())
    tree.open_file(os.getpid(), "/dev/nvidia0", "/dev/nvidia-uvm")
    assert device_holders(CARDS, tree.root) == ((), True)


@pytest.mark.usefixtures("no_root")
def test_a_refusal_is_said(tree: Tree) -> None:
    """A process of somebody else leaves the answer incomplete."""
    tree.add(10)
    tree.open_file(10, "/dev/nvidia0")
    (tree.path / "10" / "fd").chmod(0)
    assert device_holders(CARDS, tree.root) == ((), False)
    (tree.path / "10" / "fd").chmod(0o700)


def test_a_folder_that_cannot_be_listed_is_said(tree: Tree) -> None:
    """Whatever the kernel answers but `gone`, the search is incomplete."""
    tree.add(10)
    (tree.path / "10" / "fd").write_text("no folder")
    assert device_holders(CARDS, tree.root) == ((), False)


def test_a_live_process_is_looked_at(live: Live) -> None:
    """On the real machine, a process without a card open is none of the holders."""
    pid = live.python("import sys; sys.stdin.read()")
    holders, _ = device_holders(CARDS, longest_s=20.0)
    assert pid not in {holder.pid for holder in holders}
