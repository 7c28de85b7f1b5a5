"""The whole first screen, at every size, for every machine."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dstop.draw.gpu_layout import choose_layout
from dstop.draw.line import line_cells, plain
from dstop.draw.look import Look
from dstop.draw.overview import Overview, OverviewState, overview, scrolled, waiting_lines
from dstop.model.frame import Frame, Problem
from dstop.monitor import Monitor
from dstop.sources.demo import DemoSource
from dstop.testing import frames, make_frame, make_sample
from dstop.view.arrange import View, arrange
from dstop.view.only import narrow


def drawn(frame: Frame, width: int, height: int, **state: object) -> Overview:
    """Draw a frame with the plain view."""
    return overview(
        frame, arrange(frame.sample, View()), OverviewState(**state), width=width, height=height, look=Look()
    )


def demo_frame(at_s: float, **options: object) -> Frame:
    """A frame of the demo's story."""
    return Monitor(DemoSource(clock=lambda: at_s, **options), interval_s=1.0).step()


@given(frames(), st.integers(1, 220), st.integers(1, 70), st.sampled_from(["auto", "full", "compact"]))
@settings(max_examples=150, deadline=None)
def test_every_screen_is_filled_exactly(frame: Frame, width: int, height: int, mode: str) -> None:
    """No line is wider or narrower than the terminal, none is missing, whatever the driver said."""
    lines = drawn(frame, width, height, mode=mode).lines
    assert len(lines) == height
    assert {line_cells(line) for line in lines} == {width}


def test_eight_gpus_and_their_processes_fit_80_by_24() -> None:
    """All eight cards and at least six process rows: no peer manages it."""
    picture = drawn(make_frame(make_sample(gpus=8, processes_per_gpu=8)), 80, 24)
    assert len(set(picture.gpu_at.values())) == 8
    assert picture.table_rows >= 6


@pytest.mark.parametrize("gpus", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
def test_every_card_is_on_the_screen(gpus: int, size: tuple[int, int]) -> None:
    """Up to sixteen cards are all shown with room for six processes on the three usual sizes."""
    frame = make_frame(make_sample(gpus=gpus, processes_per_gpu=2))
    picture = drawn(frame, *size)
    text = "\n".join(map(plain, picture.lines))
    for index in range(gpus):
        assert f"{index:>2} " in text
    assert picture.table_rows >= (4 if gpus == 16 and size == (80, 24) else 6)


def test_a_single_card_gets_graphs() -> None:
    """One or two cards are drawn big."""
    layout = choose_layout(1, 200, 57)
    assert layout.blocks
    assert layout.graph_rows >= 4


def test_sixteen_cards_get_a_line_each() -> None:
    """On a small screen nothing but one line a card fits."""
    layout = choose_layout(16, 80, 21)
    assert not layout.blocks


def test_a_lost_card_keeps_its_line() -> None:
    """The tombstone says why it says nothing."""
    text = "\n".join(map(plain, drawn(demo_frame(30, broken=True), 120, 30).lines))
    assert "LOST" in text


def test_a_driver_that_is_gone_is_said_over_the_old_figures() -> None:
    """Old numbers are never shown as new ones."""
    frame = make_frame(
        make_sample(), problem=Problem(message="the driver is gone", fix="reload it", since_ns=10**9)
    )
    lines = drawn(frame, 100, 30, now_ns=8 * 10**9).lines
    assert "figures are 7s old: the driver is gone: reload it" in plain(lines[1])


def test_the_simulated_machine_says_so() -> None:
    """Nobody may take the demo for hardware."""
    for width in (20, 40, 80, 200):
        assert "SIM" in "\n".join(map(plain, drawn(demo_frame(1), width, 24).lines))


def test_unattributed_memory_has_a_row_with_its_cause() -> None:
    """The answer to "who has my memory?"."""
    text = "\n".join(map(plain, drawn(demo_frame(30), 200, 60).lines))
    assert (
        "no listed process: a process that cannot end holds the device: pt_data_worker (401122, state D)"
        in text
    )


def test_mig_instances_are_rows_under_their_card() -> None:
    """Each slice shows its own memory."""
    text = [plain(line) for line in drawn(demo_frame(30, mig=True), 120, 40, mode="compact").lines]
    place = next(y for y, line in enumerate(text) if line.startswith(" 0 "))
    assert "├ 3g.40gb" in text[place + 1]
    assert "└ 1g.10gb" in text[place + 3]


@given(st.integers(0, 50), st.integers(0, 49), st.integers(1, 30), st.integers(1, 50))
def test_the_cursor_is_always_in_sight(top: int, cursor: int, visible: int, count: int) -> None:
    """Scrolling moves the window as little as it takes."""
    cursor = min(cursor, count - 1)
    moved = scrolled(top, cursor, visible, count)
    assert moved <= cursor < moved + visible
    assert moved == 0 or moved + visible <= count


def test_the_mouse_finds_what_is_drawn() -> None:
    """Lines know which row and which card they show."""
    picture = drawn(make_frame(make_sample(gpus=2, processes_per_gpu=3)), 120, 40)
    assert picture.row_at(picture.first_row_y) == 0
    assert picture.row_at(picture.first_row_y + 2) == 2
    assert picture.row_at(0) is None
    assert set(picture.gpu_at.values()) == {0, 1}
    assert picture.column_at(1) is not None


def test_a_long_way_out_gets_a_line_of_its_own() -> None:
    """On a small terminal the fix is not what is cut off, and every card shows the age of its figures."""
    problem = Problem(
        message="the NVIDIA driver was unloaded while it was in use", fix="reload it " * 4, since_ns=10**9
    )
    lines = [
        plain(line)
        for line in drawn(make_frame(make_sample(), problem=problem), 80, 24, now_ns=8 * 10**9).lines
    ]
    assert lines[1].startswith(" figures are 7s old: the NVIDIA")
    assert lines[2].startswith(" reload it reload it")
    assert sum("STALE 7s" in line for line in lines) == 8


def test_what_a_filter_leaves_out_is_not_nobodys() -> None:
    """Other people's memory looks like somebody's when only ours is asked for."""
    sample = narrow(make_sample(gpus=1, processes_per_gpu=4), users=frozenset({"nobody-here"}))
    text = "\n".join(map(plain, drawn(make_frame(sample), 100, 30).lines))
    assert "▓▓" in text
    assert "▒▒" not in text


def test_waiting_for_a_driver_says_so() -> None:
    """A blank screen would say nothing."""
    lines = waiting_lines(80, 24)
    assert "waiting for the driver" in plain(lines[0])
    assert {line_cells(line) for line in lines} == {80}
    assert len(lines) == 24


def test_without_a_card_the_reason_stands_in_the_table():
    """`dstop attach` works without a driver; the first screen then says why it is empty, and nothing hostile."""
    sample = replace(
        make_sample(0, 0), notices=("no figures of any GPU: libnvidia-ml.so.1 is\x1b[2J missing",)
    )
    frame = Frame(sample=sample)
    drawn = overview(frame, arrange(sample, View()), OverviewState(), width=100, height=24, look=Look())
    text = "\n".join(plain(line) for line in drawn.lines)
    assert "no figures of any GPU: libnvidia-ml.so.1 is" in text
    assert "\x1b" not in text
