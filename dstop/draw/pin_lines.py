"""Which blocks keep mostly free segments from being given back, and who asked for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.draw.category_bar import CHARS, role_of
from dstop.draw.detail import heading
from dstop.draw.line import fit, fit_line
from dstop.draw.site_uses import where
from dstop.units import bytes_text

if TYPE_CHECKING:
    from dstop.draw.line import Line
    from dstop.model.study import Fragmentation

_MOST = 50
_AMOUNTS = 28


def pin_lines(fragments: Fragmentation, width: int) -> list[Line]:
    """Draw what is reclaimable and what is not, and a line for each site that pins a segment; nothing without pins."""
    if not fragments.pins:
        return []
    back, pinned = bytes_text(fragments.reclaimable_bytes), bytes_text(fragments.split_bytes)
    text = f"free {bytes_text(fragments.free_bytes)}: empty_cache() gives back {back}; blocks in use pin {pinned}"
    lines = [heading(text, width)]
    for pin in fragments.pins[:_MOST]:
        free, whole = bytes_text(pin.free_bytes), bytes_text(pin.segment_bytes)
        amounts = f" {bytes_text(pin.block_bytes)} keeps {free} of {whole}"
        look = (f"{CHARS[pin.site.category]} ", role_of(pin.site.category))
        site = where(pin.site, max(0, width - _AMOUNTS - 2))
        lines.append(fit_line(((fit(amounts, _AMOUNTS), ""), look, (site, "dim")), width))
    return lines
