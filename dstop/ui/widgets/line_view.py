"""The one way dstop draws: lines of roles to strips, only what changed, past everything that costs.

A `DataTable` costs ten times this; a `Static` with markup twice. Strips are kept per line and thrown away when the
line's text changes; the terminal gets the box round what changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from dstop.draw.ascii import ascii_line
from dstop.draw.line import cells
from dstop.draw.palette import PALETTES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dstop.draw.line import Line

_STYLES: dict[str, Mapping[str, Style]] = {}


def styles_of(theme: str) -> Mapping[str, Style]:
    """Parse a palette once; every role is laid over the theme's ground."""
    if theme not in _STYLES:
        palette = PALETTES[theme]
        ground = Style.parse(palette[""])
        _STYLES[theme] = {
            role: ground + Style.parse(text) if text else ground for role, text in palette.items()
        }
    return _STYLES[theme]


class LineView(Widget):
    """Shows the lines it is given, each exactly as wide as the widget."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name for it
        super().__init__(id=id)
        self._lines: list[Line] = []
        self._strips: dict[int, Strip] = {}
        self._marked: int | None = None
        self._theme: tuple[str, bool] = ("dark", False)

    def look(self, theme: str, *, ascii_only: bool) -> None:
        """Change the theme, or go to ASCII and back."""
        if (theme, ascii_only) != self._theme:
            self._theme = (theme, ascii_only)
            self._strips.clear()
            self.refresh()

    def show(self, lines: Sequence[Line], marked: int | None = None) -> None:
        """Show these lines; `marked` is the one under the cursor."""
        before, width = self._lines, self.size.width
        after = list(lines)
        regions: list[Region] = []
        moved = {self._marked, marked} if marked != self._marked else set()
        for y in range(max(len(before), len(after))):
            old = before[y] if y < len(before) else None
            new = after[y] if y < len(after) else None
            if y in moved or old is None or new is None:
                left, right = 0, width
            elif old is new or old == new:
                continue
            else:
                left, right = _difference(old, new, width)
            self._strips.pop(y, None)
            _extend(regions, left, right, y)
        self._lines, self._marked = after, marked
        if regions:
            self.refresh(*regions)

    def notify_style_update(self) -> None:
        """Forget the strips when Textual's styles change."""
        super().notify_style_update()
        self._strips.clear()

    def _strip(self, y: int) -> Strip:
        strip = self._strips.get(y)
        if strip is None:
            strip = self._strips[y] = self._make_strip(y)
        return strip

    def _make_strip(self, y: int) -> Strip:
        theme, ascii_only = self._theme
        styles = styles_of(theme)
        width = self.size.width
        if y >= len(self._lines):
            return Strip.blank(width, styles[""])
        line = self._lines[y]
        if ascii_only:
            line = ascii_line(line)
        if y == self._marked:
            return Strip([Segment("".join(text for text, _ in line), styles["selected"])], width)
        ground = styles[""]
        return Strip([Segment(text, styles.get(role, ground)) for text, role in line], width)

    def render_line(self, y: int) -> Strip:
        """Textual's line API."""
        return self._strip(y)

    def render_lines(self, crop: Region) -> list[Strip]:
        """Go past Textual's StylesCache: our lines have no borders or padding to add."""
        rows = [self._strip(y) for y in range(crop.y, crop.bottom)]
        if crop.x == 0 and crop.right >= self.size.width:
            return rows
        return [strip.crop(crop.x, crop.right) for strip in rows]


_NEAR = 2


def _extend(regions: list[Region], left: int, right: int, y: int) -> None:
    """Add a changed stretch; one near the last joins its box, for a box costs more than a few cells do."""
    width = max(1, right - left)
    if regions and y - regions[-1].bottom <= _NEAR:
        x, top, last_width, _ = regions[-1]
        first, end = min(x, left), max(x + last_width, left + width)
        regions[-1] = Region(first, top, end - first, y - top + 1)
    else:
        regions.append(Region(left, y, width, 1))


def _difference(old: Line, new: Line, width: int) -> tuple[int, int]:
    """The first and the last cell (exclusive) at which two lines may differ."""
    first = 0
    shortest = min(len(old), len(new))
    same = 0
    while same < shortest and old[same] == new[same]:
        first += cells(new[same][0])
        same += 1
    last = width
    from_end = 1
    while from_end <= shortest - same and old[-from_end] == new[-from_end]:
        last -= cells(new[-from_end][0])
        from_end += 1
    return (first, max(first + 1, last))
