"""The help screen: every key, what the marks mean, and the filter language, as lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.draw.line import fit, fit_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dstop.draw.line import Line, Span

KEYS: Sequence[tuple[str, Sequence[tuple[str, str]]]] = (
    (
        "move",
        (
            ("↑ ↓  k j", "one row"),
            ("PgUp PgDn", "one screen"),
            ("Home End G", "first, last"),
            ("← →", "scroll the command"),
            ("1-9  0", "only GPU n-1; all"),
            ("Esc", "back, clear"),
        ),
    ),
    (
        "look",
        (
            ("Enter", "process, close up"),
            ("e", "its environment"),
            ("g", "GPU, close up"),
            ("F", "findings: what is wrong now"),
            ("d", "doctor: past crashes"),
            ("l", "event log"),
            ("/  F4", "filter"),
            ("u", "only one user"),
            ("t  F5", "tree"),
            ("U  J", "group by user, job"),
            ("z", "fold a group or a branch"),
            ("a f c", "auto, full, compact"),
            ("v", "PCIe, NVLink, SM counters"),
        ),
    ),
    (
        "order",
        (
            ("< >  , .", "sort by column before, after"),
            ("M P N S", "by memory, CPU, PID, SM"),
            ("R", "reverse"),
        ),
    ),
    (
        "do",
        (
            ("Space", "tag"),
            ("T K I", "SIGTERM, SIGKILL, SIGINT (asks first)"),
            ("F9", "choose a signal"),
            ("y  n", "yes, no to the question"),
            ("p", "pause"),
            ("+ -", "slower, faster"),
            ("r", "read now"),
            ("Ctrl-L", "draw again"),
            ("F2", "theme"),
            ("W", "save settings"),
            ("?  h  F1", "this help"),
            ("Ctrl-P", "all commands"),
            ("Ctrl-Z", "to the background"),
            ("q  Ctrl-C", "quit"),
        ),
    ),
    (
        "mouse",
        (
            ("click", "row; title: sort; GPU: only it"),
            ("twice", "open it"),
            ("wheel", "scroll; Shift: the command"),
        ),
    ),
)
PLAY_KEYS: Sequence[tuple[str, str]] = (
    ("[ ]", "10 seconds back, on"),
    ("{ }", "a minute back, on"),
    ("( )", "incident before, after"),
    ("^ $", "its begin, its end"),
    ("+ -", "faster, slower"),
    ("p", "stand still, or go on"),
)
"""While a recording is shown; beside, or in place of, what they do else."""
PROCESS_KEYS: Sequence[tuple[str, str]] = (
    ("m", "map of the allocator's segments"),
    ("a", "who allocated what is alive"),
    ("s", "torch.cuda.memory_summary"),
    ("o", "the ranks of its job"),
    ("M", "modules, optimizers"),
    ("H", "record allocations, or stop"),
    ("S", "take a snapshot, look into it"),
    ("w", "write a snapshot to a file"),
    ("A  D", "attach (asks first), detach"),
)
"""On the screen of one process, of a PyTorch program."""
MARKS: Sequence[tuple[str, str, str]] = (
    ("▇▇▇", "seg.a", "memory of processes, the biggest first, in two shades"),
    ("▄▄▄", "seg.cached", "cached by PyTorch's allocator: free, for that process alone"),
    ("▇┃▇", "title", "where a process should end that holds more than its model needs"),
    ("╌╌╌", "label", "what the models of a card should still take"),
    ("▚▚▚", "seg.not_torch", "beside PyTorch's allocator: CUDA context, NCCL, libraries"),
    ("▓▓▓", "dim", "memory of processes that --user, --pid or a filter leave out"),
    ("▒▒▒", "seg.unattributed", "used, but by no process that is listed"),
    ("░░░", "seg.reserved", "kept by the driver"),
    ("───", "seg.free", "free"),
    (" PWR CAP ", "badge", "clocks held down: power limit; HOT: heat; BRAKE: power supply"),
    (" ROW REMAP ", "badge", "a memory row waits to be replaced: reset the GPU"),
    (" ECC 3 ", "badge.bad", "uncorrected memory errors since the driver was loaded"),
    (" XID 79 ", "badge.bad", "the driver reported this error"),
    (" LEAK 14m ", "badge", "a finding: the card is full in 14 minutes; FRAG FULL FLUSH RANK …: press F"),
    (" STALE 3s ", "badge.bad", "the driver does not answer for this card: figures are that old"),
)
FILTERS: Sequence[tuple[str, str]] = (
    ("llama", "anywhere in command, user, PID, container, model"),
    ("user:alice mem>10G", "both"),
    ("alloc>10G cached>5G", "what PyTorch's tensors have, and what it keeps for them"),
    ("gpu:0-3 (sm<5 or age>2h)", "on these cards, idle or old"),
    ("not framework:vllm", "all others"),
    ("rank=3 job:4711", "one rank of one job"),
    ("/train_.*7b/", "a regular expression"),
)
_KEY_CELLS = 12


def help_lines(width: int, *, replays: bool = False) -> list[Line]:
    """Draw the help in as many columns as fit; `replays`: with the keys of a recording first."""
    lines: list[Line] = []
    columns = 3 if width >= 150 else 2 if width >= 76 else 1  # noqa: PLR2004 - a column is about 38 to 50 cells
    column = width // columns
    first = (("in this recording", PLAY_KEYS),) if replays else ()
    for title, keys in (*first, *KEYS, ("in a process (Enter)", PROCESS_KEYS)):
        lines.append(_title(title, width))
        rows = -(-len(keys) // columns)
        for row in range(rows):
            spans: list[Span] = []
            for place in range(row, len(keys), rows):
                key, what = keys[place]
                spans += [
                    (fit(f"  {key}", _KEY_CELLS), "title"),
                    (fit(f" {what}", max(0, column - _KEY_CELLS)), ""),
                ]
            lines.append(fit_line(tuple(spans), width))
    lines.append(_title("marks", width))
    lines += [
        fit_line((("  ", ""), (mark, role), (" " * max(1, 12 - len(mark)), ""), (what, "")), width)
        for mark, role, what in MARKS
    ]
    lines.append(_title("filters (press /)", width))
    lines += [fit_line(((fit(f"  {text}", 30), "title"), (what, "")), width) for text, what in FILTERS]
    return lines


def _title(text: str, width: int) -> Line:
    return fit_line(((f" {text}", "group"),), width)
