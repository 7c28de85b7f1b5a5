"""Which code holds the memory: stacks, by what their live blocks come to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.draw.detail import wrapped
from dstop.draw.line import cells, clean, crop, fit, fit_line
from dstop.units import bytes_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dstop.draw.line import Line
    from dstop.model.segment import Place, Site

_LIBRARIES = ("/site-packages/", "/dist-packages/", "/lib/python3", "/torch/")
_MOST_PLACES = 6
_INDENT = 26
NOT_RECORDED = "allocations are not recorded: H records them from now on (a little slower), H again stops it"


def site_lines(sites: Sequence[Site], width: int, *, recorded: bool) -> list[Line]:
    """Draw each stack under the line that most likely is the reader's own.

    Args:
        sites: biggest first.
        width: cells.
        recorded: whether allocations are recorded at all.
    """
    if not sites:
        text = "nothing has been allocated since the recording began" if recorded else NOT_RECORDED
        return wrapped(text, width, "note")
    total = sum(site.size_bytes for site in sites)
    lines: list[Line] = []
    for site in sites:
        lines += _site(site, total, width)
    if not recorded:
        lines += wrapped(NOT_RECORDED, width, "note")
    return lines


def _site(site: Site, total: int, width: int) -> list[Line]:
    share = f"{100 * site.size_bytes / total:.0f}%" if total else ""
    blocks = f"{site.blocks} block{'s' if site.blocks != 1 else ''}"
    head = fit(bytes_text(site.size_bytes), 7, right=True) + fit(share, 5, right=True)
    own = own_place(site.places)
    first = "allocated before the recording began" if own is None else _place(own, width - _INDENT)
    lines = [
        fit_line(((head, "title"), (fit(f"  {blocks}", _INDENT - 13) + " ", "dim"), (first, "")), width),
    ]
    shown = site.places[:_MOST_PLACES]
    lines += [
        fit_line(((" " * _INDENT, ""), (_place(place, width - _INDENT), "dim")), width)
        for place in shown
        if place is not own
    ]
    if len(site.places) > len(shown):
        rest = f"… {len(site.places) - len(shown)} more callers"
        lines.append(fit_line(((" " * _INDENT, ""), (rest, "dim")), width))
    return lines


def own_place(places: Sequence[Place]) -> Place | None:
    """Choose the innermost line outside the libraries: where something can be done about it."""
    outside = (place for place in places if not any(part in place.file for part in _LIBRARIES))
    return next(outside, places[0] if places else None)


def _place(place: Place, width: int) -> str:
    """Write `file:line function`; of a path that is too long the end is kept, for it names the file."""
    file, rest = clean(place.file), f":{place.line} {clean(place.function)}"
    room = width - cells(rest)
    if cells(file) > room:
        file = "…" + file[len(file) - max(0, room - 1) :] if room > 1 else ""
    return crop(file + rest, max(0, width))
