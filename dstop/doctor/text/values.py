"""What is left of a log once it has been read: the lines that may matter, and what was left out."""

from __future__ import annotations

from dataclasses import dataclass

from dstop.model.value import Value


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class LogLine(Value):
    """A line, or a piece of one: what carriage returns part, and pieces of a very long line, share a number."""

    number: int | None
    """In the file, from 1."""
    text: str
    """Without escape sequences and controls, and with nothing at its end."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class LogText(Value):
    """The lines of a log that were kept, in its order."""

    name: str
    lines: tuple[LogLine, ...] = ()
    total_bytes: int = 0
    """Of the text: unpacked where it was packed, as UTF-8."""
    total_lines: int = 0
    notes: tuple[str, ...] = ()
    """Sentences: what was left out or is odd, and why."""
