"""Samples on standard output: one, some, or one each interval until somebody stops it."""

from __future__ import annotations

import gc
import os
import sys
import time
from typing import TYPE_CHECKING

from dstop.cli import terminal
from dstop.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from dstop.cli.request import Request
    from dstop.model.frame import Frame
    from dstop.model.sample import Sample
    from dstop.monitor.expectations import Expectations
    from dstop.sources import Source
    from dstop.sources.guests import Guests
    from dstop.view.arrange import View

FIRST_PATIENCE_S = 5.0
"""How long one sample may wait for a slow driver: nothing is drawn meanwhile, and half an answer is none."""


def print_samples(
    source: Source,
    request: Request,
    *,
    guests: Guests | None = None,
    expectations: Expectations | None = None,
    write: Callable[[bytes], None] = terminal.write,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Print what was asked for.

    Raises:
        SourceError: when there is no first sample; a driver that goes later is told in the samples.
        ReaderGoneError: when nobody reads any more.
    """
    from dstop.monitor import Monitor  # noqa: PLC0415 - a verb loads what it needs
    from dstop.monitor.findings import of_plugins  # noqa: PLC0415 - as above

    interval_s = request.settings.interval_s
    head, draw = face(request)
    monitor = Monitor(
        source,
        interval_s=interval_s,
        capacity=60,
        guests=guests,
        expectations=expectations,
        more_rules=of_plugins(),
    )
    left = request.count if request.repeat else 1
    patience_s = FIRST_PATIENCE_S
    due = time.monotonic()
    try:
        while True:
            frame = monitor.step(patience_s=patience_s)
            write(head + draw(frame))
            head, patience_s = b"", min(FIRST_PATIENCE_S, interval_s)
            left = None if left is None else left - 1
            if left == 0:
                return
            gc.enable()  # it was off for those that end here
            now = time.monotonic()
            due = max(due + interval_s, now)
            sleep(due - now)
    finally:
        monitor.close()


def face(request: Request) -> tuple[bytes, Callable[[Frame], bytes]]:
    """Give what comes before the first sample, and what draws each."""
    if request.face == "json":
        from dstop.export.json import sample_line  # noqa: PLC0415 - as above

        return b"", lambda frame: sample_line(
            _honest(frame),
            problem=frame.problem,
            findings=frame.findings if frame.problem is None else (),
            replay=frame.replay,
        )
    if request.face.startswith("csv"):
        from dstop.export import csv  # noqa: PLC0415 - as above

        if request.face == "csv":
            return csv.gpu_header().encode(), lambda frame: csv.gpu_lines(
                _honest(frame), frame.replay
            ).encode()
        header = csv.process_header().encode()
        return header, lambda frame: csv.process_lines(_honest(frame), frame.replay).encode()
    return b"", _text_face(request)


def _honest(frame: Frame) -> Sample:
    """Give the sample for a program: the last one is no sample of a moment at which nothing could be read."""
    if frame.problem is None:
        return frame.sample
    from dstop.export.outage import without_figures  # noqa: PLC0415 - as above

    return without_figures(frame.sample, frame.problem.message, _now_ns(frame))


def _now_ns(frame: Frame) -> int:
    """Give the time by the clock of what is shown."""
    return time.time_ns() if frame.replay is None else frame.replay.at_ns


def _text_face(request: Request) -> Callable[[Frame], bytes]:
    from dstop.draw.ansi import render  # noqa: PLC0415 - as above
    from dstop.draw.ascii import ascii_line  # noqa: PLC0415 - as above
    from dstop.draw.host_line import problem_lines  # noqa: PLC0415 - as above
    from dstop.draw.look import look_of  # noqa: PLC0415 - as above
    from dstop.draw.once import once_lines  # noqa: PLC0415 - as above

    settings = request.settings
    ascii_only = settings.ascii or not terminal.speaks_unicode()
    color = terminal.use_color(
        "never" if settings.theme == "mono" and settings.color == "auto" else settings.color,
        os.environ,
        is_terminal=terminal.is_terminal(sys.stdout),
    )
    look = look_of(settings)
    view = view_of(request)
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"

    def draw(frame: Frame) -> bytes:
        lines = once_lines(
            frame,
            terminal.width(os.environ),
            ascii=ascii_only,
            processes=request.processes,
            view=view,
            look=look,
        )
        problem = problem_lines(frame, terminal.width(os.environ), _now_ns(frame))
        lines[:0] = [ascii_line(line) for line in problem] if ascii_only else problem
        after = "\n" if request.repeat else ""
        return (render(lines, color=color) + after).encode(encoding, "replace")

    return draw


def view_of(request: Request) -> View:
    """Give what the table is to be; the filter is part of it, so that the screen can show and change it."""
    from dstop.view.arrange import View  # noqa: PLC0415 - as above
    from dstop.view.columns import NAMES  # noqa: PLC0415 - as above

    settings = request.settings
    unknown = next((name for name in settings.columns if name not in NAMES), None)
    if unknown is not None:
        raise SettingsError(f"there is no column {unknown!r}", fix=f"columns are {', '.join(NAMES)}")
    view = View(sort=settings.sort, tree=settings.tree, group=settings.group, columns=settings.columns)
    if request.filter is None:
        return view
    from dataclasses import replace  # noqa: PLC0415 - as above

    return replace(view, filter=request.filter)
