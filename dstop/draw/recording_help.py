"""The help of a snapshot's screen as lines: every key, every sign, and how sure a category can be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.draw.category_bar import CHARS, TITLES, role_of
from dstop.draw.detail import heading
from dstop.draw.line import fit, fit_line

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dstop.draw.line import Line, Span

KEYS: Sequence[tuple[str, Sequence[tuple[str, str]]]] = (
    (
        "pages",
        (
            ("t", "timeline: bytes over time"),
            ("m", "map of the segments at the end"),
            ("a", "who holds it at the cursor"),
            ("g", "growth from step to step"),
            ("w", "what if: would it have fitted?"),
            ("d", "next device"),
        ),
    ),
    (
        "timeline",
        (
            ("← →", "cursor, a column"),
            ("Shift ← →", "ten columns (also H L)"),
            ("Home End", "the beginning, the end"),
            ("p", "peak"),
            ("o", "where memory ran out"),
            ("n N", "end of the next, last step"),
            ("+ -", "zoom around the cursor"),
            ("0", "all of it"),
            ("click", "the cursor goes there"),
            ("wheel", "zoom; below: scroll"),
        ),
    ),
    (
        "sites",
        (
            ("↑ ↓", "choose"),
            ("Enter", "its whole stack"),
            ("< >", "another order (page a)"),
            ("/", "only those with a text (page a)"),
        ),
    ),
    ("leave", (("?  F1", "this help"), ("F2", "theme"), ("q Esc", "back"))),
)
MEANINGS: Mapping[str, str] = {
    "parameters": "weights and buffers",
    "gradients": "kept until zero_grad(set_to_none=True)",
    "optimizer_state": "moments and master weights",
    "activations": "kept by forward for backward",
    "temporaries": "workspaces, results that are soon gone",
    "logits": "the last layer's output, and the loss on it",
    "communication": "buffers of NCCL, buckets of DDP, gathered shards",
    "compiled": "asked for by code that torch.compile made",
    "input": "batches",
    "unknown": "no stack was recorded, or it does not tell",
}
SIGNS: Sequence[tuple[str, str, str]] = (
    ("───", "label", "reserved from the driver; between it and the area: cached, or too fragmented"),
    ("▼", "warn", "the peak"),
    ("✗", "bad", "memory ran out"),
    ("╷", "dim", "a training step ends"),
)
SURE = (
    ("exact", "the process itself named the tensor (snapshots that dstop takes)"),
    ("likely", "its stack and its life leave no other reading"),
    ("possible", "it fits best, but other readings remain"),
    ("~likely", "most of it is; a wide screen says how much"),
)
_KEY, _THREE, _TWO = 12, 150, 76


def recording_help_lines(width: int) -> list[Line]:
    """Draw the help in as many columns as fit."""
    columns = 3 if width >= _THREE else 2 if width >= _TWO else 1
    column = width // columns
    lines: list[Line] = []
    for title, keys in KEYS:
        lines.append(heading(title, width))
        rows = -(-len(keys) // columns)
        for row in range(rows):
            spans: list[Span] = []
            for key, what in keys[row::rows]:
                spans += [(fit(f"  {key}", _KEY), "title"), (fit(what, max(0, column - _KEY)), "")]
            lines.append(fit_line(tuple(spans), width))
    lines.append(heading("signs", width))
    lines += [
        fit_line((("  ", ""), (fit(sign, _KEY - 2), role), (what, "")), width) for sign, role, what in SIGNS
    ]
    lines.append(heading("what memory is for", width))
    lines += [
        fit_line(
            (
                (f"  {CHARS[name] * 3} ", role_of(name)),
                (fit(TITLES[name], 15), "title"),
                (MEANINGS[name], ""),
            ),
            width,
        )
        for name in MEANINGS
    ]
    lines.append(heading("how sure that is", width))
    return lines + [fit_line(((fit(f"  {word}", _KEY), "title"), (what, "")), width) for word, what in SURE]
