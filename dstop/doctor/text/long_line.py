"""Very long lines: JSON, a page of HTML, a terminal's recording. What lies around telling words in them is kept."""

from __future__ import annotations

from dstop.doctor.text.anchors import ANCHORS

LONGEST_BYTES = 16 << 10
"""A line up to here is kept whole."""

_HEAD_BYTES, _TAIL_BYTES = 2 << 10, 4 << 10
_BEFORE_BYTES, _AFTER_BYTES = 2 << 10, 3 << 10
_MOST_PLACES = 6
"""Of one word, from the front; and the last."""


def telling_pieces(line: bytes) -> list[bytes]:
    """Give the line, or where it is too long its begin, its end, and what lies around telling words."""
    if len(line) <= LONGEST_BYTES:
        return [line]
    spans = [(0, _HEAD_BYTES), (len(line) - _TAIL_BYTES, len(line))]
    spans += [(max(0, at - _BEFORE_BYTES), min(len(line), at + _AFTER_BYTES)) for at in _places(line)]
    spans.sort()
    joined = [spans[0]]
    for start, end in spans[1:]:
        if start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return [whole_letters(line[start:end]) for start, end in joined]


def whole_letters(data: bytes) -> bytes:
    """Take off what a cut left of letters of several bytes (UTF-8), at both ends."""
    start = 0
    while start < min(3, len(data)) and data[start] & 0xC0 == 0x80:  # noqa: PLR2004 - a continuation
        start += 1
    for back in range(1, min(4, len(data) - start) + 1):
        lead = data[-back]
        if lead & 0xC0 == 0x80:  # noqa: PLR2004 - a continuation
            continue
        needs = 4 if lead >= 0xF0 else 3 if lead >= 0xE0 else 2 if lead >= 0xC0 else 1  # noqa: PLR2004
        return data[start:-back] if needs > back else data[start:]
    return data[start:]


def _places(line: bytes) -> list[int]:
    found: list[int] = []
    for word in ANCHORS:
        at = 0
        for _ in range(_MOST_PLACES):
            hit = line.find(word, at)
            if hit < 0:
                break
            found.append(hit)
            at = hit + _BEFORE_BYTES
        else:
            found.append(line.rfind(word))
    return found
