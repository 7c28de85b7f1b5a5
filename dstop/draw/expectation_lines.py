"""What a process should hold beside what it does: the section of its screen."""

from __future__ import annotations

from textwrap import wrap
from typing import TYPE_CHECKING

from dstop.draw.bars import stacked
from dstop.draw.detail import heading, wrapped
from dstop.draw.line import clean, fit, fit_line, line_cells
from dstop.draw.memory_bar import FREE, PROCESS
from dstop.draw.parts_bar import LOOKS, TITLES, band_line, parts_bar
from dstop.units import bytes_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from dstop.draw.line import Line, Span
    from dstop.model.footprint import Cause, Expectation, PartComparison

_NAME, _AMOUNT, _BAR_INDENT = 15, 9, 7
_LEAST_BAR, _LEAST_WORDS = 16, 20
_MOST_SOURCES = 400
_TOTALS: Mapping[str, str] = {
    "step": "comes and goes",
    "allocated": "tensors at peak",
    "reserved": "reserved",
    "total": "total",
}
_VERDICTS: Mapping[str, tuple[str, str]] = {
    "within": ("as expected", "ok"),
    "above": ("more than expected", "bad"),
    "below": ("less than expected", "warn"),
    "unknown": ("nothing to hold it against", "dim"),
}
_SURE: Mapping[str, str] = {"certain": "ok", "likely": "warn", "possible": "label"}


def expectation_lines(should: Expectation, width: int, card_bytes: int | None = None) -> list[Line]:
    """Draw the section.

    Args:
        should: what is expected, held against a reading.
        width: cells.
        card_bytes: what the bars stand for, so that they are as long as the card's own; what is expected without it.
    """
    lines = [
        heading(f"what it should hold: {clean(should.model)}{_kind(should)}", width),
        _verdict(should, width),
    ]
    lines += _bars(should, width, card_bytes)
    if should.rank is not None:
        lines += [_header(width), *_rows(should.parts, width)]
    lines += _why(should, width)
    lines += wrapped(f"known from {_sources(should.sources)}", width, "dim")
    return lines


def unknown_lines(reason: str, width: int) -> list[Line]:
    """Say why nothing is expected of a process."""
    return [heading("what it should hold", width), *wrapped(f"– {clean(reason)}", width, "dim")]


def _kind(should: Expectation) -> str:
    footprint, rank = should.footprint, should.rank
    if footprint is None or rank is None:
        return ", by the sizing guide"
    words = [f"{footprint.total_parameters / 1e9:.2f}B parameters", footprint.phase]
    if len(footprint.ranks) > 1:
        words.append(f"stage {rank.stage} of {len(footprint.ranks)}")
    if should.tier is not None:
        words.append(f"tier {should.tier}")
    return " · " + " · ".join(words)


def _verdict(should: Expectation, width: int) -> Line:
    """Say in one line whether it is right."""
    word, role = _VERDICTS[should.verdict]
    live = _live(should)
    band = f"{bytes_text(should.low_bytes)}–{bytes_text(should.high_bytes)}"
    if should.is_floor:
        word, role = ("at least as expected", "ok") if should.verdict == "within" else (word, role)
        band = f"at least {bytes_text(should.expected_bytes)} ({next(iter(should.unknown.values()))})"
    expected = (
        ""
        if should.expected_bytes is None or should.is_floor
        else f", likeliest {bytes_text(should.expected_bytes)}"
    )
    return fit_line(
        (
            (f" holds {bytes_text(live)}", "title"),
            (f" of {band}{expected}: ", ""),
            (word, role),
        ),
        width,
    )


def _bars(should: Expectation, width: int, card_bytes: int | None) -> list[Line]:
    """Draw the expected parts with their band, to the scale of the card."""
    rank, room = should.rank, width - _BAR_INDENT - 1
    if rank is None or room < _LEAST_BAR or should.expected_bytes is None:
        return []
    live = _live(should)
    whole = max(card_bytes or 0, should.high_bytes or should.expected_bytes, live or 0)
    lines = [fit_line((("expect ", "label"), *parts_bar(rank.parts, room, whole)), width)]
    if should.high_bytes is not None:
        band = band_line((should.low_bytes, should.expected_bytes, should.high_bytes), whole, room)
        lines.append(fit_line(((" " * _BAR_INDENT, ""), *band), width))
    if live is not None:
        bar = stacked(((live, PROCESS, "seg.a"), (0, FREE, "seg.free")), whole, room)
        lines.append(fit_line((("holds  ", "label"), *bar), width))
    return lines


