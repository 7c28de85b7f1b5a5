"""The help of the plan's screen as lines: every key, what each part is, and what the verdicts mean."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.draw.detail import heading, wrapped
from dstop.draw.line import BLANK, fit, fit_line
from dstop.draw.parts_bar import LOOKS, TITLES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dstop.draw.line import Line

KEYS: Sequence[tuple[str, str]] = (
    ("↑ ↓", "choose a knob (also k j)"),
    ("← →", "turn it (also - +, the wheel)"),
    ("Shift ← →", "four choices at once (also H L)"),
    ("0-9 Enter", "set a number; a share in percent"),
    ("click", "on a track: set it"),
    ("g G", "next, last card to measure against"),
    ("u", "undo"),
    ("R", "as it was when it began"),
    ("F2", "theme"),
    ("q Esc", "leave"),
)
MEANS: Mapping[str, str] = {
    "weights": "the parameters that this GPU holds, scales of their format included",
    "gradients": "what backward leaves for the optimizer",
    "optimizer": "moments, and the fp32 master copy where there is one",
    "activations": "what forward keeps for backward; in inference what one pass needs",
    "logits": "logits, their fp32 copies and gradients, where they are part of the peak",
    "kv_cache": "keys and values of all tokens; the whole pool of an engine that takes it beforehand",
    "workspace": "temporaries: gathered shards, the optimizer's own, library workspaces",
    "reserved_unallocated": "what the allocator holds beyond what it hands out",
    "context": "outside the allocator: CUDA context, NCCL, the driver",
}
VERDICTS: Sequence[tuple[str, str, str]] = (
    ("fits", "ok", "also at the high end of the band"),
    ("tight", "warn", "as expected it fits, at the high end it does not"),
    ("does not fit", "bad", "not even as expected"),
)
_KEY, _PART, _VERDICT = 14, 16, 14


def plan_help_lines(width: int) -> list[Line]:
    """Draw it for a width."""
    lines = [heading("keys", width)]
    lines += [fit_line(((f" {fit(key, _KEY)}", "key"), (f" {what}", "")), width) for key, what in KEYS]
    lines += [fit_line(BLANK, width), heading("parts", width)]
    for part, (char, role) in LOOKS.items():
        first, *more = wrapped(MEANS[part], max(20, width - _PART - 4))
        lines.append(fit_line(((f" {char} ", role), (fit(TITLES[part], _PART), "title"), *first), width))
        lines += [fit_line(((" " * (_PART + 3), ""), *line), width) for line in more]
    lines += [fit_line(BLANK, width), heading("verdicts", width)]
    lines += [
        fit_line(((f" {fit(word, _VERDICT)}", role), (f" {what}", "")), width)
        for word, role, what in VERDICTS
    ]
    return lines
