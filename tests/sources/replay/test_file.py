"""The file of a recording: whole, cut off, continued, damaged, of tomorrow, and made by somebody who means ill."""

from __future__ import annotations

import os
import signal
import struct
import tracemalloc
import zlib
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dstop.errors import RecordingError, SourceError
from dstop.sources.replay import file as layout
from dstop.sources.replay.recording import Recording
from dstop.sources.replay.unpack import unpack
from dstop.sources.replay.writer import RecordingWriter
from dstop.testing import make_allocator, make_frame, make_guest, make_process, make_sample
from dstop.testing.build import TAKEN_AT_S


def at(second):
    """Give a moment, in seconds after that of all built values."""
    return (TAKEN_AT_S + second) * 10**9


def _steps(count, gap_s=1):
    return [make_sample(1, 2, taken_at_ns=at(number * gap_s)) for number in range(count)]


def _all(path):
    recording = Recording(str(path))
    try:
        return [recording.moment(number) for number in range(len(recording))]
    finally:
        recording.close()


def test_what_was_recorded_is_there(record):
    """Every sample comes back, over several blocks, with the place of its time."""
    steps = _steps(100)
    moments = _all(record(*steps))
    assert [moment.sample for moment in moments] == steps
    assert [moment.at_ns for moment in moments] == [sample.taken_at_ns for sample in steps]
    assert [moment.begins for moment in moments] == [True] + [False] * 99


def test_recordings_of_version_1_are_read():
    """A file that the first dstop with recordings wrote is read by every later one; what it holds is in here."""
    moments = _all(Path(__file__).parent / "version-1.dstop")
    assert [moment.at_ns - moments[0].at_ns for moment in moments] == [second * 10**9 for second in range(6)]
    last = moments[-1].sample
    assert (last.taken_at_ns, last.host.name) == (1_775_000_065_000_000_000, "demo-2xh100")
    assert last.simulated == "simulated: no hardware behind these numbers"
    assert last.gpus[0].memory_used_bytes == 71_525_466_112
    held = [
        (
            row.pid,
            row.gpu_memory_bytes,
            row.allocator and row.allocator.allocated_bytes,
            row.expectation and row.expectation.expected_bytes,
        )
        for row in last.processes
    ]
    assert held == [
        (2914377, 12_035_555_328, None, None),
        (77612, 1_308_622_848, None, None),
        (482169, 55_704_551_424, 38_902_614_528, 39_866_054_400),
        (3120548, 15_286_140_928, None, 77_845_338_521),
        (482170, 46_261_075_968, 35_692_519_936, 39_866_054_400),
    ]
    assert [guest.pid for guest in moments[-1].guests] == [482169, 482170]


def test_a_recording_without_a_driver_for_a_while_says_so(record):
    """An outage is recorded with its words, and has its place in time."""
    gone = SourceError("no driver", fix="load it")
    moments = _all(record(*_steps(3), gone, gone))
    assert [moment.problem and moment.problem.message for moment in moments] == [None] * 3 + ["no driver"] * 2
    assert [moment.at_ns for moment in moments] == [at(second) for second in range(5)]


def test_a_clock_that_is_set_back_does_not_undo_the_recording(record):
    """Places never fall; the times in the samples are as they were."""
    steps = [make_sample(1, 1, taken_at_ns=at(second)) for second in (100, 101, 40, 41, 200)]
    moments = _all(record(*steps))
    assert [moment.at_ns for moment in moments] == [at(second) for second in (100, 101, 102, 103, 200)]
    assert [moment.sample.taken_at_ns for moment in moments] == [sample.taken_at_ns for sample in steps]


def test_a_file_that_was_cut_off_is_read_to_its_last_whole_block(record):
    """Wherever the cut is, what was whole is there, and the rest is told."""
    path = record(*_steps(100))
    whole = path.read_bytes()
    ends = _ends(path)
    for cut in (*ends[:-1], ends[1] + 7, ends[1] + layout.HEADER_BYTES + 5, len(whole) - 1):
        path.write_bytes(whole[:cut])
        recording = Recording(str(path))
        assert len(recording) == sum(header.moments for header in _headers(path))
        assert (recording.notice is None) == (cut in ends)
        recording.close()


def _headers(path):
    with layout.open_file(str(path)) as file:
        return layout.scan(file, str(path)).headers


def _ends(path):
    return [header.offset + header.packed for header in _headers(path)]


