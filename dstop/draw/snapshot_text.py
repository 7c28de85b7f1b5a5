"""A memory snapshot as text: what it is, what failed, its peak and who held it then, what grows, what is in the way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dstop.draw.category_bar import category_bar, category_table
from dstop.draw.detail import heading, wrapped
from dstop.draw.growth_lines import growth_lines
from dstop.draw.line import BLANK, cells, clean, fit_line
from dstop.draw.moment_lines import NOT_RECORDED, moment_line
from dstop.draw.site_uses import place_text, site_use_line
from dstop.draw.snapshot_facts import failure_lines, file_lines, fragment_lines, sentence_lines
from dstop.draw.timeline import Marks, graph_width, timeline_lines
from dstop.draw.verdict_lines import verdict_lines
from dstop.model.value import Value
from dstop.snapshot.own import is_own

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dstop.draw.line import Line
    from dstop.model.study import Moment, SiteUse, Verdict
    from dstop.snapshot.study import DeviceStudy

WIDEST = 160
"""Further than this no eye follows a line; the graph needs no more either."""
_LEAST = 40
_GRAPH_ROWS = 10
_MOST_GROWING = 3
_INDENT = 14
"""Callers stand under the bytes and the category of their site."""
_ENOUGH_STEPS = 3


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
    for study in studies:
        lines += [BLANK, *_device(study, width, wanted)]
    notes = studies[0].snapshot.notes if studies else ()
    if notes:
        lines += [BLANK, heading("what was odd about the file", width)]
        for note in notes:
            lines += wrapped(note, width, "note")
    return lines


def _device(study: DeviceStudy, width: int, wanted: Wanted) -> list[Line]:
    position = None if wanted.positions is None else wanted.positions[study.device]
    if position is not None:
        return _moment(study, f"cuda:{study.device} as asked", position, width, wanted.top)
    if wanted.verdicts is not None:
        lines = [heading(f"cuda:{study.device}: would it have fitted?", width)]
        for verdict in wanted.verdicts[study.device]:
            lines += [*verdict_lines(verdict, width), BLANK]
        return lines[:-1]
    lines = _failures(study, width)
    if study.events:
        lines += _moment(study, f"cuda:{study.device} at its peak", study.peak, width, wanted.top)
        lines += [BLANK, *_timeline(study, width)]
    else:
        lines += _moment(study, f"cuda:{study.device} when it was taken", study.events, width, wanted.top)
        lines += [BLANK, *wrapped(" ".join(NOT_RECORDED), width, "note")]
    steps = len(study.attribution.steps)
    if study.growth or steps >= _ENOUGH_STEPS:
        lines += [BLANK, *growth_lines(study.growth[:_MOST_GROWING], steps, width)]
        if len(study.growth) > _MOST_GROWING:
            lines += sentence_lines(f"and {len(study.growth) - _MOST_GROWING} more sites (--json)", width)
    return [*lines, BLANK, *fragment_lines(study.fragmentation, width, failed=bool(study.failures))]


def _failures(study: DeviceStudy, width: int) -> list[Line]:
    """Draw the last failure whole; the others, which the program caught, are counted."""
    if not study.failures:
        return []
    last = study.failures[-1]
    hole = study.fragmentation.largest_hole_bytes
    lines = failure_lines(study.device, last, hole, study.time_us(0), width)
    earlier = len(study.failures) - 1
    if earlier:
        text = f"{earlier} earlier request{'s' if earlier > 1 else ''} failed, and the program went on."
        lines += sentence_lines(text, width)
    return [*lines, BLANK]


def _moment(study: DeviceStudy, title: str, position: int, width: int, top: int) -> list[Line]:
    moment = study.moment(position, top)
    lines = [heading(title, width), moment_line(moment, study.time_us(0), width)]
    if not moment.live_bytes:
        return lines
    lines.append(fit_line(((" ", ""), *category_bar(moment, width - 2)), width))
    return [*lines, *category_table(moment, width), BLANK, *_sites(moment, width)]


def _sites(moment: Moment, width: int) -> list[Line]:
    lines = [heading("who asked for it", width)]
    for site in moment.sites:
        lines.append(site_use_line(site, moment.live_bytes, width))
        callers = _callers(site, width - _INDENT)
        if callers:
            lines.append(fit_line(((" " * _INDENT, ""), (callers, "dim")), width))
    return lines


def _callers(site: SiteUse, width: int) -> str:
    """Name who called it of the reader's own code, outwards, as far as there is room: whole places, no half one."""
    if site.own is None or site.own not in site.places:
        return ""
    outer = site.places[site.places.index(site.own) + 1 :]
    text = ""
    for place in outer:
        if not is_own(place):
            continue
        short = place_text(place._replace(file=place.file.rpartition("/")[2]), width)
        longer = f"{text} ← {short}" if text else f"← {short}"
        if cells(clean(longer)) > width:
            break
        text = longer
    return text


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
    return [title, *timeline_lines(curve, marks, nowhere, width, _GRAPH_ROWS)]
