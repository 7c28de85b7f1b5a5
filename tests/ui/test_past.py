"""The recorded past of a card on the screen."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from stage import Scene, Stage
from test_sizes import is_whole

from dstop.draw.line import line_cells, plain
from dstop.draw.past_lines import past_lines
from dstop.model.event import Event, EventKind
from dstop.model.past import Past, PastPoint
from dstop.store.writer import Writer
from dstop.testing import make_gpu, make_sample
from dstop.ui.screens.gpu import GpuScreen
from dstop.ui.screens.past import PastScreen

T0 = 1_800_000_000
GIB = 2**30
CARD = "GPU-0000"


def recorded(path, seconds=1200):
    """Write a recording of one card whose memory grows for twenty minutes."""
    writer = Writer(str(path), wall_ns=lambda: T0 * 10**9, steady_s=lambda: 0.0)
    for second in range(seconds):
        gpu = make_gpu(0, uuid=CARD, memory_used_bytes=second * 64 * 2**20)
        sample = replace(make_sample((gpu,), 1), taken_at_ns=(T0 + second) * 10**9)
        happened = [Event(at_ns=sample.taken_at_ns, kind=EventKind.XID, text="Xid 79: fell off", gpu_index=0)]
        writer.add(sample, happened if second == 900 else ())
    assert writer.close()
    return str(path)


@asynccontextmanager
async def showing(path, size=(100, 40), now_s=T0 + 1200):
    """Show the past of the recorded card over the live screen."""
    stage = Stage(Scene())
    async with stage.app.run_test(size=size) as pilot:
        await pilot.pause()
        screen = PastScreen(make_gpu(0, uuid=CARD, memory_total_bytes=80 * GIB), path, now_s=lambda: now_s)
        stage.app.push_screen(screen)
        await rest(pilot, screen)
        yield screen, pilot


async def rest(pilot, screen):
    """Wait until nothing is being read."""
    for _ in range(1000):
        await pilot.pause()
        if not screen.waiting:
            return
        await asyncio.sleep(0.01)
    assert not screen.waiting


def text_of(screen):
    """Give what is on the screen."""
    return "\n".join(plain(line) for line in screen.canvas._lines)


async def test_what_was_recorded_is_seen(tmp_path):
    """Graph, process and event of the last hour; the title says which time it is."""
    async with showing(recorded(tmp_path / "r")) as (screen, _):
        text = text_of(screen)
    assert "recorded: 1 hour" in text
    assert "80.0G" in text
    assert "⣿" in text
    assert "who was on it" in text
    assert "Xid 79: fell off" in text


async def test_time_is_widened_and_moved(tmp_path):
    """Plus shows less, minus more; left goes back, and 0 returns to now."""
    async with showing(recorded(tmp_path / "r")) as (screen, pilot):
        await pilot.press("plus")
        await rest(pilot, screen)
        assert screen.edges == (T0 + 600, T0 + 1200)
        await pilot.press("left")
        await rest(pilot, screen)
        assert screen.edges == (T0 + 300, T0 + 900)
        assert screen._found.since_s == T0 + 300
        await pilot.press("0")
        await rest(pilot, screen)
        assert screen.edges[1] == T0 + 1200
        await pilot.press(*["minus"] * 9)
        await rest(pilot, screen)
        assert "30 days" in text_of(screen)


async def test_without_a_recording_the_screen_says_how_to_start_one(tmp_path):
    """No file: the reason and the next step, and nothing breaks."""
    async with showing(str(tmp_path / "none")) as (screen, _):
        assert "dstop recorder" in text_of(screen)


async def test_a_time_without_a_point_is_said(tmp_path):
    """A card that was not there then has no zero line, but a sentence."""
    async with showing(recorded(tmp_path / "r", 10), now_s=T0 + 10**7) as (screen, _):
        assert "nothing was recorded of this card in that time" in text_of(screen)


async def test_one_key_opens_it_from_the_card(tmp_path, monkeypatch):
    """On the screen of a card, t shows its past, and Escape comes back."""
    monkeypatch.setenv("DSTOP_RECORDING", recorded(tmp_path / "r", 10))
    stage = Stage(Scene())
    async with stage.app.run_test(size=(100, 30)) as pilot:
        await stage.curtain_up(pilot)
        await pilot.press("g", "t")
        await rest(pilot, stage.app.screen)
        assert isinstance(stage.app.screen, PastScreen)
        await pilot.press("escape")
        await pilot.pause()
        assert isinstance(stage.app.screen, GpuScreen)


@pytest.mark.parametrize("size", [(1, 1), (20, 5), (80, 24), (200, 60)], ids=str)
async def test_every_size_is_filled(tmp_path, size):
    """Whatever the terminal has, each line is as wide as it."""
    async with showing(recorded(tmp_path / "r", 60), size) as (screen, _):
        assert is_whole(screen)


def test_a_gap_in_the_recording_is_a_gap_in_the_graph():
    """Between two stretches nothing is drawn: unknown is not zero."""
    points = tuple(
        PastPoint(at_s=at, memory_bytes=40.0 * GIB, memory_most_bytes=40 * GIB, busy_pct=90.0)
        for at in (*range(20), *range(80, 100))
    )
    lines = past_lines(Past(step_s=1, points=points), 0, 100, 80 * GIB, 58)
    assert all(line_cells(line) == 58 for line in lines)
    bottom = plain(lines[8])[7:57]
    assert "⠀" * 25 in bottom
    assert not bottom.startswith("⠀")
    assert not bottom.endswith("⠀⠀")