def test_a_cut_file_can_be_continued(record):
    """What was cut off is dropped, and the new session says that it begins."""
    path = record(*_steps(70))
    path.write_bytes(path.read_bytes()[:-9])
    kept = len(_all(path))
    record(*[make_sample(1, 1, taken_at_ns=at(1000 + number)) for number in range(5)], append=True)
    moments = _all(path)
    assert [moment.begins for moment in moments].count(True) == 2
    assert moments[kept].begins
    assert len(moments) == kept + 5


def test_behind_a_damaged_header_it_goes_on(record):
    """One bad header costs its block: the next one is found, what is left out is told, and places still rise."""
    steps = _steps(130)
    path = record(*steps)
    headers = _headers(path)
    content = bytearray(path.read_bytes())
    content[headers[1].offset - 20] ^= 0x01
    path.write_bytes(content)
    with closing(Recording(str(path))) as recording:
        assert recording.notice == (
            f"this recording is not whole: it is damaged at byte {headers[1].offset - layout.HEADER_BYTES},"
            " and some of it is left out"
        )
        kept = [recording.moment(number).sample for number in range(len(recording))]
    lost = headers[0].moments, headers[0].moments + headers[1].moments
    assert kept == [*steps[: lost[0]], *steps[lost[1] :]]


def test_a_search_for_a_header_has_an_end(tmp_path):
    """A file of noughts, where a header could be everywhere, is given up after a bounded search."""
    path = tmp_path / "noughts"
    path.write_bytes(layout.MAGIC + bytes(3 << 20))
    with pytest.raises(RecordingError, match="damaged at byte 18, and what follows cannot be read"):
        Recording(str(path))


def test_a_damaged_file_is_not_continued(record):
    """Behind a damaged header there may be hours that somebody can still save: nothing is cut away."""
    path = record(*_steps(100))
    content = bytearray(path.read_bytes())
    content[_ends(path)[0] + 3] ^= 0x40
    path.write_bytes(content)
    with pytest.raises(RecordingError, match="not continued: it is damaged at byte"):
        record(*_steps(3), append=True)
    assert path.read_bytes() == content


def test_a_file_that_is_there_is_not_overwritten(record):
    """Without --append a file is left as it is; what is no recording is never continued."""
    path = record(*_steps(3))
    before = path.read_bytes()
    with pytest.raises(RecordingError, match="there already"):
        record(*_steps(3))
    assert path.read_bytes() == before
    path.write_text("a letter\n")
    with pytest.raises(RecordingError, match="not a recording"):
        record(*_steps(3), append=True)
    assert path.read_text() == "a letter\n"


def test_two_recorders_do_not_write_into_one_file(tmp_path):
    """The second is refused while the first records."""
    path = str(tmp_path / "twice.dstop")
    first = RecordingWriter(path, step_s=1.0)
    with pytest.raises(RecordingError, match="being recorded"):
        RecordingWriter(path, step_s=1.0, append=True)
    first.close()
    RecordingWriter(path, step_s=1.0, append=True).close()


def test_a_full_disk_is_told_and_leaves_whole_blocks(tmp_path):
    """What cannot be written is an error with the file's name; the file stays readable."""
    resource = pytest.importorskip("resource")
    path = tmp_path / "full.dstop"
    writer = RecordingWriter(str(path), step_s=1.0)
    writer.add(make_frame(make_sample(1, 1, taken_at_ns=at(0))))
    writer.flush()
    size = path.stat().st_size
    writer.add(make_frame(make_sample(8, 8, taken_at_ns=at(1))))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100, limits[1]))
    try:
        with pytest.raises(RecordingError, match=r"full\.dstop cannot be written"):
            writer.flush()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
    writer.close()
    assert path.stat().st_size == size
    assert len(_all(path)) == 1


