"""What each role looks like: four themes for the screen, one set of ANSI codes for plain output.

Colours are never the only sign: every bar part has its own character and every alarm its word, so that the mono theme
and a colour-blind reader lose nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

DARK: Mapping[str, str] = {
    "": "#d4d8e0 on #12151c",
    "dim": "#7d8696",
    "label": "#8f9bb0",
    "title": "bold #f2f4f8",
    "head": "bold #12151c on #7aa2c8",
    "head.sorted": "bold #12151c on #d8b26a",
    "ok": "#7fc98a",
    "warn": "#e0b050",
    "bad": "bold #f07070",
    "badge": "bold #12151c on #e0b050",
    "badge.bad": "bold #ffffff on #b83a3a",
    "badge.note": "#12151c on #7f8ba0",
    "seg.a": "#6aa0d8",
    "seg.b": "#4a78ae",
    "seg.unattributed": "#d88ac0",
    "seg.reserved": "#5a6270",
    "seg.free": "#363d4a",
    "seg.cached": "#7d9cbf",
    "seg.not_torch": "#b49ade",
    "seg.pending": "#e0b050",
    "seg.private": "#5fb3a1",
    "graph.gpu": "#7fc98a",
    "graph.memory": "#6aa0d8",
    "graph.above": "#3f6a94",
    "graph.power": "#e0b050",
    "graph.host": "#b49ade",
    "mine": "bold #e8ecf4",
    "other": "#b4bac6",
    "group": "bold #d8b26a",
    "tree": "#7d8696",
    "note": "#d88ac0",
    "selected": "#f2f4f8 on #2c4a6a",
    "tagged": "bold #f0d070",
    "bar": "#b4bac6 on #1e232d",
    "key": "bold #f2f4f8 on #1e232d",
    "simulated": "bold #12151c on #d88ac0",
}
LIGHT: Mapping[str, str] = {
    "": "#20242c on #f7f7f4",
    "dim": "#676d77",
    "label": "#5a6270",
    "title": "bold #000000",
    "head": "bold #ffffff on #3a6694",
    "head.sorted": "bold #ffffff on #8a5a00",
    "ok": "#1f7a34",
    "warn": "#8a5a00",
    "bad": "bold #b00020",
    "badge": "bold #ffffff on #8a5a00",
    "badge.bad": "bold #ffffff on #b00020",
    "badge.note": "#ffffff on #5a6270",
    "seg.a": "#2f6fb0",
    "seg.b": "#5f93c6",
    "seg.unattributed": "#a03a84",
    "seg.reserved": "#8a8f98",
    "seg.free": "#cfd2d6",
    "seg.cached": "#6f90b3",
    "seg.not_torch": "#6a44a8",
    "seg.pending": "#8a5a00",
    "seg.private": "#1f7a6a",
    "graph.gpu": "#1f7a34",
    "graph.memory": "#2f6fb0",
    "graph.above": "#6c90b8",
    "graph.power": "#8a5a00",
    "graph.host": "#6a44a8",
    "mine": "bold #000000",
    "other": "#444a54",
    "group": "bold #8a5a00",
    "tree": "#676d77",
    "note": "#a03a84",
    "selected": "#000000 on #bcd6f0",
    "tagged": "bold #8a5a00",
    "bar": "#444a54 on #e6e6e0",
    "key": "bold #000000 on #e6e6e0",
    "simulated": "bold #ffffff on #a03a84",
}
HIGH_CONTRAST: Mapping[str, str] = {
    "": "#ffffff on #000000",
    "dim": "#c0c0c0",
    "label": "#ffffff",
    "title": "bold #ffffff",
    "head": "bold #000000 on #ffffff",
    "head.sorted": "bold #000000 on #ffff00",
    "ok": "#00ff00",
    "warn": "bold #ffff00",
    "bad": "bold #ff6060",
    "badge": "bold #000000 on #ffff00",
    "badge.bad": "bold #ffffff on #d00000",
    "badge.note": "bold #000000 on #c0c0c0",
    "seg.a": "#00c0ff",
    "seg.b": "#0080ff",
    "seg.unattributed": "#ff80ff",
    "seg.reserved": "#c0c0c0",
    "seg.free": "#808080",
    "seg.cached": "#a0d8ff",
    "seg.not_torch": "#c0a0ff",
    "seg.pending": "#ffff00",
    "seg.private": "#00ffc0",
    "graph.gpu": "#00ff00",
    "graph.memory": "#00c0ff",
    "graph.above": "#a0d8ff",
    "graph.power": "#ffff00",
    "graph.host": "#ff80ff",
    "mine": "bold #ffffff",
    "other": "#e0e0e0",
    "group": "bold #ffff00",
    "tree": "#c0c0c0",
    "note": "bold #ff80ff",
    "selected": "bold #000000 on #00ffff",
    "tagged": "bold #ffff00",
    "bar": "#ffffff on #202020",
    "key": "bold #ffff00 on #202020",
    "simulated": "bold #000000 on #ff80ff",
}
MONO: Mapping[str, str] = {
    "": "default on default",
    "dim": "dim",
    "label": "dim",
    "title": "bold",
    "head": "underline",
    "head.sorted": "bold underline",
    "ok": "",
    "warn": "bold",
    "bad": "bold",
    "badge": "reverse",
    "badge.bad": "bold reverse",
    "badge.note": "reverse",
    "seg.a": "",
    "seg.b": "dim",
    "seg.unattributed": "bold",
    "seg.reserved": "dim",
    "seg.free": "dim",
    "seg.cached": "dim",
    "seg.not_torch": "",
    "seg.pending": "bold",
    "seg.private": "bold",
    "graph.gpu": "",
    "graph.memory": "",
    "graph.above": "dim",
    "graph.power": "",
    "graph.host": "",
    "mine": "bold",
    "other": "",
    "group": "bold",
    "tree": "dim",
    "note": "bold",
    "selected": "reverse",
    "tagged": "bold underline",
    "bar": "reverse",
    "key": "bold reverse",
    "simulated": "bold reverse",
}
PALETTES: Mapping[str, Mapping[str, str]] = {
    "dark": DARK,
    "light": LIGHT,
    "high-contrast": HIGH_CONTRAST,
    "mono": MONO,
}

ANSI: Mapping[str, str] = {
    "dim": "2", "title": "1", "head": "1", "head.sorted": "1", "ok": "32", "warn": "33", "bad": "1;31", "badge": "1;33",
    "badge.bad": "1;31", "badge.note": "2", "seg.a": "34", "seg.b": "36", "seg.unattributed": "35", "seg.reserved": "2",
    "seg.free": "2", "seg.cached": "36", "seg.not_torch": "35", "seg.pending": "33", "seg.private": "32",
    "graph.above": "2", "graph.gpu": "32", "graph.memory": "34", "graph.power": "33", "graph.host": "35", "mine": "1",
    "group": "1;33", "tree": "2", "note": "35", "tagged": "1;33", "key": "1", "simulated": "1;35",
}  # fmt: skip
"""Select Graphic Rendition codes: the reader's own sixteen colours, on their own background."""


def theme_for(name: str, environ: Mapping[str, str]) -> str:
    """Choose the theme: what was asked for, else `mono` under NO_COLOR, else by the terminal's background.

    COLORFGBG ("15;0": foreground;background) is what rxvt, Konsole and others set; 7 and 9-15 are light.
    """
    if name != "auto":
        return name
    if environ.get("NO_COLOR"):
        return "mono"
    background = environ.get("COLORFGBG", "").rpartition(";")[2]
    return "light" if background.isdigit() and int(background) in {7, *range(9, 16)} else "dark"
