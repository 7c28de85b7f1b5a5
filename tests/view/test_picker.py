"""Which cards a job is started on."""

from __future__ import annotations

import pytest

from dstop.errors import DstopError, UsageError
from dstop.model.gpu import MigInstance
from dstop.view.picker import pick, pick_slices


def _card(build, index, free, **rest):
    return build.gpu(index, memory_free_bytes=None if free is None else int(free * build.gib), **rest)


@pytest.fixture(scope="module")
def server(build):
    """Give a server with a card in every condition."""
    return build.sample(
        build.process(3, 30),
        build.process(3, 30),
        build.process(3, 31),
        build.process(9, 90),
        gpus=[
            _card(build, 0, 70, utilization_gpu_pct=90.0),
            _card(build, 1, 20, utilization_gpu_pct=0.0),
            _card(build, 2, 79, stale_s=3.0),
            _card(build, 3, 75, utilization_gpu_pct=5.0),
            _card(build, 4, 80, fault="GPU is lost"),
            _card(build, 5, None, unavailable={"memory_free_bytes": "not supported"}),
            _card(build, 6, 80, mig_enabled=True),
            _card(build, 7, 75),
            _card(build, 8, 80, compute_mode="Prohibited"),
            _card(build, 9, 80, compute_mode="Exclusive_Process"),
        ],
    )


@pytest.mark.parametrize(
    ("options", "picked"),
    [
        ({}, [3, 7, 0]),
        ({"sort": "utilization"}, [3, 0, 7]),
        ({"sort": "index"}, [0, 3, 7]),
        ({"max_utilization": 50.0}, [3]),
        ({"max_processes": 0}, [7, 0]),
        ({"max_processes": 2}, [3, 7, 0]),
        ({"only": {0, 7, 4}}, [7, 0]),
    ],
)
def test_the_best_cards_come_first(server, build, options, picked):
    """Most free first, then least busy; an unknown load is the last choice, or none under a limit."""
    chosen = pick(server, len(picked), 40 * build.gib, **options)
    assert [gpu.index for gpu in chosen] == picked
    with pytest.raises(DstopError):
        pick(server, len(picked) + 1, 40 * build.gib, **options)


def test_every_refused_card_says_why(server, build):
    """When there are too few, each card that was refused is named with its reason, and the exit code is 1."""
    with pytest.raises(DstopError) as caught:
        pick(server, 3, 40 * build.gib, max_utilization=50.0, max_processes=1)
    error = caught.value
    assert not isinstance(error, UsageError)
    assert error.exit_code == 1
    assert error.message == "0 of 3 GPUs with 40.0G free found"
    assert error.fix == (
        "GPU 0: 90 % busy, at most 50 % asked for; GPU 1: 20.0G free, 40.0G needed; "
        "GPU 2: its driver has not answered for 3 s; GPU 3: 2 processes on it, at most 1 asked for; "
        "GPU 4: GPU is lost; GPU 5: its free memory is not known (not supported); "
        "GPU 6: split by MIG: choose one of its slices; GPU 7: its utilisation is not known; "
        "GPU 8: its compute mode prohibits programs; "
        "GPU 9: its compute mode lets one program in, and one is there"
    )


def test_a_machine_without_gpus_refuses(build):
    """Nothing to choose from is an error, too."""
    with pytest.raises(DstopError, match="there are 0 GPUs to choose from"):
        pick(build.sample(), 1, 0)


def test_slices_are_picked_by_room(build):
    """Slices are offered by UUID, the freest first; those without UUID or figure are refused by name."""
    parts = tuple(
        MigInstance(
            gpu_instance_id=number,
            compute_instance_id=0,
            uuid=uuid,
            memory_free_bytes=None if free is None else free * build.gib,
        )
        for number, (uuid, free) in enumerate(
            [("MIG-a", 10), ("MIG-b", 30), (None, 40), ("MIG-c", None), ("MIG-d", 1)]
        )
    )
    server = build.sample(gpus=[build.gpu(0, mig_enabled=True, mig=parts), build.gpu(1)])
    assert [part.uuid for part in pick_slices(server, 2, 5 * build.gib)] == ["MIG-b", "MIG-a"]
    with pytest.raises(DstopError) as caught:
        pick_slices(server, 3, 5 * build.gib)
    assert str(caught.value) == (
        "2 of 3 MIG slices with 5.0G free found: GPU 0 slice 2: it has no UUID to name it by; "
        "GPU 0 slice 3: its free memory is not known; GPU 0 slice 4: 1.0G free, 5.0G needed; "
        "GPU 1: not split by MIG"
    )
    silent = build.sample(
        gpus=[build.gpu(0, mig=parts, stale_s=2.0), build.gpu(1, mig=parts, fault="GPU is lost")]
    )
    with pytest.raises(DstopError, match="GPU 0: its driver does not answer; GPU 1: GPU is lost"):
        pick_slices(silent, 1, 0)
    with pytest.raises(DstopError, match="there are 0 MIG slices"):
        pick_slices(server, 1, 0, only={7})


def test_a_card_that_waits_for_its_instances_says_so(build):
    """MIG that is on without an instance is another thing than MIG that is off."""
    server = build.sample(gpus=[build.gpu(0, mig_enabled=True), build.gpu(1)])
    with pytest.raises(
        DstopError, match="GPU 0: MIG is on, but it has no instance yet; GPU 1: not split by MIG"
    ):
        pick_slices(server, 1, 0)
