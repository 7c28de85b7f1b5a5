"""A memory snapshot as text: what it is, what failed, its peak and who held it then, what grows, what is in the way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dstop.draw.category_bar import category_bar, category_table
from dstop.draw.detail import heading
from dstop.draw.growth_summary import growth_summary
from dstop.draw.line import BLANK, fit_line
from dstop.draw.moment_lines import NOT_RECORDED, moment_line
from dstop.draw.own_code import by_own_code, callers_text
from dstop.draw.site_uses import site_use_line
from dstop.draw.snapshot_facts import failure_lines, file_lines, fragment_lines, sentence_lines
from dstop.draw.timeline import Marks, graph_width, timeline_lines
from dstop.draw.verdict_lines import verdict_lines
from dstop.model.value import Value
from dstop.units import bytes_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dstop.draw.line import Line
    from dstop.model.study import Moment, Verdict
    from dstop.snapshot.study import DeviceStudy

WIDEST = 160
"""Further than this no eye follows a line; the graph needs no more either."""
_LEAST = 40
_GRAPH_ROWS = 10
_INDENT = 14
"""Callers stand under the bytes and the category of their site."""
_ENOUGH_STEPS = 3
_CLEARLY = 1.02
MOST_SITES = 10_000
"""Stacks that are looked through for the reader's own lines."""
_MOST_DEVICES = 2
"""Drawn whole; the others have a line each."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Wanted(Value):
    """What of a snapshot is to be told."""

    top: int = 10
    """Sites at most."""
    positions: Mapping[int, int] | None = None
    """Device -> the one moment that was asked for; None: the whole summary."""
    verdicts: Mapping[int, Sequence[Verdict]] | None = None
    """Device -> what a replay says of other conditions."""


def snapshot_lines(title: str, studies: Sequence[DeviceStudy], width: int, wanted: Wanted) -> list[Line]:
    """Draw a snapshot.

    Args:
        title: the name of the file.
        studies: its devices, or those of them that were chosen.
        width: cells; more than 160 are left empty.
        wanted: which moment, how many sites, which verdicts.
    """
    width = max(_LEAST, min(width, WIDEST))
    lines = file_lines(title, studies, width)
    shown = studies
    if wanted.positions is None and wanted.verdicts is None:
        shown = sorted(studies, key=_importance, reverse=True)[:_MOST_DEVICES]
    for study in sorted(shown, key=lambda study: study.device):
        lines += [BLANK, *_device(study, width, wanted)]
    if len(shown) < len(studies):
        text = f"{len(studies) - len(shown)} devices with less in them are left out (--device N)"
        lines += [BLANK, *sentence_lines(text, width, "note")]
    notes = studies[0].snapshot.notes if studies else ()
    if notes:
        lines += [BLANK, heading("what was odd about the file", width)]
        for note in notes:
            lines += sentence_lines(note, width, "note")
    return lines


def joined(parts: Sequence[list[Line]]) -> list[Line]:
    """Put parts under each other with a blank line between; those without lines are left out."""
    lines: list[Line] = []
    for part in parts:
        lines += [BLANK, *part] if lines and part else part
    return lines


def _importance(study: DeviceStudy) -> tuple[bool, int, int]:
    return bool(study.failures), int(study.live[study.peak]), -study.device


def _device(study: DeviceStudy, width: int, wanted: Wanted) -> list[Line]:
    position = None if wanted.positions is None else wanted.positions[study.device]
    if position is not None:
        return _moment(study, f"cuda:{study.device} as asked", position, width, wanted.top)
    if wanted.verdicts is not None:
        lines = [heading(f"cuda:{study.device}: would it have fitted?", width)]
        if study.device not in wanted.verdicts:
            return lines + sentence_lines("nobody knows: nothing was recorded", width, "note")
        return [*lines, *joined([verdict_lines(each, width) for each in wanted.verdicts[study.device]])]
    parts = [_failures(study, width)]
    if not study.events:
        parts.append(_moment(study, f"cuda:{study.device} when it was taken", 0, width, wanted.top))
        parts.append(sentence_lines(" ".join(NOT_RECORDED), width, "note"))
    elif int(study.live[study.peak]):
        parts += [_high(study, width, wanted.top), _timeline(study, width)]
    steps = len(study.attribution.steps)
    if study.growth or steps >= _ENOUGH_STEPS:
        parts.append(growth_summary(study.growth, steps, width))
    parts.append(fragment_lines(study.fragmentation, width, failed=bool(study.failures)))
    return joined(parts)


def _high(study: DeviceStudy, width: int, top: int) -> list[Line]:
    """Draw the moment that matters: when memory ran out, or else the peak."""
    if not study.failures:
        return _moment(study, f"cuda:{study.device} at its peak", study.peak, width, top)
    position = study.failures[-1].event
    lines = _moment(study, "what was live then", position, width, top)
    if study.live[study.peak] > _CLEARLY * study.live[position]:
        most = bytes_text(int(study.live[study.peak]))
        lines += sentence_lines(f"the peak was before, with {most} live (--at peak)", width, "dim")
    return lines


def _failures(study: DeviceStudy, width: int) -> list[Line]:
    """Draw the last failure whole; the others, which the program caught, are counted."""
    if not study.failures:
        return []
    last = study.failures[-1]
    lines = failure_lines(study, last, width)
    earlier = len(study.failures) - 1
    if earlier:
        text = f"{earlier} earlier request{'s' if earlier > 1 else ''} failed, and the program went on."
        lines += sentence_lines(text, width)
    return lines


def _moment(study: DeviceStudy, title: str, position: int, width: int, top: int) -> list[Line]:
    moment = study.moment(position, MOST_SITES)
    lines = [heading(title, width), moment_line(moment, study.time_us(0), width)]
    if not moment.live_bytes:
        return lines
    lines.append(fit_line(((" ", ""), *category_bar(moment, width - 2)), width))
    return [*lines, *category_table(moment, width), BLANK, *_sites(moment, width, top)]


def _sites(moment: Moment, width: int, top: int) -> list[Line]:
    lines = [heading("who asked for it", width)]
    for site in by_own_code(moment.sites)[:top]:
        lines.append(site_use_line(site, moment.live_bytes, width))
        callers = callers_text(site.own, site.places, width - _INDENT)
        if callers:
            lines.append(fit_line(((" " * _INDENT, ""), (callers, "dim")), width))
    return lines


def _timeline(study: DeviceStudy, width: int) -> list[Line]:
    marks = Marks(
        peak=study.peak,
        failures=tuple(failure.event for failure in study.failures),
        steps=study.attribution.steps,
        begin_us=study.time_us(0),
    )
    curve = study.curve(graph_width(width))
    nowhere = -1
    signs = "▼ peak  ╷ end of a step" if marks.steps else "▼ peak"
    signs += "  ✗ out of memory" if marks.failures else ""
    title = fit_line(
        ((" live memory over the recording", "group"), (f"   {signs}  ─ reserved", "dim")), width
    )
    lines = [title, *timeline_lines(curve, marks, nowhere, width, _GRAPH_ROWS)]
    end = int(study.live[study.events])
    return lines + sentence_lines(f"at its end {bytes_text(end)} are live (--at end)", width, "dim")
