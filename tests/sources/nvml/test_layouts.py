"""Process rows out of bytes: three structs, garbage, and the driver that writes another one than it says."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dstop.sources.nvml.layouts import FILL, ROW_BYTES_MAX, Row, parse_rows

PID_MAX = 4194304
CARD = 80 * 2**30
NA = 0xFFFFFFFF
FORMATS = {16: "=I4xQ", 24: "=I4xQII", 32: "=I4xQIIQ"}

rows = st.lists(
    st.tuples(
        st.integers(1, PID_MAX),
        st.integers(0, CARD),
        st.integers(0, 6),
        st.integers(0, 6),
        st.integers(0, CARD),
    ),
    min_size=1,
    max_size=40,
)


def written(size: int, entries: list, room: int = 64) -> bytes:
    """Give a buffer as the driver leaves it: rows of this size, then our fill."""
    width = {16: 2, 24: 4, 32: 5}[size]
    data = b"".join(struct.pack(FORMATS[size], *entry[:width]) for entry in entries)
    return data.ljust(room * ROW_BYTES_MAX, bytes([FILL]))


@given(rows, st.sampled_from([(1, 16), (2, 24), (3, 24), (2, 32), (3, 32)]))
def test_rows_come_back_as_the_driver_wrote_them(entries, case):
    """Whatever struct was written through whichever symbol, PIDs and memory are read from their places."""
    version, size = case
    parsed = parse_rows(written(size, entries), len(entries), version, memory_bytes=CARD, pid_max=PID_MAX)
    assert parsed.dropped == 0
    assert [(row.pid, row.memory_bytes) for row in parsed.rows] == [entry[:2] for entry in entries]
    if size > 16:
        assert [(row.gpu_instance_id, row.compute_instance_id) for row in parsed.rows] == [
            e[2:4] for e in entries
        ]


@given(
    st.binary(max_size=512),
    st.integers(-5, 2**32),
    st.sampled_from([1, 2, 3]),
    st.none() | st.integers(0, CARD),
)
def test_no_bytes_make_it_fail_or_give_an_impossible_row(raw, count, version, memory):
    """Random bytes with any count give rows that can be true, or none, and never an exception."""
    parsed = parse_rows(raw, count, version, memory_bytes=memory, pid_max=PID_MAX)
    for row in parsed.rows:
        assert 0 < row.pid < 2**31
        assert row.memory_bytes is None or row.memory_bytes <= (memory or 2**50)


def test_an_impossible_row_is_dropped_and_counted():
    """One row with more memory than the card and a PID above the kernel's goes; the others stay."""
    entries = [(10, 2**30, NA, NA), (PID_MAX + 9, CARD * 4, NA, NA), (0, 5, NA, NA), (11, 2**31, NA, NA)]
    parsed = parse_rows(written(24, entries), 4, 3, memory_bytes=CARD, pid_max=PID_MAX)
    assert parsed.rows == (Row(10, 2**30), Row(11, 2**31))
    assert parsed.dropped == 2


def test_pids_of_another_kernel_are_kept_when_all_are():
    """Where every PID is above our kernel's they are another kernel's, and their memory is real."""
    entries = [(PID_MAX + 1, 2**30, NA, NA), (PID_MAX + 2, 2**31, NA, NA)]
    parsed = parse_rows(written(24, entries), 2, 3, memory_bytes=CARD, pid_max=PID_MAX)
    assert [row.pid for row in parsed.rows] == [PID_MAX + 1, PID_MAX + 2]
    assert parsed.dropped == 0


def test_memory_that_the_driver_does_not_tell_is_none_with_a_reason():
    """The driver's "not available" (all bits set) becomes None and words, never a huge number."""
    (row,) = parse_rows(written(24, [(7, 2**64 - 1, NA, NA)]), 1, 3, memory_bytes=CARD, pid_max=PID_MAX).rows
    assert row.memory_bytes is None
    assert "does not tell" in row.reason
    assert row.gpu_instance_id is None


@pytest.mark.parametrize("count", [0, -1])
def test_no_rows_are_no_rows(count):
    """A count of nothing reads nothing."""
    assert parse_rows(bytes([FILL]) * 64, count, 3, memory_bytes=CARD, pid_max=PID_MAX).rows == ()
