"""Large logs: what is kept of them, at which line, and how much at most."""

from __future__ import annotations

import io
import random
import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dstop.doctor.text.anchors import ANCHORS, OTHERS
from dstop.doctor.text.digest import TAIL_BYTES, Digest
from dstop.doctor.text.long_line import LONGEST_BYTES
from dstop.doctor.text.quota import MOST_BYTES
from dstop.doctor.text.read import read_stream
from dstop.doctor.text.search import searcher, slow_search
from dstop.errors import DstopError

if TYPE_CHECKING:
    from dstop.doctor.text.values import LogText

MIB = 1 << 20
BLOCK = 1 << 20


def filler(size: int) -> bytes:
    """Lines that tell nothing; each says its number."""
    lines: list[bytes] = []
    length = 0
    while length < size:
        lines.append(b"line %d: step loss 2.31 lr 0.001 tokens/s 12345.6\n" % (len(lines) + 1))
        length += len(lines[-1])
    return b"".join(lines)


FILLER = filler(4 * MIB)


def with_line(line: bytes, near: int) -> bytes:
    """Put a line behind the one that holds this offset."""
    at = FILLER.index(b"\n", near) + 1
    return FILLER[:at] + line + b"\n" + FILLER[at:]


def _read(data: bytes) -> LogText:
    return read_stream(io.BytesIO(data), "data")


def _kept(log: LogText) -> set[str]:
    return {line.text for line in log.lines}


def test_begin_and_end_are_kept() -> None:
    """Versions and settings are at the begin, what happened is at the end."""
    log = _read(FILLER)
    assert log.lines[0].text.startswith("line 1:")
    assert log.lines[-1].number == log.total_lines == FILLER.count(b"\n")
    assert log.total_bytes == len(FILLER)
    assert sum(len(line.text) + 1 for line in log.lines) < TAIL_BYTES + 70_000
    assert "It is large" in log.notes[0]


@pytest.mark.parametrize("shift", range(-24, 6))
def test_a_message_across_the_border_of_two_blocks_is_found(shift: int) -> None:
    """Wherever the border cuts it, it is kept with its neighbours, and every line has its number."""
    message = b"torch: CUDA out of memory."
    border = 2 * BLOCK
    at = FILLER.rindex(b"\n", 0, border - 100) + 1
    pad = b"y" * (border + shift - at)
    log = _read(FILLER[:at] + pad + message + b"\n" + FILLER[at:])
    (found,) = [index for index, line in enumerate(log.lines) if "CUDA out of" in line.text]
    number = log.lines[found].number or 0
    assert number == FILLER[:at].count(b"\n") + 1
    assert [line.number for line in log.lines[found - 50 : found + 30]] == list(
        range(number - 50, number + 30)
    )


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(100_000, len(FILLER) - 400_000), min_size=1, max_size=12), st.integers(0, 20))
def test_every_line_has_its_number(places: list[int], cut: int) -> None:
    """Windows that overlap, cross blocks or meet are one text, in order, without a line twice."""
    data = FILLER
    for place in sorted(places, reverse=True):
        at = data.index(b"\n", place) + 1
        data = data[:at] + b"RuntimeError: CUDA error\n" + data[at:]
    digest = Digest()
    size = 300_000 + cut * 7919
    digest.read(data[at : at + size] for at in range(0, len(data), size))
    lines = data.split(b"\n")
    last_end = 0
    for region in digest.regions():
        assert region.start >= last_end
        last_end = region.end
        assert data[region.start : region.end] == region.data
        own = region.data.split(b"\n")
        assert own[:-1] == lines[region.line - 1 : region.line + len(own) - 2]
    assert digest.total_lines == data.count(b"\n")
    assert sum(region.data.count(b"RuntimeError") for region in digest.regions()) == len(places)


def test_a_flood_does_not_hide_what_tells_more() -> None:
    """Each word has places of its own."""
    flood = b"step 1 error=0.01 memory=12GB loss=2.1 failed=0 killed=0 signal=1 lr=0.1\n" * 60_000
    at = len(flood) // 2 // 73 * 73
    data = (
        flood[:at]
        + b"torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 20.00 MiB.\n"
        + flood[at:]
    )
    log = _read(data)
    (line,) = [line for line in log.lines if "Tried to allocate" in line.text]
    assert line.number == at // 73 + 1
    (note,) = [note for note in log.notes if "too often" in note]
    assert re.search(r"\b5\d,\d00 × 'emory'", note)
    assert "of memory" not in note


