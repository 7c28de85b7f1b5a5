"""What memory is for, as one bar and as a table: every category has a character of its own beside its colour."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.draw.bars import stacked
from dstop.draw.line import fit, fit_line, line_cells
from dstop.model.study import CATEGORIES
from dstop.units import bytes_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dstop.draw.line import Line, Span
    from dstop.model.study import Moment, Share

CHARS: Mapping[str, str] = dict(zip(CATEGORIES, "█▓▒⣷░▚╬┼⢕\u2573", strict=True))
"""Also in ASCII (`dstop.draw.ascii`) no two are the same."""
TITLES: Mapping[str, str] = {
    **{name: name for name in CATEGORIES},
    "optimizer_state": "optimizer",
    "logits": "logits, loss",
}
_NAME, _AMOUNT, _PERCENT, _WORDS, _BLOCKS = 14, 6, 5, 26, 15
_ITEM = 2 + _NAME + _AMOUNT + _PERCENT + 1
_LEAST_BAR = 8
_GAP = 2


def role_of(category: str) -> str:
    """Name the role of a category's colour."""
    return f"cat.{category}"


def category_bar(moment: Moment, width: int) -> Line:
    """Draw what is live by category; what is reserved and not live is left open at the end."""
    parts: list[tuple[float, str, str]] = [
        (share.size_bytes, CHARS[share.category], role_of(share.category)) for share in moment.shares
    ]
    parts.append((0, "─", "seg.free"))
    return stacked(parts, max(moment.live_bytes, moment.reserved_bytes), width)


def sureness(share: Share) -> str:
    """Say how sure its category is: `exact`, `likely`, `possible`, or the parts of it in percent, the surest first."""
    parts = _sure_parts(share)
    if len(parts) < 2:  # noqa: PLR2004 - it is all the same
        return parts[0][1] if parts else ""
    # A part that exists is not 0%, and one beside others is not 100%.
    percents = [max(1, min(99, round(100 * amount / share.size_bytes))) for amount, _ in parts]
    return ", ".join(f"{percent}% {name}" for percent, (_, name) in zip(percents, parts, strict=True))


def most_sureness(share: Share) -> str:
    """Say it in one word: that of most of its bytes, with `~` before it where it is not that of all."""
    parts = _sure_parts(share)
    word = max(parts)[1] if parts else ""
    return word if len(parts) == 1 else f"~{word}" if word else ""


def _sure_parts(share: Share) -> list[tuple[int, str]]:
    possible = share.size_bytes - share.exact_bytes - share.likely_bytes
    amounts = (share.exact_bytes, "exact"), (share.likely_bytes, "likely"), (possible, "possible")
    return [(amount, name) for amount, name in amounts if amount > 0]


def category_table(moment: Moment, width: int) -> list[Line]:
    """Draw a category a line, with its own bar, its share, its blocks, and how sure that is.

    Args:
        moment: whose shares are drawn, in the order of the categories.
        width: cells; bar, blocks and sureness give way in this order when it is small.
    """
    return [_row(share, moment.live_bytes, width) for share in moment.shares]


def _row(share: Share, live: int, width: int) -> Line:
    words = sureness(share)
    spans: list[Span] = [*_item(share, live)]
    left = width - line_cells(spans)
    texts = []
    if left >= _WORDS:
        texts.append((fit(f" {words}", _WORDS), "dim"))
        left -= _WORDS
    if left >= _BLOCKS:
        blocks = f"{share.blocks:,} block{'s' if share.blocks != 1 else ''}"
        texts.insert(0, (fit(blocks, _BLOCKS, right=True), "label"))
        left -= _BLOCKS
    if left >= _LEAST_BAR + _GAP:
        bar = [(share.size_bytes, CHARS[share.category], role_of(share.category)), (0, "─", "seg.free")]
        spans += [(" ", ""), *stacked(bar, max(1, live), left - _GAP), (" ", "")]
    return fit_line((*spans, *texts), width)


def _item(share: Share, live: int) -> Line:
    percent = f"{100 * share.size_bytes / live:.0f}%" if live else ""
    return (
        (f" {CHARS[share.category]} ", role_of(share.category)),
        (fit(TITLES[share.category], _NAME - 1), ""),
        (fit(bytes_text(share.size_bytes), _AMOUNT, right=True), "title"),
        (fit(percent, _PERCENT, right=True), "label"),
    )


def category_legend(shares: Sequence[Share], live: int, width: int) -> list[Line]:
    """Draw the same in as few lines as fit: several categories beside each other, each with its surest word."""
    if not shares:
        return []
    columns = max(1, width // (_ITEM + 10))
    cell = width // columns
    rows = -(-len(shares) // columns)
    lines: list[Line] = []
    for row in range(rows):
        spans: list[Span] = []
        for share in shares[row::rows]:
            spans += fit_line((*_item(share, live), (f" {most_sureness(share)}", "dim")), cell)
        lines.append(fit_line(tuple(spans), width))
    return lines
