"""A forged recording that passes every check is still only odd figures: no face and no rule falls over them."""

from __future__ import annotations

import struct
import zlib
from contextlib import closing

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dstop.cli.program import run
from dstop.draw.event_lines import event_lines
from dstop.draw.line import line_cells
from dstop.draw.look import Look
from dstop.draw.once import once_lines
from dstop.draw.overview import OverviewState, overview
from dstop.errors import DstopError
from dstop.export.csv import gpu_lines, process_lines
from dstop.export.json import sample_line
from dstop.model.event import Event, EventKind
from dstop.monitor import Monitor
from dstop.monitor.expectations import Expectations
from dstop.monitor.player import Player
from dstop.sources.demo.guests import DemoGuests
from dstop.sources.demo.source import DemoSource
from dstop.sources.replay.file import MAGIC
from dstop.sources.replay.guests import ReplayGuests
from dstop.sources.replay.moment import Moment
from dstop.sources.replay.pack import Packer
from dstop.sources.replay.recording import Recording
from dstop.sources.replay.source import ReplaySource
from dstop.view.arrange import View, arrange

WIDTH = 120


class _Block:
    """A block of a recording; a failure of Hypothesis need not print its bytes."""

    def __init__(self, data):
        self.data = data

    def plain(self):
        """Give it as plain data, for forgers."""
        return msgspec.msgpack.decode(self.data)


@pytest.fixture(scope="module", params=["mig", "hooks"])
def block(request):
    """Three seconds of the demo; between them the two have every class of the model."""
    clock = [100.0]
    mig = request.param == "mig"
    source = DemoSource(lambda: clock[0], gpus=2 if mig else 3, mig=mig, broken=mig)
    guests = DemoGuests(source)
    expectations = Expectations(None, at_once=True, ask=guests.facts)
    monitor = Monitor(source, interval_s=1.0, guests=guests, expectations=expectations)
    packer = Packer(1.0)
    for second in range(3):
        frame = monitor.step()
        clock[0] += 1
        packer.add(
            Moment(
                at_ns=second * 10**9 + 10**18,
                sample=frame.sample,
                guests=tuple(frame.guests.values()),
                events=(*frame.events, Event(at_ns=second, kind=EventKind.ECC, text="an error", gpu_index=0)),
            )
        )
    monitor.close()
    return _Block(packer.take())


def _written(path, block):
    data = msgspec.msgpack.encode(block)
    packed = zlib.compress(data)
    fields = (len(packed), len(data), 3, 0, 10**18, 10**18 + 2 * 10**9, zlib.crc32(packed), 0)
    bare = struct.pack("<IIIIqqII", *fields)
    path.write_bytes(MAGIC + bare + struct.pack("<I", zlib.crc32(bare)) + packed)
    return str(path)


_NUMBERS = st.sampled_from(
    [0, 1, -1, 2, 7, 255, 1 << 16, (1 << 31) - 1, 1 << 32, 1 << 53, (1 << 63) - 1, -(1 << 63), 10**18]
) | st.integers(-(1 << 63), (1 << 63) - 1)
_FLOATS = st.sampled_from([0.0, -0.0, 1e18, -1e18, 1e-300, 5e-324, 100.0, 1e10]) | st.floats(-1e18, 1e18)
_TEXTS = st.text(max_size=20) | st.sampled_from(
    ["\x1b[2J", "\0", "日本" * 40, "=1+1", "a" * 5000, "\u202e", "GPU-1"]
)


def _like(cell):
    """Give something else of the same kind as a cell."""
    if isinstance(cell, bool):
        return st.booleans()
    if isinstance(cell, int):
        return _NUMBERS
    if isinstance(cell, float):
        return _FLOATS | _NUMBERS
    if isinstance(cell, str):
        return _TEXTS
    if isinstance(cell, list):
        return st.lists(_TEXTS if cell and isinstance(cell[0], str) else st.integers(-3, 3), max_size=5)
    return st.none() | _NUMBERS | _FLOATS | _TEXTS | st.booleans()


def _forge(data, block):
    """Change some cells of a block into others of their kind."""
    for _ in range(data.draw(st.integers(1, 8))):
        table = block["tables"][data.draw(st.sampled_from(sorted(block["tables"])))]
        name = data.draw(st.sampled_from(sorted(table["columns"])))
        cells = table["columns"][name]
        if len(cells) == 1:
            cells = cells * table["rows"]
        place = data.draw(st.integers(0, len(cells) - 1))
        cells[place] = data.draw(_like(cells[place]))
        table["columns"][name] = cells
    if data.draw(st.booleans()):
        block["texts"] = [{data.draw(_TEXTS): data.draw(_TEXTS), **texts} for texts in block["texts"]]


def _faces(frame):
    """Draw a frame on every face there is."""
    state = OverviewState(now_ns=frame.replay.at_ns)
    drawn = overview(frame, arrange(frame.sample, View()), state, width=WIDTH, height=40, look=Look())
    assert all(line_cells(line) == WIDTH for line in drawn.lines)
    assert once_lines(frame, WIDTH)
    assert event_lines(frame.events, WIDTH)
    assert sample_line(frame.sample, problem=frame.problem, findings=frame.findings, replay=frame.replay)
    assert gpu_lines(frame.sample, frame.replay).count("\n") == len(frame.sample.gpus)
    assert process_lines(frame.sample, frame.replay).count("\n") == len(frame.sample.processes)


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.data())
def test_a_forged_recording_is_drawn_or_refused(block, tmp_path, data):
    """Whatever the figures are, the monitor steps over them and each face draws them, or one sentence refuses them."""
    forged = block.plain()
    _forge(data, forged)
    try:
        with closing(Recording(_written(tmp_path / "forged", forged))) as recording:
            source = ReplaySource(recording)
            player = Player(source, guests=ReplayGuests(source))
            while (frame := player.step_one()) is not None:
                _faces(frame)
                assert not [event for event in frame.events if event.kind.value == "rule_failed"], (
                    frame.events
                )
                assert not [event for event in frame.events if event.kind.value == "hooks_failed"]
    except DstopError:
        return


def test_the_command_line_prints_no_control_characters(block, tmp_path, capfdbinary):
    """A name that would clear the screen is drawn as something else, in text and in an error."""
    forged = block.plain()
    facts = forged["tables"]["ProcessFacts"]
    facts["columns"]["command"] = ["\x1b[2Jevil"] * facts["rows"]
    facts["columns"]["cmdline"] = [["\x1b]0;title\x07", "\x9b1m"]] * facts["rows"]
    forged["tables"]["Host"]["columns"]["name"] = ["\x1b[31mhost"]
    path = _written(tmp_path / "evil\x1b[2J", forged)
    assert run(["replay", path, "--once", "--color", "never"]) == 0
    assert run(["replay", path + "\x1b[2Jabsent", "--once"]) == 1
    out, err = capfdbinary.readouterr()
    assert b"[31mhost" in out
    assert not {"\x1b", "\x07", "\x9b"} & set(out.decode())
    assert b"\x1b" not in err
