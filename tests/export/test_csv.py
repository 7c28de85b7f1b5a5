"""CSV that a spreadsheet can open without running anything."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dstop.export.csv import (
    GPU_COLUMNS,
    PROCESS_COLUMNS,
    gpu_header,
    gpu_lines,
    process_header,
    process_lines,
)
from dstop.model.gpu import Gpu
from dstop.model.host import Host
from dstop.model.process import GpuProcess, ProcessFacts
from dstop.model.sample import Sample
from dstop.testing import make_sample, samples


def _rows(text):
    return list(csv.reader(io.StringIO(text)))


def _process(**facts):
    row = GpuProcess(gpu_index=0, pid=7, facts=ProcessFacts(pid=7, **facts))
    return Sample(taken_at_ns=1, host=Host(name="n"), gpus=(Gpu(index=0),), processes=(row,))


def test_there_is_one_line_per_gpu_under_one_header():
    """Each GPU is a line with a cell for every column."""
    rows = _rows(gpu_header() + gpu_lines(make_sample(3)))
    assert rows[0] == list(GPU_COLUMNS)
    assert [row[2] for row in rows[1:]] == ["0", "1", "2"]
    assert {len(row) for row in rows} == {len(GPU_COLUMNS)}


def test_there_is_one_line_per_process_and_gpu():
    """Each process row is a line with a cell for every column."""
    rows = _rows(process_header() + process_lines(make_sample(2, 3)))
    assert rows[0] == list(PROCESS_COLUMNS)
    assert len(rows) == 7


def test_what_is_not_known_is_an_empty_cell():
    """Nothing is written for a figure that is not known, and 0 for one that is 0."""
    sample = Sample(taken_at_ns=1, host=Host(name="n"), gpus=(Gpu(index=0, utilization_gpu_pct=0),))
    cells = dict(zip(GPU_COLUMNS, _rows(gpu_lines(sample))[0], strict=True))
    assert (cells["power_mw"], cells["utilization_gpu_pct"], cells["remapped_rows_pending"]) == ("", "0", "")


@pytest.mark.parametrize(
    "name", ["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "  =1", "\uff1d1", "|x"]
)
def test_a_cell_that_would_be_a_formula_is_disarmed(name):
    """A process that names itself like a formula is a text in the spreadsheet."""
    cells = dict(zip(PROCESS_COLUMNS, _rows(process_lines(_process(command=name)))[0], strict=True))
    assert cells["command"].startswith("'")


def test_quotes_commas_and_line_breaks_stay_in_their_cell():
    """An argument with anything in it neither ends the cell nor the line."""
    (row,) = _rows(process_lines(_process(command="p", cmdline=('a"b', "c,d\ne", "f;g"))))
    assert dict(zip(PROCESS_COLUMNS, row, strict=True))["cmdline"] == 'a"b c,d e f;g'


@given(st.text(max_size=40), st.lists(st.text(max_size=20), max_size=3))
def test_no_text_can_break_the_table(command, cmdline):
    """Whatever a process calls itself, it is one line of as many cells, none of them a formula."""
    text = process_lines(_process(command=command, cmdline=tuple(cmdline), job=command))
    (row,) = _rows(text)
    assert len(row) == len(PROCESS_COLUMNS)
    assert not any(cell.lstrip()[:1] in set("=+-@") for cell in row if cell)
    text.encode()


@settings(deadline=None, max_examples=25)
@given(samples())
def test_every_sample_is_a_table(sample):
    """Whatever a driver says, lines and cells can be counted on."""
    assert [len(row) for row in _rows(gpu_lines(sample))] == [len(GPU_COLUMNS)] * len(sample.gpus)
    assert [len(row) for row in _rows(process_lines(sample))] == [len(PROCESS_COLUMNS)] * len(
        sample.processes
    )
