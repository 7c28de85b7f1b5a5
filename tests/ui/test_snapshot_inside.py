"""A snapshot of a process, taken and looked into with one key: asked first, read from a file that nobody else sees."""

from __future__ import annotations

import asyncio
import gzip
import pickle
from dataclasses import replace
from pathlib import Path

from stage import Scene, playing

from dstop.errors import AttachError
from dstop.testing import FakeGuests, make_guest
from dstop.ui.screens.process import ProcessScreen
from dstop.ui.screens.snapshot import SnapshotScreen
from dstop.ui.screens.snapshot_help import SnapshotHelp

QUICK = Scene(past_s=4)
SIZE = (120, 45)
MOST_LOOKS = 500
BASE = 0x7F0000000000


def recording():
    """Give a snapshot of one tensor as torch writes it."""
    frames = [{"name": "fit", "filename": "/home/ann/train.py", "line": 31}]
    block = {
        "address": BASE,
        "size": 4 << 20,
        "requested_size": 4 << 20,
        "state": "active_allocated",
        "frames": frames,
    }
    segment = {
        "device": 0,
        "address": BASE,
        "total_size": 20 << 20,
        "allocated_size": 4 << 20,
        "active_size": 4 << 20,
        "stream": 0,
        "segment_type": "large",
        "blocks": [block, {"address": BASE + (4 << 20), "size": 16 << 20, "state": "inactive", "frames": []}],
    }
    event = {"action": "alloc", "addr": BASE, "size": 4 << 20, "stream": 0, "time_us": 1, "frames": frames}
    return gzip.compress(pickle.dumps({"segments": [segment], "device_traces": [[event]]}))


async def until(stage, pilot, condition):
    """Wait for what a thread is about to bring."""
    for _ in range(MOST_LOOKS):
        if condition():
            return
        await asyncio.sleep(0.01)
        await pilot.pause()
    assert condition(), stage.text()


async def at_a_guest(stage, pilot):
    """Go to a process that carries a hook."""
    row = stage.app.frame.sample.processes[0]
    guest = make_guest(row.pid, started_at_s=row.facts.started_at_s)
    await stage.give(pilot, replace(stage.app.frame, guests={guest.id: guest}))
    await pilot.press("enter")
    await stage.read_to_the_end(pilot)


def is_read(stage):
    """Whether the screen of the snapshot has what it waits for."""
    return isinstance(stage.app.screen, SnapshotScreen) and not stage.app.screen.waiting


def is_gone(path):
    """Whether neither the file nor its folder is there."""
    return not Path(path).exists() and not Path(path).parent.exists()


async def test_it_asks_takes_reads_and_leaves_no_file():
    """The question says what it costs the process; Esc leads back to it."""
    guests = FakeGuests(recording=recording())
    async with playing(QUICK, size=SIZE, guests=guests) as (stage, pilot):
        await at_a_guest(stage, pilot)
        await pilot.press("S")
        assert "its Python may stand still meanwhile" in stage.lines()[-1]
        await pilot.press("n")
        assert "no snapshot was taken" in stage.lines()[-1]
        assert guests.calls == []
        await pilot.press("S", "y")
        await until(stage, pilot, lambda: is_read(stage))
        assert "484586 at " in stage.lines()[0]
        assert "live 4M of 20M reserved" in stage.text()
        assert "/home/ann/train.py:31 fit" in stage.text()
        assert is_gone(guests.calls[0][2][0])
        await pilot.press("m", "question_mark")
        assert isinstance(stage.app.screen, SnapshotHelp)
        await pilot.press("q", "q")
        assert isinstance(stage.app.screen, ProcessScreen)


async def test_frames_go_on_beneath_it():
    """The cards are watched all the same, and the snapshot stands still."""
    guests = FakeGuests(recording=recording())
    async with playing(QUICK, size=SIZE, guests=guests) as (stage, pilot):
        await at_a_guest(stage, pilot)
        await pilot.press("S", "y")
        await until(stage, pilot, lambda: is_read(stage))
        before = stage.text()
        await stage.step(pilot, 3)
        assert stage.text() == before
        await pilot.press("escape")
        assert isinstance(stage.app.screen, ProcessScreen)


async def test_a_simulated_process_has_no_snapshot_and_says_so():
    """No invented figure is shown as a recording."""
    async with playing(QUICK, size=SIZE) as (stage, pilot):
        await pilot.press("enter")
        await stage.read_to_the_end(pilot)
        await pilot.press("S", "y")
        await until(stage, pilot, lambda: is_read(stage))
        assert "is simulated: it has no snapshot to give" in stage.text()
        assert "attach to a process of yours" in stage.text()
        await pilot.press("t", "m", "escape")
        assert isinstance(stage.app.screen, ProcessScreen)


async def test_a_refusal_is_shown_with_its_fix():
    """Whatever the process says, the screen stands."""
    refusal = AttachError("484586 does not answer", fix="wait until it does")
    guests = FakeGuests(refusals={484586: refusal})
    async with playing(QUICK, size=SIZE, guests=guests) as (stage, pilot):
        await at_a_guest(stage, pilot)
        await pilot.press("S", "y")
        await until(stage, pilot, lambda: is_read(stage))
        assert "484586 does not answer" in stage.text()
        assert "wait until it does" in stage.text()


async def test_a_file_that_is_no_snapshot_is_told_and_not_shown():
    """A process may write what it likes."""
    guests = FakeGuests(recording=b"Traceback (most recent call last):")
    async with playing(QUICK, size=SIZE, guests=guests) as (stage, pilot):
        await at_a_guest(stage, pilot)
        await pilot.press("S", "y")
        await until(stage, pilot, lambda: is_read(stage))
        assert "no pickle" in stage.text()
        assert stage.app.is_running
