"""The keys of the first screen, as people's hands know them from htop, nvitop and vim; see the help screen."""

from __future__ import annotations

OVERVIEW_BINDINGS: tuple[tuple[str, str], ...] = (
    ("up,k", "move(-1)"),
    ("down,j", "move(1)"),
    ("pageup,ctrl+b", "page(-1)"),
    ("pagedown,ctrl+f", "page(1)"),
    ("home", "first"),
    ("end,G", "last"),
    ("left", "shift(-1)"),
    ("right", "shift(1)"),
    ("space", "tag"),
    ("escape", "clear"),
    ("enter", "open"),
    ("e", "environment"),
    ("g", "open_gpu"),
    ("slash,f4,backslash", "filter"),
    ("u", "filter_user"),
    ("t,f5", "tree"),
    ("U", "group('user')"),
    ("J", "group('job')"),
    ("z", "fold"),
    ("a", "mode('auto')"),
    ("f", "mode('full')"),
    ("c", "mode('compact')"),
    ("v", "counters"),
    ("less_than_sign,comma", "sort_next(-1)"),
    ("greater_than_sign,full_stop,f6", "sort_next(1)"),
    ("M", "sort('mem')"),
    ("P", "sort('cpu')"),
    ("N", "sort('pid')"),
    ("S", "sort('sm')"),
    ("R", "reverse"),
    ("T", "ask_signal('SIGTERM')"),
    ("K", "ask_signal('SIGKILL')"),
    ("I", "ask_signal('SIGINT')"),
    ("f9", "choose_signal"),
    ("y", "answer(True)"),
    ("n", "answer(False)"),
    ("0", "focus_gpu(-1)"),
    *((str(place + 1), f"focus_gpu({place})") for place in range(9)),
)

OVERVIEW_KEYS: tuple[tuple[str, str], ...] = (
    ("?", "help"),
    ("q", "quit"),
    ("/", "filter"),
    ("Enter", "open"),
    ("F", "findings"),
    ("t", "tree"),
    ("J", "jobs"),
    ("< >", "sort"),
    ("g", "GPU"),
    ("l", "log"),
    ("T", "end"),
    ("p", "pause"),
    ("F2", "theme"),
)
"""What the last line shows, the most wanted first."""

PLAY_BINDINGS: tuple[tuple[str, str], ...] = (
    ("left_square_bracket", "play('back')"),
    ("right_square_bracket", "play('on')"),
    ("left_curly_bracket", "play('far_back')"),
    ("right_curly_bracket", "play('far_on')"),
    ("left_parenthesis", "play('incident_before')"),
    ("right_parenthesis", "play('incident_after')"),
    ("circumflex_accent,ctrl+home", "play('begin')"),
    ("dollar_sign,ctrl+end", "play('end')"),
)
"""What is bound beside all that, while a recording is shown."""
REPLAY_KEYS: tuple[tuple[str, str], ...] = (
    ("?", "help"),
    ("q", "quit"),
    ("p", "pause"),
    ("[ ]", "10 s"),
    ("{ }", "1 min"),
    ("( )", "incident"),
    ("+ -", "speed"),
    ("^ $", "begin, end"),
    ("/", "filter"),
    ("Enter", "open"),
    ("F", "findings"),
    ("l", "log"),
)
"""What the last line shows then."""
