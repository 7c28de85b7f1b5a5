"""Files of every kind: what is text is read, what is none is refused in a sentence."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import lzma
import os
import pickle
import random
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dstop.doctor.text.read import log_of_text, read_log, read_stream
from dstop.doctor.text.unpack import unpacked
from dstop.errors import DstopError

TEXT = "épouvantable\nRuntimeError: CUDA out of memory.\n\ndone"
LINES = ["épouvantable", "RuntimeError: CUDA out of memory.", "", "done"]


def _of_bytes(data: bytes) -> list[str]:
    return [line.text for line in read_stream(io.BytesIO(data), "data").lines]


@pytest.mark.parametrize(
    "data",
    [
        TEXT.encode(),
        TEXT.encode("utf-8-sig"),
        TEXT.encode("utf-16"),
        b"\xfe\xff" + TEXT.encode("utf-16-be"),
        TEXT.encode("utf-16-le"),
        TEXT.encode("utf-16-be"),
        TEXT.encode("utf-32"),
        TEXT.replace("\n", "\r\n").encode("utf-16"),
        gzip.compress(TEXT.encode()),
        gzip.compress(TEXT[:20].encode()) + gzip.compress(TEXT[20:].encode()) + bytes(512),
        gzip.compress(TEXT.encode("utf-16")),
        bz2.compress(TEXT.encode()),
        bz2.compress(TEXT[:20].encode()) + bz2.compress(TEXT[20:].encode()),
        lzma.compress(TEXT.encode()),
    ],
    ids=lambda data: data[
        :4
    ].hex(),  # gzip writes the second it was called in: the whole is another name in each worker
)
def test_text_is_read_however_it_is_written(data: bytes) -> None:
    """UTF-8, UTF-16 with and without a mark, packed, packed twice over."""
    assert _of_bytes(data) == LINES


def test_a_log_knows_its_size_and_its_lines(tmp_path: Path) -> None:
    """A last line without an end is a line."""
    path = tmp_path / "train.log"
    path.write_text(TEXT)
    log = read_log(path)
    assert (log.name, log.total_bytes, log.total_lines, log.notes) == (str(path), len(TEXT.encode()), 4, ())
    assert [line.number for line in log.lines] == [1, 2, 3, 4]
    assert log_of_text(TEXT).lines == log.lines


def test_a_log_that_is_empty_says_so() -> None:
    """No lines, and no error."""
    for data in (b"", gzip.compress(b""), b"\xff\xfe", b"\xef\xbb\xbf"):
        log = read_stream(io.BytesIO(data), "data")
        assert (log.lines, log.total_lines, log.notes) == ((), 0, ("It is empty.",))


@pytest.mark.parametrize("packed", [gzip.compress, bz2.compress, lzma.compress])
def test_a_torn_archive_gives_what_is_there(packed: object) -> None:
    """The job died while its log was being packed."""
    text = "".join(f"line {k} {k * 7919 % 1009}\n" for k in range(200_000)).encode()
    data = packed(text)  # type: ignore[operator]
    log = read_stream(io.BytesIO(data[: len(data) * 3 // 4]), "data")
    assert log.lines[0].text == "line 0 0"
    assert log.total_lines > 1000
    assert any("ends too early" in note for note in log.notes)


def test_a_damaged_archive_gives_what_comes_before() -> None:
    """Bytes were lost in the middle; what nothing comes out of is an error."""
    data = bytearray(gzip.compress(os.urandom(300_000).hex().encode()))
    data[len(data) // 2 : len(data) // 2 + 50] = b"\xff" * 50
    log = read_stream(io.BytesIO(bytes(data)), "data")
    assert log.total_bytes > 1000
    assert "damaged" in log.notes[0]
    with pytest.raises(DstopError, match="cannot be unpacked"):
        _of_bytes(b"\x1f\x8b\x08" + b"\xff" * 100)


def test_a_bomb_is_stopped() -> None:
    """What unpacks to more than its bound is read up to there, and it says so."""
    notes: list[str] = []
    bomb = lzma.compress(bytes(64 << 20))
    pieces = unpacked([bomb], "xz", "data", notes, most_bytes=8 << 20)
    assert 8 << 20 <= sum(map(len, pieces)) <= 9 << 20
    assert "more than 8 MiB" in notes[0]


def _zipped() -> bytes:
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w") as archive:
        archive.writestr("train.log", TEXT)
    return memory.getvalue()


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (_zipped(), "zip archive"),
        (b"\x7fELF\x02\x01\x01" + bytes(300), "core dump"),
        (pickle.dumps({"segments": list(range(300))}), "pickle"),
        (gzip.compress(pickle.dumps({"segments": []})), "pickle"),
        (bytes(257) + b"ustar" + bytes(100), "tar archive"),
        (b"LPKSHHRH" + bytes(200), "journalctl"),
        (b"\x89PNG\r\n\x1a\n", "picture"),
        (b"".join(k.to_bytes(4, "little") for k in range(5000)), "binary data"),
        (random.Random(7).randbytes(100_000), "binary data"),
        (bytes(100_000), "nothing but NUL bytes"),
        (bytes(3 << 20), "nothing but NUL bytes"),
        (b"\x28\xb5\x2f\xfd" + bytes(30), "zstd"),
    ],
    ids=lambda value: value.replace(" ", "-") if isinstance(value, str) else "bytes",
)
def test_what_is_no_log_is_refused_by_name(data: bytes, what: str) -> None:
    """The error says what it is and what to give instead."""
    if what == "zstd" and sys.version_info >= (3, 14):
        pytest.skip("this Python unpacks zstd")
    with pytest.raises(DstopError, match=what) as caught:
        _of_bytes(data)
    assert caught.value.fix


def test_a_log_with_junk_in_it_is_a_log() -> None:
    """A few NULs, a torn write, another encoding in the middle."""
    junk = (
        b"step 1\n" * 500
        + bytes(4096)
        + b"\x01\x02\x80\xff\n"
        + TEXT.encode()
        + "\nTrägheit\n".encode("cp1252")
    )
    assert LINES[1] in _of_bytes(junk)
    both = b"a line of a shell's\n" * 20 + ("CUDA out of memory\n" * 40).encode("utf-16-le")
    assert any("CUDA out of memory" in text for text in _of_bytes(both))


def test_the_hole_of_a_log_that_was_cut_is_left_out() -> None:
    """Who cuts a log with copytruncate leaves NULs up to where its writer goes on."""
    for size in (100_000, 3_000_001):
        log = read_stream(io.BytesIO(bytes(size) + TEXT.encode()), "data")
        assert [line.text for line in log.lines] == LINES
        assert any("NUL bytes" in note for note in log.notes)


def test_what_cannot_be_opened_is_said(tmp_path: Path) -> None:
    """A directory, nothing, a device, a name that is none."""
    with pytest.raises(DstopError, match="is a directory"):
        read_log(tmp_path)
    with pytest.raises(DstopError, match="there is no"):
        read_log(tmp_path / "absent.log")
    with pytest.raises(DstopError, match="device"):
        read_log(Path("/dev/zero"))
    with pytest.raises(DstopError, match="cannot read"):
        read_log(tmp_path / ("x" * 300))
    with pytest.raises(DstopError, match="cannot read"):
        read_log(Path("a\0b"))
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(DstopError, match="cannot read"):
        read_log(tmp_path / "loop")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_of_somebody_else_is_said_to_be(tmp_path: Path) -> None:
    """Not a traceback, and with what helps."""
    path = tmp_path / "secret.log"
    path.write_text(TEXT)
    path.chmod(0)
    with pytest.raises(DstopError, match="may not be read"):
        read_log(path)


def test_a_pipe_that_gives_nothing_is_given_up(tmp_path: Path) -> None:
    """Nobody writes, or whoever did says nothing: it ends all the same."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    began = time.monotonic()
    with pytest.raises(DstopError, match="gives nothing"):
        read_log(path, first_patience_s=0.1)
    assert time.monotonic() - began < 5
    keep = os.open(path, os.O_RDWR)
    try:
        with pytest.raises(DstopError, match="gives nothing"):
            read_log(path, first_patience_s=0.1)
        os.write(keep, TEXT.encode())
        log = read_log(path, first_patience_s=5, patience_s=0.1)
    finally:
        os.close(keep)
    assert [line.text for line in log.lines] == LINES
    assert "fell silent" in log.notes[0]


