"""Two plans side by side: their bars on one scale, and what each part has of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.draw.detail import heading
from dstop.draw.line import BLANK, clean, fit, fit_line
from dstop.draw.parts_bar import LOOKS, TITLES, parts_bar
from dstop.draw.plan_gauge import count_text
from dstop.draw.plan_text import LEAST, WIDEST
from dstop.draw.plan_words import layout_text, load_text, settings_text
from dstop.draw.snapshot_facts import sentence_lines
from dstop.model.footprint import PARTS
from dstop.units import bytes_text

if TYPE_CHECKING:
    from dstop.draw.line import Line
    from dstop.footprint.spec.values import Spec
    from dstop.model.footprint import Footprint

    Plan = tuple[Spec, Footprint]

_NAME, _AMOUNT, _CHANGE = 17, 13, 12


def plan_comparison(first: Plan, second: Plan, width: int) -> list[Line]:
    """Draw two plans, each a settled spec with its footprint; the change is the second less the first.

    Args:
        first: what is compared with.
        second: what is compared.
        width: cells.
    """
    width = max(LEAST, min(width, WIDEST))
    titles = [f"{clean(each.model)}  {count_text(each.total_parameters)}" for _, each in (first, second)]
    lines: list[Line] = [fit_line(((f" {titles[0]} → {titles[1]}", "head"),), width, "head")]
    whole = max(each.per_gpu.parts.total_bytes for _, each in (first, second))
    for letter, (spec, footprint) in zip("AB", (first, second), strict=True):
        text = f"{letter}  {footprint.phase}: {layout_text(spec.parallel)} · {settings_text(spec)} · {load_text(spec)}"
        lines += sentence_lines(text, width, "label")
        lines.append(((f" {letter} ", "label"), *parts_bar(footprint.per_gpu.parts, width - 4, whole)))
    lines += [BLANK, heading("each GPU", width), *_table(first[1], second[1], width)]
    return [fit_line(line, width) for line in lines]


def _table(first: Footprint, second: Footprint, width: int) -> list[Line]:
    lines = [_row(("   ", ""), "", ("A", "B", "B - A"), width, "dim")]
    before, after = first.per_gpu.parts.by_part(), second.per_gpu.parts.by_part()
    for part in PARTS:
        if before[part] or after[part]:
            char, role = LOOKS[part]
            lines.append(_amounts((f" {char} ", role), TITLES[part], before[part], after[part], width))
    plain = ("   ", "")
    one, two = first.per_gpu, second.per_gpu
    lines.append(_amounts(plain, "total", one.parts.total_bytes, two.parts.total_bytes, width))
    lines.append(_amounts(plain, "low end", one.low_bytes, two.low_bytes, width))
    lines.append(_amounts(plain, "high end", one.high_bytes, two.high_bytes, width))
    lines.append(_row(plain, "GPUs", (f"{first.gpus:,}", f"{second.gpus:,}", ""), width))
    lines.append(_amounts(plain, "all GPUs", _everywhere(first), _everywhere(second), width))
    if first.kv_bytes_per_token or second.kv_bytes_per_token:
        tokens = int(first.kv_bytes_per_token), int(second.kv_bytes_per_token)
        lines.append(_amounts(plain, "cache a token", *tokens, width))
    if first.checkpoint_bytes is not None and second.checkpoint_bytes is not None:
        lines.append(_amounts(plain, "files", first.checkpoint_bytes, second.checkpoint_bytes, width))
    return lines


def _everywhere(footprint: Footprint) -> int:
    """Give the expected bytes on all GPUs of the job together."""
    return sum(rank.gpus * rank.parts.total_bytes for rank in footprint.ranks)


def _amounts(mark: tuple[str, str], name: str, before: int, after: int, width: int) -> Line:
    change = after - before
    sign = "+" if change > 0 else ""
    return _row(mark, name, (bytes_text(before), bytes_text(after), f"{sign}{bytes_text(change)}"), width)


def _row(mark: tuple[str, str], name: str, values: tuple[str, str, str], width: int, role: str = "") -> Line:
    first, second, change = values
    return fit_line(
        (
            mark,
            (fit(name, _NAME), role),
            (fit(first, _AMOUNT, right=True), role or "label"),
            (fit(second, _AMOUNT, right=True), role or "label"),
            (fit(change, _CHANGE, right=True), role or "title"),
        ),
        width,
    )
