"""Tracebacks of Python programs in logs."""

from __future__ import annotations

from dstop.doctor.evidence.collect import facts_of
from dstop.doctor.text.read import log_of_text

TWO = """Traceback (most recent call last):
  File "/a/one.py", line 3, in first
    first()
  File "/a/two.py", line 5, in second
    raise KeyError
KeyError: 'x'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/a/three.py", line 7, in third
torch.cuda.OutOfMemoryError: CUDA out of memory.
"""


def test_each_traceback_has_its_frames_and_its_error():
    """Outermost first, with the line of code where the log has it."""
    first, second = facts_of(log_of_text(TWO, "t")).traces
    assert [frame.function for frame in first.frames] == ["first", "second"]
    assert first.frames[0].code == "first()"
    assert (first.error, first.message, str(first.place)) == ("KeyError", "'x'", "t:6")
    assert [frame.function for frame in second.frames] == ["third"]
    assert second.error == "OutOfMemoryError"


def test_interleaved_ranks_keep_their_own_frames():
    """Two tracebacks line by line through each other are two tracebacks."""
    lines = []
    for inner in ('  File "/a/x{0}.py", line {0}, in f{0}', "    code{0}()", "ValueError: from {0}"):
        lines += [f"[rank{rank}]: {inner.format(rank)}" for rank in (0, 1)]
    found = facts_of(log_of_text("\n".join(lines), "t")).traces
    assert {(trace.rank, trace.frames[0].function, trace.message) for trace in found} == {
        (0, "f0", "from 0"),
        (1, "f1", "from 1"),
    }


def test_a_traceback_that_ends_with_the_log():
    """The error itself may be missing; the frames are kept."""
    (trace,) = facts_of(log_of_text('  File "/a/x.py", line 1, in f\n    g()\n', "t")).traces
    assert trace.error is None
    assert trace.frames[0].function == "f"
