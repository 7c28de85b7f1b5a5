"""Attached processes in the frames of a Monitor: rows, histories, events, and failures that cost nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dstop.errors import SourceError
from dstop.model.event import EventKind
from dstop.model.gpu import MigInstance
from dstop.model.guest import ProcessId
from dstop.model.process import ProcessKey
from dstop.monitor import Monitor
from dstop.monitor.allocator_histories import MOST_DEVICES, AllocatorHistories
from dstop.monitor.join import with_allocators
from dstop.testing import (
    FakeGuests,
    FakeSource,
    make_allocator,
    make_gpu,
    make_guest,
    make_process,
    make_sample,
)
from dstop.units import GIB

SAMPLE = make_sample(2, 1)
PID_0, PID_1 = (row.pid for row in SAMPLE.processes)


def _monitor(steps, source=None, **values):
    guests = FakeGuests(steps)
    return Monitor(source or FakeSource([SAMPLE]), interval_s=1.0, guests=guests, **values), guests


def _frames(*steps):
    monitor, _ = _monitor(steps)
    return [monitor.step() for _ in steps]


def _texts(frame, kind):
    return [event.text for event in frame.events if event.kind is kind]


def test_a_row_has_the_allocator_of_its_card():
    """The UUID joins them, whatever number PyTorch gives the card."""
    device = make_allocator(0, gpu_uuid=SAMPLE.gpus[1].uuid)
    guest = make_guest(PID_1, [device])
    (frame,) = _frames([guest])
    assert frame.guests == {guest.id: guest}
    first, second = frame.sample.processes
    assert (first.allocator, second.allocator) == (None, device)
    assert second.not_torch_bytes == second.gpu_memory_bytes - device.reserved_bytes
    assert "allocator" not in first.unavailable


def test_without_guests_a_sample_stays_what_it_is():
    """A Monitor without hooks, and hooks without answers, touch nothing."""
    for monitor in (Monitor(FakeSource([SAMPLE]), interval_s=1.0), _monitor([[]])[0]):
        frame = monitor.step()
        assert frame.sample is SAMPLE
        assert (frame.guests, frame.allocator_history) == ({}, {})


@pytest.mark.parametrize(
    ("devices", "reason"),
    [
        ([make_allocator(0, gpu_uuid="GPU-elsewhere")], "PyTorch holds nothing on this card"),
        ([], "its hook names no device"),
        ([make_allocator(0, gpu_uuid=None), make_allocator(1, gpu_uuid=None)], "does not say which"),
    ],
)
def test_an_allocator_that_cannot_be_placed_says_why(devices, reason):
    """A row of a guest without its allocator has the reason."""
    row = with_allocators(SAMPLE, {SAMPLE.processes[0].id: make_guest(PID_0, devices)}).processes[0]
    assert row.allocator is None
    assert reason in row.unavailable["allocator"]


def test_the_reason_of_the_hook_itself_comes_first():
    """A process without CUDA yet says so in its row."""
    guest = make_guest(PID_0, 0, unavailable={"devices": "torch is not imported"})
    row = with_allocators(SAMPLE, {guest.id: guest}).processes[0]
    assert row.unavailable["allocator"] == "torch is not imported"


@pytest.mark.parametrize("uuid", [None, "MIG-unknown"])
def test_the_only_device_is_that_of_the_only_row(uuid):
    """Where the hook cannot name the card, one device with memory and one row are enough to know."""
    device = make_allocator(0, gpu_uuid=uuid)
    empty = make_allocator(1, gpu_uuid=None, reserved_bytes=0)
    guest = make_guest(PID_0, [device, empty])
    assert with_allocators(SAMPLE, {guest.id: guest}).processes[0].allocator == device
    twice = replace(SAMPLE, processes=(make_process(0, PID_0), make_process(1, PID_0)))
    rows = with_allocators(twice, {guest.id: guest}).processes
    assert [row.allocator for row in rows] == [None, None]
    assert all("does not say which" in row.unavailable["allocator"] for row in rows)


def test_a_driver_that_names_no_card_is_joined_by_the_only_row_too():
    """Where the row has no UUID, the one device with memory is its."""
    sample = replace(SAMPLE, processes=(make_process(0, PID_0, gpu_uuid=None),))
    guest = make_guest(PID_0)
    assert with_allocators(sample, {guest.id: guest}).processes[0].allocator == guest.devices[0]


def test_slices_of_a_card_are_told_apart():
    """Under MIG a process names its slice, or the card that the slice is of."""
    mig = tuple(
        MigInstance(gpu_instance_id=number, compute_instance_id=0, uuid=f"MIG-{number}") for number in (1, 2)
    )
    card = make_gpu(0, mig_enabled=True, mig=mig)
    rows = [make_process(0, pid, gpu_instance_id=pid, compute_instance_id=0) for pid in (1, 2)]
    sample = replace(SAMPLE, gpus=(card,), processes=tuple(rows))
    named = make_guest(1, [make_allocator(0, gpu_uuid="MIG-1")])
    whole = make_guest(2, [make_allocator(0, gpu_uuid=card.uuid)])
    first, second = with_allocators(sample, {named.id: named, whole.id: whole}).processes
    assert (first.allocator, second.allocator) == (named.devices[0], whole.devices[0])


def test_the_processes_of_the_last_sample_are_asked_before_the_driver_is_read():
    """Hooks answer while the driver does; at the first step there is no sample to ask after but the new one."""
    other = make_sample(1, 3)
    monitor, guests = _monitor([[]], FakeSource([SAMPLE, other]))
    monitor.step()
    monitor.step()
    monitor.step()
    ids = [tuple(row.id for row in sample.processes) for sample in (SAMPLE, SAMPLE, other)]
    assert guests.asked == ids
    monitor.close()
    monitor.close()
    assert guests.closed


def test_the_histories_of_watched_processes_are_by_device():
    """One value a step: none while the hook is late, and none before a device was there."""
    one, two = make_allocator(0, allocated_bytes=1), make_allocator(1, allocated_bytes=2)
    late = make_guest(PID_0, [one, two], stale_s=3.0)
    monitor, _ = _monitor([[make_guest(PID_0, [one])], [make_guest(PID_0, [one, two])], [late]])
    process = SAMPLE.processes[0]
    monitor.step()
    monitor.watch_process([process.key])
    monitor.step()
    history = monitor.step().allocator_history[process.id]
    assert history[0].allocated_bytes == (1, 1, None)
    assert history[1].allocated_bytes == (2, None)
    assert history[0].reserved_bytes[:2] == (one.reserved_bytes,) * 2


def test_a_process_without_a_card_has_a_history_too():
    """Attached processes need no row: they are known by PID and start time."""
    guest = make_guest(9)
    monitor, _ = _monitor([[guest]])
    monitor.watch_process([ProcessKey(-1, guest.pid, guest.started_at_s)])
    assert set(monitor.step().allocator_history) == {guest.id}


def test_histories_are_bounded():
    """Devices beyond the bound have no past, and what has left is forgotten."""
    past = AllocatorHistories(10)
    guests = {
        ProcessId(pid, 1.0): make_guest(pid, [make_allocator(index) for index in range(16)])
        for pid in range(1, 140)
    }
    past.push(guests)
    assert len(past) == MOST_DEVICES
    past.push({})
    assert len(past) == 0


def test_memory_that_ran_out_is_an_event():
    """The count grew: one line with the card, also when the program caught the error."""
    device = make_allocator(0, num_ooms=1)
    steps = [
        [make_guest(PID_0, [device])],
        [make_guest(PID_0, [replace(device, num_ooms=2)])],
        [make_guest(PID_0, [replace(device, num_ooms=5)])],
    ]
    frames = _frames(*steps)
    assert _texts(frames[0], EventKind.OUT_OF_MEMORY) == []
    assert _texts(frames[2], EventKind.OUT_OF_MEMORY) == [
        f"train.py ({PID_0}): out of memory on GPU 0 (caught or not)",
        f"train.py ({PID_0}): out of memory on GPU 0 3 times (caught or not)",
    ]
    event = frames[2].events[-1]
    assert (event.gpu_index, event.pid) == (0, PID_0)


def test_a_card_that_is_not_known_is_told_by_pytorchs_number():
    """Without a row there is no GPU to name."""
    steps = [[make_guest(9, [make_allocator(3, num_ooms=count)])] for count in (0, 1)]
    assert _texts(_frames(*steps)[1], EventKind.OUT_OF_MEMORY) == [
        "process 9: out of memory on device 3 (caught or not)"
    ]


def test_a_black_box_is_an_event():
    """An incident more: the line says what to do with it."""
    frames = _frames([make_guest(PID_0)], [make_guest(PID_0, incidents=1)], [make_guest(PID_0, incidents=1)])
    assert _texts(frames[2], EventKind.BLACK_BOX) == [
        f"train.py ({PID_0}) left a black box: run dstop doctor"
    ]


def test_flushed_caches_are_told_once_a_minute():
    """The first flush is told at once, those of the next minute together at its end."""
    source = FakeSource(
        [replace(SAMPLE, taken_at_ns=SAMPLE.taken_at_ns + at * 10**9) for at in (0, 1, 2, 40, 61, 62)]
    )
    guests = [make_guest(PID_0, [make_allocator(0, num_alloc_retries=count)]) for count in (4, 5, 7, 7, 8, 8)]
    monitor, _ = _monitor([[guest] for guest in guests], source)
    told = [_texts(monitor.step(), EventKind.CACHE_FLUSHED) for _ in guests]
    first = f"train.py ({PID_0}) flushed its cache: the driver had no memory left for it"
    assert told[:4] == [[], [first], [first], [first]]
    assert told[4] == told[5] == [first, first.replace("cache:", "cache 3 times:")]


def test_counters_that_are_gone_for_a_step_are_no_news():
    """A refused or silent step has no figures: when they come back they are not taken for growth."""
    device = make_allocator(0, num_ooms=3, num_alloc_retries=3)
    frames = _frames([make_guest(PID_0, [device])], [make_guest(PID_0, 0)], [make_guest(PID_0, [device])])
    assert [event.kind for event in frames[2].events] == [EventKind.HOOK_CAME]


def test_a_hook_that_comes_or_leaves_is_an_event():
    """It is told while the process lives; many at once are one line."""
    came, left = _frames([make_guest(PID_0)], [])
    assert _texts(came, EventKind.HOOK_CAME) == [f"dstop sees inside train.py ({PID_0})"]
    assert _texts(left, EventKind.HOOK_LEFT) == [
        f"dstop no longer sees inside train.py ({PID_0}): its hook has left"
    ]
    (many,) = _frames([make_guest(pid) for pid in range(1, 65)])
    assert _texts(many, EventKind.HOOK_CAME) == ["dstop sees inside 64 processes"]


def test_a_process_that_ended_took_its_hook_with_it():
    """Its end is told already: the hook is not told to have left."""
    source = FakeSource([SAMPLE, replace(SAMPLE, processes=SAMPLE.processes[1:])])
    monitor, _ = _monitor([[make_guest(PID_0)], []], source)
    kinds = [event.kind for _ in range(2) for event in monitor.step().events]
    assert EventKind.PROCESS_ENDED in kinds
    assert EventKind.HOOK_LEFT not in kinds


def test_guests_that_fail_are_told_once_and_cost_nothing_else():
    """The figures of the driver come all the same, and allocators come back with the hooks."""
    broken = OSError("too many files\x1b[2J")
    guest = make_guest(PID_0)
    frames = _frames([guest], broken, broken, [guest])
    assert [len(frame.sample.processes) for frame in frames] == [2] * 4
    assert [bool(frame.guests) for frame in frames] == [True, False, False, True]
    told = _texts(frames[3], EventKind.HOOKS_FAILED)
    assert len(told) == 1
    assert "too many files" in told[0]
    assert told[0].isprintable()


class Unaskable(FakeGuests):
    """Guests whose `ask` fails."""

    def ask(self, processes):  # noqa: ARG002 - as the protocol has it
        """Fail."""
        raise RuntimeError("no sockets")


def test_guests_that_cannot_be_asked_are_heard_all_the_same():
    """One half that fails does not take the other with it."""
    guest = make_guest(PID_0)
    frame = Monitor(FakeSource([SAMPLE]), interval_s=1.0, guests=Unaskable([[guest]])).step()
    assert frame.guests == {guest.id: guest}
    assert "no sockets" in _texts(frame, EventKind.HOOKS_FAILED)[0]


def test_allocators_are_heard_while_the_driver_is_gone():
    """The last rows stay, with the newest answers of the hooks and none that are old."""
    old, new = make_allocator(0), make_allocator(0, allocated_bytes=GIB, requested_bytes=GIB)
    source = FakeSource([SAMPLE, SourceError("gone")])
    steps = [[make_guest(PID_0, [old])], [make_guest(PID_0, [new])], []]
    monitor, _ = _monitor(steps, source, now_ns=lambda: SAMPLE.taken_at_ns + 10**9)
    frames = [monitor.step() for _ in steps]
    assert [frame.sample.processes[0].allocator for frame in frames] == [old, new, None]
    assert frames[2].problem is not None


def test_a_source_is_closed_even_if_its_guests_cannot_be():
    """Whatever closing the hooks raises, the driver is let go of."""

    class Unclosable(FakeGuests):
        def close(self):
            raise OSError("stuck")

    source = FakeSource([SAMPLE])
    with pytest.raises(OSError, match="stuck"):
        Monitor(source, interval_s=1.0, guests=Unclosable()).close()
    assert source.closed


def test_a_process_whose_hook_sees_pytorch_is_a_pytorch_process():
    """Where nothing else told the framework, the hook does; what is known better stays, and so does what is unknown."""
    row = SAMPLE.processes[0]
    unknown = replace(row, facts=replace(row.facts, framework=None))
    served = replace(row, facts=replace(row.facts, framework="vLLM"))
    with_torch = {row.id: make_guest(PID_0)}
    without = {row.id: replace(make_guest(PID_0), torch_version=None)}
    for given, guests, framework in (
        (unknown, with_torch, "pytorch"), (served, with_torch, "vLLM"), (unknown, without, None),
    ):  # fmt: skip
        (joined,) = with_allocators(replace(SAMPLE, processes=(given,)), guests).processes
        assert joined.facts.framework == framework


def test_ranks_that_no_environment_tells_are_those_of_the_hook():
    """Ranks of torch.multiprocessing.spawn are one job of their parent; what an environment tells stays."""
    row = SAMPLE.processes[0]
    spawned = replace(row, facts=replace(row.facts, ppid=77, unavailable={"rank": "not in its environment"}))
    launched = replace(row, facts=replace(row.facts, rank=5, world_size=8, job="torchrun:1"))
    guests = {row.id: replace(make_guest(PID_0), rank=1, local_rank=None, world_size=2)}
    (joined,) = with_allocators(replace(SAMPLE, processes=(spawned,)), guests).processes
    told = joined.facts
    assert (told.rank, told.local_rank, told.world_size, told.job) == (1, None, 2, "pid:77")
    assert "rank" not in told.unavailable
    (joined,) = with_allocators(replace(SAMPLE, processes=(launched,)), guests).processes
    assert (joined.facts.rank, joined.facts.world_size, joined.facts.job) == (5, 8, "torchrun:1")
    alone = {row.id: replace(make_guest(PID_0), rank=0, world_size=1)}
    (joined,) = with_allocators(replace(SAMPLE, processes=(spawned,)), alone).processes
    assert joined.facts.rank is None