def test_a_crowded_machine_makes_short_blocks(tmp_path):
    """A thousand processes that all carry the hook are recorded: a block ends before it is more than a reader takes."""
    rows = tuple(make_process(0, pid) for pid in range(1000, 2000))
    stats = {f"a_counter_of_torch.{number}": 1 << 40 for number in range(120)}
    guests = {}
    path = tmp_path / "crowd.dstop"
    writer = RecordingWriter(str(path), step_s=1.0)
    for second in range(10):
        for row in rows:
            device = make_allocator(
                0, stats={name: count + second + row.pid for name, count in stats.items()}
            )
            guests[row.id] = make_guest(row.pid, [device], started_at_s=row.facts.started_at_s)
        sample = make_sample(1, 0, processes=rows, taken_at_ns=at(second))
        writer.add(replace(make_frame(sample), guests=dict(guests)))
    writer.close()
    headers = _headers(path)
    assert len(headers) > 1
    assert max(header.unpacked for header in headers) <= layout.MOST_UNPACKED
    assert len(_all(path)) == 10
    assert len(_all(path)[-1].guests) == 1000


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param(b"", "not a recording", id="empty"),
        pytest.param(b"\x80\x02}q\x00.", "not a recording", id="pickle"),
        pytest.param(b"dstop recording 1", "holds nothing", id="first line alone"),
        pytest.param(b"dstop recording 1\n", "holds nothing yet", id="no block"),
        pytest.param(b"dstop recording 2\nanything", "version 2.*update dstop", id="newer"),
        pytest.param(b"dstop recording 999999999\n", "update dstop", id="much newer"),
        pytest.param(b"dstop recording x\n", "not a recording", id="no number"),
        pytest.param(b"dstop recording 1\n" + b"\xff" * 44, "damaged at byte 18", id="no header"),
        pytest.param(b"dstop recording 1\n" + b"\xff" * 9, "cut off", id="half a header"),
    ],
)
def test_what_is_no_recording_is_refused(tmp_path, content, words):
    """One sentence says what it is not, or what to update."""
    path = tmp_path / "strange"
    path.write_bytes(content)
    with pytest.raises(RecordingError, match=words):
        Recording(str(path))


def test_what_is_no_file_is_refused(tmp_path):
    """Nobody waits for a pipe, reads a device, or fails at a name with a NUL."""
    os.mkfifo(tmp_path / "pipe")
    for name in (tmp_path / "pipe", tmp_path, "/dev/zero", tmp_path / "absent", "a\0b"):
        with pytest.raises(RecordingError):
            Recording(str(name))


def _block(data, *, moments=1, unpacked=None, first_ns=0, last_ns=0, packed=None):
    packed = zlib.compress(data) if packed is None else packed
    bare = struct.pack(
        "<IIIIqqII", len(packed), unpacked or len(data), moments, 0, first_ns, last_ns, zlib.crc32(packed), 0
    )
    return bare + struct.pack("<I", zlib.crc32(bare)) + packed


@pytest.fixture
def forged(tmp_path):
    """Write a file with right checksums round whatever is in the blocks."""

    def of(*blocks):
        path = tmp_path / "forged"
        path.write_bytes(layout.MAGIC + b"".join(blocks))
        return str(path)

    return of


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\x00", id="a number"),
        pytest.param(b"\xc0", id="nil"),
        pytest.param(b"\xdd\xff\xff\xff\xff", id="four thousand million elements"),
        pytest.param(b"\xdf\xff\xff\xff\xff", id="four thousand million pairs"),
        pytest.param(b"\x91" * 100_000, id="deep"),
        pytest.param(msgspec.msgpack.encode({"tables": {}}), id="half a block"),
    ],
)
def test_a_block_that_no_dstop_has_written_is_refused(forged, data):
    """Right checksums are no proof: each cell is looked at."""
    with (
        closing(Recording(forged(_block(data)))) as recording,
        pytest.raises(RecordingError, match="damaged"),
    ):
        recording.moment(0)


def test_a_bomb_is_not_unpacked(forged):
    """A block that grows beyond what it says is left after that many bytes; one that says too much is not begun."""
    bomb = zlib.compress(b"\x00" * (256 << 20), 9)
    says_little = Recording(forged(_block(b"", packed=bomb, unpacked=1000)))
    tracemalloc.start()
    with closing(says_little), pytest.raises(RecordingError, match="larger or smaller"):
        says_little.moment(0)
    assert tracemalloc.get_traced_memory()[1] < 4 << 20
    tracemalloc.stop()
    with pytest.raises(RecordingError, match="damaged"):
        Recording(forged(_block(b"", packed=bomb, unpacked=256 << 20)))


def _bare(**changes):
    """Give a block of two moments as plain data, for forgers."""
    from dstop.sources.replay.moment import Moment
    from dstop.sources.replay.pack import Packer

    packer = Packer(1.0)
    for second in range(2):
        packer.add(Moment(at_ns=at(second), sample=make_sample(2, 2, taken_at_ns=at(second))))
    return {**msgspec.msgpack.decode(packer.take()), **changes}


