"""The last line: the keys that matter here, what is being filtered, and what dstop itself costs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.draw.line import cells, clean, fit_line, line_cells
from dstop.units import bytes_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dstop.draw.line import Line, Span
    from dstop.model.frame import OwnCost
    from dstop.view.arrange import View


def status_line(
    keys: Sequence[tuple[str, str]],
    width: int,
    *,
    cost: OwnCost | None,
    flags: Sequence[str] = (),
    notice: str = "",
) -> Line:
    """Draw the keys from the left as far as they fit, flags and cost at the right.

    Args:
        keys: (key, what it does), the most wanted first.
        width: cells.
        cost: what dstop takes; shown because a monitor must not be what it warns of.
        flags: states that change what is seen: `paused`, `filter: user:alice`.
        notice: takes the place of the keys while there is something to say.
    """
    right: list[Span] = [(f" {clean(flag)} ", "badge") for flag in flags]
    if cost is not None:
        right.append((f" dstop {cost.cpu_pct:.1f}% {bytes_text(cost.rss_bytes)} ", "bar"))
    needed = cells(notice) + 2 if notice else 8
    while right and line_cells(right) > width - needed:
        right.pop()
    left: list[Span] = []
    room = width - line_cells(right)
    if notice:
        left.append((f" {clean(notice)} ", "key"))
    else:
        for key, what in keys:
            if line_cells(left) + cells(key) + cells(what) + 2 > room:
                break
            left += [(f" {key}", "key"), (f" {what}", "bar")]
    return (*fit_line(tuple(left), room, "bar"), *right)


def flags_of(view: View, *, paused: bool, tagged: int) -> tuple[str, ...]:
    """Name what changes what is seen: nobody should take a filtered table for the whole."""
    flags = ["paused"] if paused else []
    if view.filter is not None and view.filter.text:
        flags.append(f"filter {view.filter.text}")
    if view.gpu_index is not None:
        flags.append(f"GPU {view.gpu_index}")
    if view.users:
        flags.append(f"user {','.join(sorted(view.users))}")
    if tagged:
        flags.append(f"{tagged} tagged")
    return tuple(flags)
