"""Less of a sample."""

from __future__ import annotations

import pytest

from dstop.model.unattributed import unattributed_bytes
from dstop.view.filter import parse
from dstop.view.only import narrow


@pytest.fixture(scope="module")
def machine(build):
    """Give two cards with rows of three users."""
    return build.sample(
        build.process(0, 1, 10, user="alice", uid=1000, started_at_s=build.now_ns / 1e9 - 60),
        build.process(1, 2, 20, user="bob"),
        build.process(1, 3, 30, uid=1001),
        build.process(1, 4, 1),
        unattributed=(build.nobodys(0, 5), build.nobodys(1, 6)),
    )


@pytest.mark.parametrize(
    ("asked", "gpus", "pids", "nobodys"),
    [
        ({}, [0, 1], [1, 2, 3, 4], [0, 1]),
        ({"gpu_indices": [1]}, [1], [2, 3, 4], [1]),
        ({"gpu_indices": []}, [], [], []),
        ({"users": {"alice"}}, [0, 1], [1], []),
        ({"users": {"1000", "1001"}}, [0, 1], [1, 3], []),
        ({"users": {"None"}}, [0, 1], [], []),
        ({"pids": [2, 99]}, [0, 1], [2], []),
        ({"filter": parse("mem>5.5G")}, [0, 1], [1, 2, 3], [1]),
        ({"filter": parse("age<5m")}, [0, 1], [1], []),
        ({"filter": parse("share>20"), "gpu_indices": [1]}, [1], [2, 3], []),
        ({"processes": False}, [0, 1], [], []),
        ({"processes": False, "gpu_indices": [0]}, [0], [], []),
    ],
)
def test_narrowed(machine, asked, gpus, pids, nobodys):
    """Only the cards, users, PIDs and rows that were asked for are left."""
    less = narrow(machine, **asked)
    assert [gpu.index for gpu in less.gpus] == gpus
    assert [row.pid for row in less.processes] == pids
    assert [row.gpu_index for row in less.unattributed] == nobodys
    assert (less.taken_at_ns, less.host) == (machine.taken_at_ns, machine.host)


def test_asking_for_nothing_copies_nothing(machine):
    """Without a wish the sample itself comes back."""
    assert narrow(machine) is machine
    assert narrow(machine, filter=parse("")) is machine


@pytest.mark.parametrize(
    "asked", [{"users": {"alice"}}, {"pids": [1]}, {"filter": parse("sm>1000")}, {"processes": False}]
)
def test_memory_of_rows_that_are_left_out_is_still_somebodys(machine, asked):
    """Who asks for one user's processes does not make the memory of all others nobody's."""
    whole = {gpu.index: unattributed_bytes(gpu, machine.processes) for gpu in machine.gpus}
    less = narrow(machine, **asked)
    assert len(less.processes) < len(machine.processes)
    assert {gpu.index: unattributed_bytes(gpu, less.processes) for gpu in less.gpus} == whole


def test_a_row_without_a_figure_leaves_its_card_without_one(build):
    """What is unattributed is not known when a process that is left out does not tell what it has."""
    machine = build.sample(build.process(0, 1, 10), build.process(0, 2, None))
    card = narrow(machine, pids=[1]).gpus[0]
    assert unattributed_bytes(card, ())[0] is None