def _changed(table, column, cells):
    block = _bare()
    block["tables"][table]["columns"][column] = cells
    return msgspec.msgpack.encode(block)


@pytest.mark.parametrize(
    ("table", "column", "cells"),
    [
        pytest.param("Gpu", "index", ["0"] * 4, id="a text for a number"),
        pytest.param("Gpu", "index", [True] * 4, id="a truth for a number"),
        pytest.param("Gpu", "index", [-1, 0, 1, 2], id="below nought"),
        pytest.param("Gpu", "index", [1, 0, 1, 0], id="out of order"),
        pytest.param("Gpu", "index", [0], id="all the same"),
        pytest.param("Gpu", "index", [0, 1], id="too few"),
        pytest.param("Gpu", "index", [None], id="none"),
        pytest.param("Gpu", "utilization_gpu_pct", [float("nan")], id="NaN"),
        pytest.param("Gpu", "utilization_gpu_pct", [float("inf")], id="infinite"),
        pytest.param("Gpu", "mig", [[5]], id="leads nowhere"),
        pytest.param("Gpu", "mig", [[-1]], id="leads before the beginning"),
        pytest.param("Gpu", "unavailable", [99], id="no such mapping"),
        pytest.param("Gpu", "unavailable", [-1], id="the last mapping"),
        pytest.param("Gpu", "name", ["x" * 70_000], id="a name without end"),
        pytest.param("GpuProcess", "facts", [None], id="nobody"),
        pytest.param("Sample", "host", [7], id="no such host"),
        pytest.param("Sample", "taken_at_ns", [1 << 64 - 1], id="the end of time"),
        pytest.param("ProcessFacts", "started_at_s", [1e300], id="no date"),
    ],
)
def test_a_cell_that_cannot_be_is_refused(table, column, cells):
    """Type, bounds and where a reference leads are checked for every cell, and the field is named."""
    with pytest.raises(RecordingError, match="damaged"):
        unpack(_changed(table, column, cells))


def test_numbers_that_shapes_do_not_have_are_refused():
    """A mapping of numbers needs its keys, its row, and as many columns as keys."""
    for cells, shapes in (
        ([[0, 0]], []),
        ([[0, 1]], [{"keys": ["a"], "columns": [[1]]}]),
        ([[0, 0]], [{"keys": ["a", "b"], "columns": [[1]]}]),
        ([[0, -1]], [{"keys": ["a"], "columns": [[1]]}]),
    ):
        block = _bare(shapes=shapes)
        block["tables"]["Allocator"] = {"rows": 1, "columns": {"index": [0], "stats": cells}}
        with pytest.raises(RecordingError, match="damaged"):
            unpack(msgspec.msgpack.encode(block))


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_flipped_bit_is_a_sentence_or_makes_no_difference(whole_file, tmp_path, data):
    """However a file is damaged, what is read of it was written, in this order, or an error of ours says why not."""
    steps, whole = whole_file
    damaged = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(whole) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    path = tmp_path / "broken"
    path.write_bytes(damaged)
    try:
        moments = _all(path)
    except RecordingError:
        return
    left = iter(steps)
    assert all(moment.sample in left for moment in moments)


@pytest.fixture
def whole_file(record):
    """The steps of a recording, and its bytes."""
    steps = _steps(35)
    return steps, record(*steps).read_bytes()


_PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(1 << 63), (1 << 64) - 1)
    | st.floats()
    | st.text(max_size=8)
    | st.binary(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_whatever_stands_in_a_block_is_a_sentence_or_moments(data):
    """A forger may put anything in the place of anything: it becomes values of the right types, or an error of ours."""
    block = _bare()
    table = data.draw(st.sampled_from(sorted(block["tables"])))
    columns = block["tables"][table]["columns"]
    place = data.draw(st.sampled_from(["column", "cell", "rows", "texts", "shapes", "tables", "step_s"]))
    value = data.draw(_PLAIN)
    column = data.draw(st.sampled_from(sorted(columns)))
    if place == "column":
        columns[column] = value
    elif place == "cell":
        columns[column] = [value] * block["tables"][table]["rows"]
    elif place == "rows":
        block["tables"][table]["rows"] = value
    else:
        block[place] = value
    try:
        found = unpack(msgspec.msgpack.encode(block))
    except RecordingError:
        return
    for moment in found.moments:
        assert isinstance(moment.at_ns, int)
        assert all(isinstance(row.facts.cmdline, tuple) for row in moment.sample.processes)
