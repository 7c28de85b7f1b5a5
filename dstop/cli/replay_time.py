"""Where in a recording: a time as people write it, to a place of the recording."""

from __future__ import annotations

import datetime as dt
import re
import time
from typing import TYPE_CHECKING

from dstop.errors import UsageError

if TYPE_CHECKING:
    from dstop.sources.replay.recording import Recording

_CLOCK = re.compile(r"(?:(\d{4})-(\d\d)-(\d\d)[T ])?(\d{1,2}):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?", re.ASCII)
_LENGTH = re.compile(r"(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,9}(?:\.\d{1,3})?)s?)?", re.ASCII)
_SHARE = re.compile(r"(\d{1,3}(?:\.\d{1,3})?)%", re.ASCII)
_FIX = "such as --at 17:03:20, '2026-11-28 17:03', +90s, -5m, 50%, incident or end"
_DAY_NS = 86_400 * 10**9


def place_of(text: str, recording: Recording) -> int:
    """Give the place that a text means, in nanoseconds since the epoch.

    Times of day are of this machine's time zone, and of the first day of the recording on which they are in it.

    Raises:
        UsageError: it means none, or one that is not in the recording.
        RecordingError: the recording is damaged where an incident is looked for.
    """
    words = text.strip().lower()
    begin_ns, end_ns = recording.begin_ns, recording.end_ns
    if words in {"begin", "start"}:
        return begin_ns
    if words == "end":
        return end_ns
    if words == "incident":
        return _incident(recording)
    share = _SHARE.fullmatch(words)
    if share is not None and float(share[1]) <= 100:  # noqa: PLR2004 - percent
        return begin_ns + round((end_ns - begin_ns) * float(share[1]) / 100)
    if words[:1] in {"+", "-"} and len(words) > 1:
        away_ns = _length_ns(words[1:])
        at_ns = None if away_ns is None else (begin_ns + away_ns if words[0] == "+" else end_ns - away_ns)
    else:
        at_ns = _clock_ns(text.strip(), begin_ns, end_ns)
    if at_ns is None:
        raise UsageError(f"--at: {text[:40]!r} is no time", fix=_FIX)
    if not begin_ns <= at_ns <= end_ns:
        raise UsageError(
            f"--at: {text[:40]} is not in the recording",
            fix=f"it is from {_date(begin_ns)} to {_date(end_ns)}",
        )
    return at_ns


def _incident(recording: Recording) -> int:
    number = 0 if recording.moment(0).has_weight else recording.of_weight(0, forward=True)
    if number is None:
        raise UsageError("--at: nothing of weight is recorded", fix="begin at a time, such as --at +90s")
    return recording.place_of(number)


def _length_ns(words: str) -> int | None:
    found = _LENGTH.fullmatch(words)
    if found is None:
        return None
    hours, minutes, seconds = found.groups()
    return round((int(hours or 0) * 3600 + int(minutes or 0) * 60 + float(seconds or 0)) * 1e9)


def _clock_ns(words: str, begin_ns: int, end_ns: int) -> int | None:
    """Read a time of day; without its day, the first that is not before the recording."""
    found = _CLOCK.fullmatch(words)
    if found is None:
        return None
    year, month, day, hour, minute, second, fraction = found.groups()
    begun = time.localtime(begin_ns / 1e9)
    try:
        day_of = dt.date(int(year), int(month), int(day)) if year else dt.date(*begun[:3])
        clock = dt.datetime.combine(day_of, dt.time(int(hour), int(minute), int(second or 0)))
        at_ns = int(clock.timestamp()) * 10**9 + int((fraction or "0").ljust(9, "0"))  # of this time zone
    except (ValueError, OverflowError):
        return None
    if not fraction and at_ns < begin_ns < at_ns + 10**9:
        return begin_ns  # the second has begun
    next_day = not year and at_ns < begin_ns and at_ns + _DAY_NS <= end_ns
    return at_ns + _DAY_NS if next_day else at_ns


def _date(at_ns: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at_ns / 1e9))
