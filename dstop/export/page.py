"""A page in one file: it loads nothing, runs only what dstop wrote, and has the colours of the screen."""

from __future__ import annotations

import base64
import hashlib
import json
from importlib.resources import files
from typing import TYPE_CHECKING

from dstop.draw.palette import DARK, LIGHT
from dstop.export.markup import Markup, element, one_line
from dstop.model.study import CATEGORIES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_ROLES = {
    "text": "", "title": "title", "dim": "dim", "ok": "ok", "warn": "warn", "bad": "bad", "live": "seg.a",
    "pools": "seg.private", "cached": "seg.cached", "outside": "seg.not_torch", "others": "seg.b",
    "nobody": "seg.unattributed", "free": "seg.free", "untold": "seg.reserved",
    **{f"cat-{name}": f"cat.{name}" for name in CATEGORIES},
}  # fmt: skip
"""The colours of the screen, by the names that the style sheets have for them."""
_BADGES = {"certain": "badge.bad", "likely": "badge", "possible": "badge.note"}
_NO_MORE = "base-uri 'none'; form-action 'none'"


def page(title: str, content: Sequence[Markup], styles: Sequence[str], scripts: Sequence[str]) -> str:
    """Write a page.

    Style and script are allowed by their hashes alone: even if text became markup, the browser would not run it.

    Args:
        title: of the window, text.
        content: of the body.
        styles: names of files beside this one, after each other in one sheet.
        scripts: likewise; they run after the content is there.
    """
    light, dark = _variables(LIGHT), _variables(DARK)
    chosen = f":root{{{light}}}\n@media screen and (prefers-color-scheme: dark){{:root{{{dark}}}}}\n"
    style, script = chosen + "\n".join(map(_file, styles)), "\n".join(map(_file, scripts))
    allowed = f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; {_NO_MORE}"
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=allowed),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", one_line(f"{title} · dstop")),
        Markup(f"<style>{style}</style>"),
    )
    body = element("body", *content, Markup(f"<script>{script}</script>"))
    return f"<!doctype html>\n{element('html', head, body, lang='en')}\n"


def data(name: str, value: object) -> Markup:
    """Put plain values into a page for its script: no `<` is left that could end the element, or begin another."""
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    for char in "<>&":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return Markup(f'<script type="application/json" id="{name}">{text}</script>')


def _variables(palette: Mapping[str, str]) -> str:
    colours = {name: palette[role].split(" on ")[0].split()[-1] for name, role in _ROLES.items()}
    colours["paper"] = palette[""].rpartition(" on ")[2]
    for word, role in _BADGES.items():
        front, _, back = palette[role].partition(" on ")
        colours[f"{word}-text"], colours[f"{word}-back"] = front.split()[-1], back
    return "".join(f"--{name}:{colour};" for name, colour in colours.items())


def _file(name: str) -> str:
    return files("dstop.export").joinpath(name).read_text("utf-8")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
