"""Which moment of a recording is meant by a word: `peak`, `end`, `oom`, an event, or a time since its beginning."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from dstop.errors import UsageError

if TYPE_CHECKING:
    from dstop.snapshot.study import DeviceStudy

WORDS = "peak, end, oom, an event such as 1200, or a time since the beginning such as 2.5s"
_EVENT = re.compile(r"#?(\d{1,12})")
_TIME = re.compile(r"\+?(\d{1,9}(?:\.\d{1,6})?)(us|µs|ms|s|m)")
_UNITS_US = {"us": 1, "µs": 1, "ms": 1_000, "s": 1_000_000, "m": 60_000_000}


def position_of(study: DeviceStudy, text: str) -> int:
    """Give the position that is meant; `oom` is just before the last request that failed.

    Args:
        study: of one device.
        text: what was written, in whatever case; events may have commas, as they are printed.

    Raises:
        UsageError: when it is none of these, or this recording has no such moment.
    """
    word = text.strip().lower().replace(",", "")
    if word == "peak":
        return study.peak
    if word == "end":
        return study.events
    if word == "oom":
        if not study.failures:
            raise UsageError(
                f"nothing ran out of memory in the recording of device {study.device}", fix="try --at peak"
            )
        return study.failures[-1].event
    event, time = _EVENT.fullmatch(word), _TIME.fullmatch(word)
    if event is not None:
        if int(event[1]) > study.events:
            raise UsageError(
                f"device {study.device} has {study.events:,} events, and none is number {int(event[1]):,}",
                fix="name one of them, or peak, end or oom",
            )
        return int(event[1])
    if time is not None:
        return _position_at(study, round(float(time[1]) * _UNITS_US[time[2]]))
    raise UsageError(f"--at {text[:40]!r} is no moment", fix=f"write {WORDS}")


def _position_at(study: DeviceStudy, after_us: int) -> int:
    trace = study.snapshot.trace_of(study.device)
    begin_us = study.time_us(0)
    if trace is None or begin_us is None:
        raise UsageError(f"the events of device {study.device} have no times", fix="name an event by number")
    last_us = study.time_us(study.events) or begin_us
    if after_us > last_us - begin_us:
        seconds = (last_us - begin_us) / _UNITS_US["s"]
        raise UsageError(f"the recording ends {seconds:.3f} s after its beginning", fix="name a time before")
    return int(np.searchsorted(trace.time_us, begin_us + after_us, side="right"))