def test_the_first_and_the_last_of_many_are_kept() -> None:
    """The first says what began it, the last what was the end; what lies between is counted."""
    parts = [FILLER[: MIB // 2]]
    for index in range(400):
        parts += [b"ValueError: number %d\n" % index, FILLER[MIB : MIB + 20_000], b"\n"]
    log = _read(b"".join((*parts, FILLER[: MIB // 2])))
    numbers = {int(found[1]) for text in _kept(log) if (found := re.search(r"number (\d+)", text))}
    assert {*range(10), *range(395, 400)} <= numbers
    assert 40 < len(numbers) < 70
    (note,) = [note for note in log.notes if "too often" in note]
    found = re.search(r"(\d+) × 'Error:'", note)
    assert found is not None
    assert abs(int(found[1]) - (400 - len(numbers))) <= 8, (note, len(numbers))


def test_no_more_is_kept_than_its_bound() -> None:
    """Every word in every few lines: six megabytes and what begin and end take."""
    dice = random.Random(3)
    words = [dice.choice(ANCHORS) for _ in range(400_000)]
    data = b"".join(
        word + b" %d some more of the line, which is long %s\n" % (k, b"z" * (k % 90))
        for k, word in enumerate(words)
    )
    assert len(data) > 20 * MIB
    log = _read(data)
    assert MOST_BYTES < 6 * MIB
    assert sum(len(line.text) + 1 for line in log.lines) < MOST_BYTES + TAIL_BYTES + 70_000
    lines = data.split(b"\n")
    for line in log.lines[:: len(log.lines) // 200]:
        assert lines[(line.number or 0) - 1].decode().rstrip() == line.text


@pytest.mark.parametrize("word", ANCHORS)
def test_every_word_is_found(word: bytes) -> None:
    """In the middle of a large log, once."""
    assert any(word.decode() in text for text in _kept(_read(with_line(b"(( " + word + b" ))", 2_500_000))))
    assert word not in FILLER


def test_words_of_their_own_come_before_others() -> None:
    """No word is listed twice, and none of the others is implied by another of them."""
    assert len(set(ANCHORS)) == len(ANCHORS)
    for word in OTHERS:
        assert not any(other in word for other in OTHERS if other != word), word


_NOISE = random.Random(1).randbytes(3 * MIB)
SHAPES = {
    "one line": b"step loss 2.31 lr 0.001 " * 150_000,
    "one line that floods": b"step error=0.01 memory=12GB " * 150_000,
    "line breaks": b"\n" * (4 * MIB),
    "carriage returns": b"\r 50%|#### | 5/10 [00:10<00:10, 1.2it/s]" * 100_000,
    "UTF-16": (FILLER[: 3 * MIB] + b"CUDA out of memory\n" + FILLER).decode().encode("utf-16"),
    "UTF-16 without a mark": (FILLER[: 3 * MIB] + b"CUDA out of memory\n" + FILLER)
    .decode()
    .encode("utf-16-be"),
    "junk behind text": FILLER[:MIB] + _NOISE,
    "NULs behind text": FILLER[:MIB] + bytes(3 * MIB) + b"CUDA out of memory\n" + FILLER,
    "escape sequences": b"\x1b[31merror\x1b[0m\n" * 300_000,
    "letters of several bytes": "ошибка памяти 😀 ".encode() * 120_000,
}


@pytest.mark.parametrize("shape", SHAPES)
def test_odd_shapes_are_read(shape: str) -> None:
    """Bounded output, numbers in order, printable text; and the message, where there is one."""
    data = SHAPES[shape]
    log = _read(data)
    assert sum(len(line.text) + 1 for line in log.lines) < MOST_BYTES + TAIL_BYTES + 70_000
    assert all(line.text.isprintable() and len(line.text) <= LONGEST_BYTES * 4 for line in log.lines)
    numbers = [line.number or 0 for line in log.lines]
    assert numbers == sorted(numbers)
    assert log.total_lines >= numbers[-1] >= 1
    wanted = "CUDA out of memory"
    if wanted.encode() in data or wanted.encode("utf-16-be") in data or wanted.encode("utf-16-le") in data:
        assert any(wanted in line.text for line in log.lines)


def test_one_line_of_the_whole_log_keeps_its_message() -> None:
    """A log whose line breaks were lost is one line, and still tells."""
    data = FILLER.replace(b"\n", b" ")
    log = _read(data[: 2 * MIB] + b"CUDA out of memory. Tried to allocate 20.00 MiB" + data[2 * MIB :])
    assert any("CUDA out of memory. Tried to allocate 20.00 MiB" in line.text for line in log.lines)
    assert {line.number for line in log.lines} == {1}


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.one_of(st.binary(max_size=60), st.sampled_from(ANCHORS)), min_size=1, max_size=40),
    st.integers(0, 2**32),
)
def test_large_bytes_are_a_log_or_are_refused(parts: list[bytes], seed: int) -> None:
    """Nothing but a bounded LogText or a DstopError, whatever the bytes."""
    dice = random.Random(seed)
    data = b"".join(dice.choices([*parts, b"some text\n", b" "], k=120_000))
    data += b"text\n" * ((3 * MIB - len(data)) // 5)
    try:
        log = _read(data)
    except DstopError:
        return
    assert sum(len(line.text) + 1 for line in log.lines) < MOST_BYTES + TAIL_BYTES + 70_000
    assert all(line.text.isprintable() for line in log.lines)


@given(
    st.binary(max_size=300).map(lambda data: data.replace(b"\0", b" ")),
    st.sampled_from(ANCHORS),
    st.booleans(),
)
def test_the_fast_search_finds_what_the_slow_one_does(data: bytes, word: bytes, put_in: bool) -> None:
    """The C library and Python agree."""
    text = data + word + data if put_in else data
    assert searcher()(text, word) == slow_search(text, word)