def test_a_pipe_is_read_to_its_end(tmp_path: Path) -> None:
    """Its writer comes late and writes slowly."""
    path = tmp_path / "pipe"
    os.mkfifo(path)

    def write() -> None:
        time.sleep(0.1)
        with path.open("wb") as pipe:
            for piece in (TEXT[:10], TEXT[10:]):
                pipe.write(piece.encode())
                pipe.flush()
                time.sleep(0.05)

    writer = threading.Thread(target=write)
    writer.start()
    log = read_log(path, first_patience_s=20)
    writer.join()
    assert ([line.text for line in log.lines], log.notes) == (LINES, ())


def test_a_file_that_grows_is_read_to_where_it_ended(tmp_path: Path) -> None:
    """A log that is being written faster than it is read ends."""
    path = tmp_path / "train.log"
    path.write_bytes(b"line\n" * 600_000)
    ended = threading.Event()

    def grow() -> None:
        with path.open("ab", buffering=0) as file:
            while not ended.is_set():
                file.write(b"more\n" * 10_000)
                time.sleep(0.001)

    writer = threading.Thread(target=grow)
    writer.start()
    try:
        log = read_log(path)
    finally:
        ended.set()
        writer.join()
    assert log.total_lines >= 600_000


@given(st.binary(max_size=3000))
def test_bytes_are_a_log_or_are_refused(data: bytes) -> None:
    """Nothing else escapes, and no more text comes out than went in, unpacked."""
    try:
        log = read_stream(io.BytesIO(data), "data")
    except DstopError:
        return
    assert sum(len(line.text) for line in log.lines) <= max(log.total_bytes, len(data))
    numbers = [line.number or 0 for line in log.lines]
    assert numbers == sorted(numbers)
    assert not numbers or 1 <= numbers[0] <= numbers[-1] <= log.total_lines


@given(
    st.lists(
        st.sampled_from(
            [
                b"\x1f\x8b",
                b"BZh9",
                b"\xfd7zXZ\0",
                b"\xff\xfe",
                b"\0",
                b"\r",
                b"\x1b[",
                b"a",
                b"\xe2\x82",
                b"\n",
            ]
        )
    )
)
def test_odd_begins_are_a_log_or_are_refused(parts: list[bytes]) -> None:
    """Marks and magic numbers with nothing behind them: text without control characters, or an error of ours."""
    with contextlib.suppress(DstopError):
        lines = read_stream(io.BytesIO(b"".join(parts)), "data").lines
        assert not set("\r\n\x1b\0") & set("".join(line.text for line in lines))


def test_a_small_log_loads_nothing_heavy() -> None:
    """Half of what a small log costs would be modules that it does not need."""
    code = (
        "import sys, io; from dstop.doctor.text.read import read_stream;"
        "read_stream(io.BytesIO(b'x\\n' * 9000), 'x');"
        "print([n for n in ('asyncio', 'multiprocessing', 'lzma', 'bz2', 'ctypes', 'concurrent', 'select') if n in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[3],
    )
    assert done.stdout.strip() == "[]"
