"""Python tracebacks: which lines of whose code were running, and what was raised."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from dstop.doctor.evidence.facts import StackFrame, Trace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dstop.doctor.evidence.stream import Stream

_FRAME = re.compile(r'\s*File "([^"\n]{1,400})", line (\d{1,8})(?:, in (\S{1,200}.{0,60}))?')
_NOTEBOOK = re.compile(
    r"(?:File )?\[?((?:/|~|[A-Z]:\\)[^\s\]:()]{1,300}\.py)\]?(?:\([^)\s]{0,300}\))?(?::(\d{1,7}),)?"
    r" in ([A-Za-z_]\w{0,100})\("
)
"""IPython names the function with its arguments, and marks the line with an arrow further down."""
_ERROR = re.compile(
    r"(?:[A-Za-z_]\w{0,60}\.){0,6}([A-Z]\w{0,80}(?:Error|Exception|Interrupt|Exit|Exhausted|OutOfResources|Failure|Timeout))"
    r"(?:: ?|$)(.{0,2000})"
)
_WORDS = ('File "', "rror", "xception", ".py")
_MOST_FRAMES = 200
_MOST_TRACES = 400
_LONGEST_LINE = 4000


def traces(stream: Stream) -> Iterator[Trace]:
    """Give each traceback, and each bare line that names an exception."""
    if not any(word in stream.text for word in _WORDS):
        return
    frames: list[StackFrame] = []
    count = 0
    for index in range(len(stream)):
        text = stream.line_text(index)[:_LONGEST_LINE]
        frame = _frame(stream, index, text)
        if frame is not None:
            frames = [*frames, frame][:_MOST_FRAMES]
            continue
        error = _error(text)
        begins = text.startswith("Traceback (most recent")
        if error is None and not (begins and frames):
            continue
        yield _trace(stream, index, frames, error)
        frames = []
        count += 1
        if count >= _MOST_TRACES:
            return
    if frames:
        yield _trace(stream, len(stream) - 1, frames, None)


def _frame(stream: Stream, index: int, text: str) -> StackFrame | None:
    found = _FRAME.match(text) if 'File "' in text else None
    if found is not None:
        code = stream.line_text(index + 1).strip() if index + 1 < len(stream) else ""
        code = "" if code.startswith('File "') or _ERROR.match(code) else code[:200]
        return StackFrame(file=found[1], line=int(found[2]), function=(found[3] or "").strip(), code=code)
    notebook = _NOTEBOOK.match(text) if ".py" in text and " in " in text else None
    return (
        None
        if notebook is None
        else StackFrame(file=notebook[1], line=int(notebook[2] or 0), function=notebook[3])
    )


def _error(text: str) -> re.Match[str] | None:
    return _ERROR.match(text.lstrip()) if "rror" in text or "xception" in text or text[:1].isupper() else None


def _trace(stream: Stream, index: int, frames: list[StackFrame], error: re.Match[str] | None) -> Trace:
    return Trace(
        place=stream.place(index),
        rank=stream.rank(index),
        frames=tuple(frames),
        error=None if error is None else error[1],
        message="" if error is None else error[2].strip(),
    )
