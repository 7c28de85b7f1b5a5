"""The allocator of a process on its screen: bar, figures, graphs, versions."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dstop.draw.allocator import DeviceShown, allocator_lines, devices_of, process_bar
from dstop.draw.area_graph import area_rows
from dstop.draw.ascii import ascii_line
from dstop.draw.attach_text import attach_text_lines
from dstop.draw.guest_lines import guest_lines, not_attached_lines, state_lines
from dstop.draw.line import line_cells, plain
from dstop.draw.palette import ANSI, PALETTES
from dstop.model.allocator import Allocator, AllocatorHistory
from dstop.testing import (
    make_allocator,
    make_allocator_history,
    make_facts,
    make_frame,
    make_gpu,
    make_guest,
    make_process,
    make_sample,
)
from dstop.units import GIB, MIB

WIDTHS = st.integers(1, 220)
BYTES = st.none() | st.integers(0, 2**40)
ALLOCATORS = st.builds(
    Allocator,
    index=st.integers(0, 15),
    requested_bytes=BYTES,
    allocated_bytes=BYTES,
    active_bytes=BYTES,
    reserved_bytes=BYTES,
    inactive_split_bytes=BYTES,
    peak_allocated_bytes=BYTES,
    peak_reserved_bytes=BYTES,
    num_alloc_retries=st.none() | st.integers(0, 10**9),
    num_ooms=st.none() | st.integers(0, 10**9),
    unavailable=st.dictionaries(st.text(max_size=8), st.text(max_size=40), max_size=2),
)
CURVE = st.lists(st.none() | st.floats(0, 1e12), max_size=60).map(tuple)
HISTORIES = st.builds(
    AllocatorHistory,
    requested_bytes=CURVE,
    allocated_bytes=CURVE,
    active_bytes=CURVE,
    reserved_bytes=CURVE,
)
DEVICES = st.builds(
    DeviceShown,
    allocator=ALLOCATORS,
    gpu_index=st.none() | st.integers(0, 63),
    held_bytes=BYTES,
    not_torch_bytes=BYTES,
    history=HISTORIES,
)


def text_of(lines):
    """Give lines as one text."""
    return "\n".join(plain(line).rstrip() for line in lines)


@settings(deadline=None)
@given(DEVICES, WIDTHS, st.integers(0, 1))
def test_every_line_of_a_device_is_as_wide_as_asked(device, width, steps):
    """Any figures, also ones that contradict each other, at any width."""
    for line in allocator_lines(device, width, 1.0, steps):
        assert line_cells(line) == width


@settings(deadline=None)
@given(CURVE, CURVE, st.integers(0, 60), st.integers(1, 6))
def test_two_curves_fill_their_box(below, above, width, height):
    """Curves of unequal length too."""
    rows = area_rows(below, above, width, height, 1e12)
    assert len(rows) == height
    assert all(line_cells(row) == width for row in rows)


def test_what_is_between_two_curves_looks_lighter_without_colours():
    """The cells above the filled curve have half of the dots."""
    rows = area_rows([4.0, 4.0], [16.0, 16.0], 1, 4, 16.0)
    assert [plain(row) for row in rows] == ["⢕", "⢕", "⢕", "⣿"]


def test_the_bar_of_a_process_is_in_proportion():
    """Allocated, waiting for another stream, cached, not PyTorch's: 10, 2, 6 and 2 of 20 GiB."""
    inside = make_allocator(allocated_bytes=10 * GIB, active_bytes=12 * GIB, reserved_bytes=18 * GIB)
    device = DeviceShown(allocator=inside, held_bytes=20 * GIB, not_torch_bytes=2 * GIB)
    assert plain(process_bar(device, 40)) == "▇" * 20 + "▒" * 4 + "▄" * 12 + "▚" * 4


def test_the_parts_differ_in_ascii_too():
    """Without Unicode each part still has a sign of its own."""
    inside = make_allocator(allocated_bytes=10 * GIB, active_bytes=12 * GIB, reserved_bytes=18 * GIB)
    device = DeviceShown(allocator=inside, held_bytes=20 * GIB, not_torch_bytes=2 * GIB)
    assert plain(ascii_line(process_bar(device, 10))) == "#####?===&"


def test_the_figures_say_what_lies_between_others():
    """Rounding, other streams, cached and the rest are differences; nobody has to subtract."""
    inside = make_allocator(
        requested_bytes=9 * GIB, allocated_bytes=10 * GIB, active_bytes=12 * GIB, reserved_bytes=18 * GIB
    )
    device = DeviceShown(allocator=inside, gpu_index=3, held_bytes=20 * GIB, not_torch_bytes=2 * GIB)
    text = text_of(allocator_lines(device, 120, 1.0))
    assert "cuda:0 = GPU 3, 20.0G by the driver's count" in text
    for name, amount in (("rounding", "1.0G"), ("other streams", "2.0G"), ("cached", "6.0G")):
        assert amount in text.split(name)[1].split()[:1]


def test_retries_and_errors_are_alarming_and_none_are_not():
    """Red is for a count above zero."""

    def role(count):
        device = DeviceShown(allocator=make_allocator(num_ooms=count))
        spans = [span for line in allocator_lines(device, 120, 1.0) for span in line]
        return spans[next(at for at, (text, _) in enumerate(spans) if text.startswith("OOMs")) + 1][1]

    assert [role(0), role(2)] == ["", "bad"]


