"""Prefixes, ranks and places."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dstop.doctor.evidence.prefix import strip_prefixes
from dstop.doctor.evidence.stream import streams_of
from dstop.doctor.text.read import log_of_text


@pytest.mark.parametrize(
    ("line", "text", "rank"),
    [
        ("[rank3]: ValueError: x", "ValueError: x", 3),
        ("[default2]:[rank2]: ValueError: x", "ValueError: x", 2),
        ("[1,5]<stderr>: ValueError: x", "ValueError: x", 5),
        ("(EngineCore_DP0 pid=4100) ERROR 01-15 15:47:24 [core.py:718] ValueError: x", "ValueError: x", None),
        ("(VllmWorker rank=1 pid=77) ERROR 01-15 15:47:24 [x.py:7] ValueError: x", "ValueError: x", 1),
        ("ERROR 01-15 02:29:07 [core.py:340] ValueError: x", "ValueError: x", None),
        ("[2025-01-15 02:54:42 TP2] Scheduler hit an exception", "Scheduler hit an exception", 2),
        ("bash[107468]: RuntimeError: x", "RuntimeError: x", None),
        ("[ 1843.308145] NVRM: x", "NVRM: x", None),
        ("Jan 15 02:29:07 node1 kernel: NVRM: x", "NVRM: x", None),
        ("2025-01-15T03:33:02.720454Z  RuntimeError: x", "RuntimeError: x", None),
        ("worker-1  | RuntimeError: x", "RuntimeError: x", None),
        ("#9 78.92 c++: fatal error: x", "c++: fatal error: x", None),
        ("RuntimeError: x", "RuntimeError: x", None),
        ("    loss.backward()", "    loss.backward()", None),
    ],
)
def test_prefixes_of_the_layers_above(line, text, rank):
    """Launchers, loggers, journals and containers each put something before the message."""
    stripped = strip_prefixes(line)
    assert (stripped.text, stripped.rank) == (text, rank)


def test_workers_have_streams_of_their_own():
    """The whole log first, then each rank; places are those of the file."""
    log = log_of_text("[rank1]: a\n[rank0]: b\nplain\n[rank1]: c\n", "x.log")
    whole, *workers = streams_of(log, 100)
    assert whole.text.split("\n")[:4] == ["a", "b", "plain", "c"]
    assert {worker.text for worker in workers} == {"a\nc", "b"}
    ones = next(worker for worker in workers if worker.text == "a\nc")
    assert str(ones.place(1)) == "x.log:4"
    assert ones.place(1).order == 103
    assert ones.rank(0) == 1


@given(st.text())
def test_any_line_is_stripped_to_its_own_end(line):
    """Nothing is invented: what is left is the end of what was there."""
    assert line.endswith(strip_prefixes(line).text)