def _live(should: Expectation) -> int | None:
    return next((each.live_bytes for each in should.parts if each.part == "total"), None)


def _header(width: int) -> Line:
    names = ("EXPECTED", "LIVE", "DIFFERENCE")
    text = fit("", _NAME + 3) + "".join(
        fit(name, _AMOUNT + 2 * (name == "DIFFERENCE"), right=True) for name in names
    )
    return fit_line(((text, "label"),), width)


def _rows(parts: Iterable[PartComparison], width: int) -> list[Line]:
    """Draw a part a line; a reason that is the same as on the line above is not said again."""
    lines: list[Line] = []
    said = ""
    for each in parts:
        lines.append(_row(each, "" if each.reason == said else each.reason, width))
        said = each.reason
    return lines


def _row(each: PartComparison, reason: str, width: int) -> Line:
    char, role = LOOKS.get(each.part, (" ", "label"))
    moved = each.difference_bytes
    sign = "+" if moved is not None and moved > 0 else ""
    known = each.live_bytes is not None and each.expected_bytes is not None
    spans: list[Span] = [
        (f" {char} ", role),
        (fit(_TOTALS.get(each.part) or TITLES[each.part], _NAME), "title" if each.part == "total" else ""),
        (fit(bytes_text(each.expected_bytes), _AMOUNT, right=True), ""),
        (fit(bytes_text(each.live_bytes), _AMOUNT, right=True), "title" if known else "dim"),
        (fit(f"{sign}{bytes_text(moved)}" if known else "", _AMOUNT + 2, right=True), "label"),
    ]
    if reason:
        spans.append((f"  {clean(reason)}", "dim"))
    return fit_line(tuple(spans), width)


def _why(should: Expectation, width: int) -> list[Line]:
    """Draw the causes with their bytes, and what none of them meets."""
    lines: list[Line] = []
    if should.causes or should.unexplained_bytes:
        lines.append(heading(f"why {_signed(should.remainder_bytes)}", width))
        lines += _cause_lines(should.causes, width)
    if should.unexplained_bytes:
        text = f" {_signed(should.unexplained_bytes):>8}  of it is not explained by anything that dstop knows"
        lines.append(fit_line(((text, "warn"),), width))
    return lines


def _cause_lines(causes: Iterable[Cause], width: int) -> list[Line]:
    """Draw each with its bytes and how sure it is; a sentence that is longer than the line goes on below itself."""
    lines: list[Line] = []
    for cause in causes:
        head: Line = (
            (f" {_signed(cause.bytes):>8}  ", "title"),
            (f"{cause.confidence} ", _SURE[cause.confidence]),
        )
        indent = line_cells(head)
        first, *rest = wrap(clean(cause.says), max(_LEAST_WORDS, width - indent)) or [""]
        lines.append(fit_line((*head, (first, "")), width))
        lines += [fit_line(((" " * indent + row, ""),), width) for row in rest]
    return lines


def _signed(amount: int | None) -> str:
    return f"+{bytes_text(amount)}" if amount is not None and amount > 0 else bytes_text(amount)


def _sources(sources: Mapping[str, str]) -> str:
    """Group the fields by where they are from: `command line (batch, sequence), config.json (model)`."""
    by_rung: dict[str, list[str]] = {}
    for name, rung in sources.items():
        by_rung.setdefault(rung, []).append(name.removeprefix("parallel."))
    rungs: Sequence[str] = sorted(by_rung, key=lambda rung: rung == "default")
    return "; ".join(f"{rung}: {', '.join(by_rung[rung])}" for rung in rungs)[:_MOST_SOURCES]
