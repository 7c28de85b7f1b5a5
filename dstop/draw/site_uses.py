"""Which code holds the memory at a moment of a recording: a line a site, its whole stack where it is wanted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.draw.category_bar import CHARS, TITLES, role_of
from dstop.draw.line import cells, clean, crop, fit, fit_line
from dstop.units import bytes_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dstop.draw.line import Line, Span
    from dstop.model.segment import Place
    from dstop.model.study import SiteUse

NO_STACK = "no stack was recorded for it"
_CATEGORY, _SURE, _BLOCKS = 15, 9, 13
_WIDE = 110
_INDENT = 4
_MOST_FRAMES = 200
_PYTHON = (".py", ">")
"""How the files of Python frames end: `train.py`, `<stdin>`."""
_NO_FILE = frozenset({"", "??"})
"""What torch calls the file of a C++ frame without debug information."""
_INNER = (
    "torch::unwind",
    "CapturedTraceback",
    "gather_with_cpp",
    "CachingAllocator",
    "empty_generic",
    "DeviceCaching",
)


def site_use_line(site: SiteUse, live: int, width: int) -> Line:
    """Draw one site: bytes, share, what for and how sure, blocks where there is room, and the reader's own line."""
    percent = f"{100 * site.size_bytes / live:.0f}%" if live else ""
    spans: list[Span] = [
        (fit(bytes_text(site.size_bytes), 6, right=True), "title"),
        (fit(percent, 5, right=True), "label"),
        (f" {CHARS[site.category]} ", role_of(site.category)),
    ]
    taken = 14
    if width >= _WIDE:
        blocks = f"{site.blocks:,} block{'s' if site.blocks != 1 else ''}"
        spans.append((fit(TITLES[site.category], _CATEGORY - 1), ""))
        spans.append((" " + fit(site.confidence, _SURE - 1), "dim"))
        spans.append((fit(blocks, _BLOCKS, right=True) + "  ", "dim"))
        taken += _CATEGORY + _SURE + _BLOCKS + 1
    else:
        spans.append((fit(TITLES[site.category], 12) + " ", ""))
        taken += 13
    spans.append((where(site, max(0, width - taken)), "" if site.own is not None else "dim"))
    return fit_line(tuple(spans), width)


def where(site: SiteUse, width: int) -> str:
    """Name the site in `width` cells: its largest tensor where that has a name, and the reader's own line."""
    others = f" +{site.blocks - 1:,}" if site.blocks > 1 else ""
    name = f"{clean(site.name)}{others}  " if site.name else ""
    if site.own is None:
        return crop(name + NO_STACK, width)
    room = max(0, width - cells(name))
    if _is_python(site.own):
        inner = _inner(site)
        text = place_text(site.own, room)
        return crop(name, width) + (f"{text}{inner}" if cells(text + inner) <= room else text)
    return crop(name, width) + fit(f"C++: {_native(site.places)}", room).rstrip()


def _inner(site: SiteUse) -> str:
    """Name the library function that the reader's line was in: one line of theirs may call many."""
    place = next((place for place in site.places if _is_python(place)), None)
    if place is None or place == site.own:
        return ""
    module = place.file.rpartition("/")[2].removesuffix(".py")
    return f"  in {clean(module)}.{clean(place.function)}"


def _native(places: Sequence[Place]) -> str:
    """Name the innermost C++ function that is neither the allocator's nor the recorder's."""
    told = (
        place for place in places if place.function and not any(part in place.function for part in _INNER)
    )
    place = next(told, places[0])
    return clean(place.function.partition("(")[0] or place.function)


def place_text(place: Place, width: int) -> str:
    """Write `file:line function`; of a path that is too long the end is kept, for it names the file."""
    if place.file in _NO_FILE:
        return crop(clean(place.function), width)
    file, rest = clean(place.file), f":{place.line} {clean(place.function)}"
    room = width - cells(rest)
    if cells(file) > room:
        short = file.rpartition("/")[2]
        file = short if cells(short) <= room else "…" + short[len(short) - max(0, room - 1) :]
        file = file if room > 1 else ""
    return crop(file + rest, max(0, width))


def stack_lines(site: SiteUse, width: int, *, native: bool = True) -> list[Line]:
    """Draw a whole stack, innermost first, the reader's own line marked.

    Args:
        site: whose.
        width: cells.
        native: whether C++ frames are shown; otherwise they are counted in a last line.
    """
    if not site.places:
        return [fit_line(((" " * _INDENT + NO_STACK, "dim"),), width)]
    shown = [place for place in site.places if native or _is_python(place)] or list(site.places)
    lines = [_frame_line(place, width, own=place == site.own) for place in shown[:_MOST_FRAMES]]
    more = len(shown) - _MOST_FRAMES
    inner = len(site.places) - len(shown)
    texts = [f"… {more} more callers"] if more > 0 else []
    texts += [f"… and {inner} C++ frame{'s' if inner != 1 else ''}"] if inner else []
    return lines + [fit_line(((" " * (_INDENT + 2) + text, "dim"),), width) for text in texts]


def _is_python(place: Place) -> bool:
    return place.file.endswith(_PYTHON)


def _frame_line(place: Place, width: int, *, own: bool) -> Line:
    mark = "▸ " if own else "  "
    text = place_text(place, max(0, width - _INDENT - 2))
    return fit_line(((" " * _INDENT + mark, "title"), (text, "mine" if own else "dim")), width)


def matching(sites: Sequence[SiteUse], text: str) -> tuple[SiteUse, ...]:
    """Keep the sites that have the text, in whatever case, in a place of their stack, their name or their category."""
    wanted = text.strip().casefold()
    return tuple(site for site in sites if not wanted or wanted in _words(site))


def _words(site: SiteUse) -> str:
    places = " ".join(f"{place.file}:{place.line} {place.function}" for place in site.places)
    return f"{site.name} {site.category} {TITLES[site.category]} {site.confidence} {places}".casefold()