def test_what_an_allocator_does_not_say_stands_there_with_its_reason():
    """A dash alone would leave the reader to guess."""
    device = DeviceShown(
        allocator=make_allocator(requested_bytes=None, unavailable={"requested_bytes": "torch 1.13"})
    )
    text = text_of(allocator_lines(device, 100, 1.0))
    assert "requested            –" in text
    assert "– requested_bytes: torch 1.13" in text


def test_without_a_past_there_is_no_graph():
    """A graph of nothing would take five lines to say nothing."""
    short = allocator_lines(DeviceShown(allocator=make_allocator()), 80, 1.0)
    device = DeviceShown(allocator=make_allocator(), history=make_allocator_history())
    assert len(allocator_lines(device, 80, 1.0)) == len(short) + 6


def test_a_device_is_joined_to_its_row_by_the_uuid():
    """PyTorch's number of a device says nothing about the driver's."""
    guest = make_guest(4000, [make_allocator(0, gpu_uuid=make_gpu(5).uuid), make_allocator(1)])
    row = make_process(5, 4000, gpu_memory_bytes=11 * GIB)
    frame = make_frame(make_sample([make_gpu(1), make_gpu(5)], 0, processes=(row,)))
    first, second = devices_of(frame, guest, 5)
    assert (first.gpu_index, first.held_bytes, first.not_torch_bytes) == (5, 11 * GIB, 2 * GIB)
    assert (second.gpu_index, second.held_bytes, second.not_torch_bytes) == (1, None, None)
    assert first.name == "cuda:0 = GPU 5"


def test_more_reserved_than_the_driver_counts_is_not_a_negative_rest():
    """The two figures are not of the same instant."""
    guest = make_guest(4000, [make_allocator(reserved_bytes=12 * GIB)])
    row = make_process(0, 4000, gpu_memory_bytes=11 * GIB)
    frame = make_frame(make_sample([make_gpu(0)], 0, processes=(row,)))
    assert devices_of(frame, guest)[0].not_torch_bytes is None


def test_old_figures_say_how_old_they_are():
    """A process in a long C call is told from one that answers."""
    assert state_lines(make_guest(), 80) == []
    assert "12s old" in text_of(state_lines(make_guest(stale_s=12.0), 80))


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        ({"torch_version": None}, "torch is not imported"),
        ({"cuda_initialized": False}, "CUDA is not initialised"),
        ({"unavailable": {"devices": "pluggable allocator"}}, "pluggable allocator"),
        ({}, "no memory on any device"),
    ],
)
def test_a_guest_without_devices_says_why(overrides, says):
    """An empty screen would look like a bug."""
    assert says in text_of(state_lines(make_guest(devices=(), **overrides), 80))


@pytest.mark.parametrize(
    ("framework", "program", "shown"),
    [
        ("pytorch", "python", 1), ("vLLM", "VLLM::EngineCore", 1), ("JAX", "python", 0), (None, "/usr/bin/python3", 1),
        (None, "gpu-burn", 0),
    ],
)  # fmt: skip
def test_the_way_in_is_offered_where_there_may_be_an_allocator(framework, program, shown):
    """What is no PyTorch program is not worth a try; a Python program that nothing else is known of may be one."""
    assert len(not_attached_lines(make_facts(framework=framework, cmdline=(program, "x")), 80)) == shown


@settings(deadline=None)
@given(WIDTHS)
def test_what_a_guest_says_of_itself_fits(width):
    """Versions wrap at their commas."""
    for line in guest_lines(make_guest(incidents=2, allocator_conf="a:b" * 30), width):
        assert line_cells(line) == width


@pytest.mark.parametrize("width", [40, 80, 160])
def test_the_plain_text_of_a_process_explains_every_figure(width):
    """What `dstop attach PID --once` prints is whole whatever the width."""
    row = make_process(0, 4000, gpu_memory_bytes=10 * GIB)
    lines = attach_text_lines(make_guest(4000, rank=3, world_size=8), [row], width)
    text = text_of(lines)
    assert text.startswith("process 4000, train.py, rank 3 of 8\n")
    assert "  not PyTorch's        1.0G  held and not reserved: CUDA context, NCCL, libraries" in text
    assert "  alloc retries           0  times the cache was flushed" in text
    assert 15 <= len(lines) <= 30
    assert all(line_cells(line) >= width for line in lines)


def test_the_plain_text_without_a_driver_leaves_out_what_only_it_knows():
    """A process that no card lists has no memory by the driver's count."""
    text = text_of(attach_text_lines(make_guest(stale_s=3.0), [], 80))
    assert "  held  " not in text
    assert "not PyTorch's" not in text
    assert "these figures are 3s old" in text
    assert "  reserved             9.0G" in text


def test_every_role_that_is_drawn_is_in_every_theme():
    """A role that a theme does not know would be drawn as plain text."""
    device = DeviceShown(
        allocator=make_allocator(num_ooms=1), not_torch_bytes=512 * MIB, history=make_allocator_history()
    )
    roles = {role for line in allocator_lines(device, 120, 1.0) for _, role in line} | {"seg.private"}
    for palette in PALETTES.values():
        assert roles <= set(palette)
    assert {role for role in roles if role.startswith(("seg.", "graph."))} <= set(ANSI)


def test_an_ended_frame_has_the_guest_it_is_given():
    """Devices keep their order where no card is asked for first."""
    guest = make_guest(4000, 3)
    frame = replace(make_frame(make_sample(1, 0)), guests={guest.id: guest})
    assert [device.allocator.index for device in devices_of(frame, guest)] == [0, 1, 2]
