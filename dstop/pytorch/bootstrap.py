"""The one statement that is run in a target: it starts the hook and leaves nothing else behind."""

from __future__ import annotations

import re
import zlib

_SECTION = re.compile(r"^(?=# -- )", re.MULTILINE)
"""Where the hook may be cut: its headings, which stand between definitions."""
_FUTURE = "from __future__ import annotations\n"

_BODY = """\
try:
    import sys
    kept = sys.modules.get('_dstop_hook_once')
    if getattr(kept, 'mark', None) == mark:
        kept.start(directory, path, how)
    else:
        hook = {'__name__': '_dstop_hook'}
        for part in parts:
            exec(compile(part, '<dstop hook>', 'exec'), hook)
        hook['start'](directory, path, how)
        kept = sys.modules['_dstop_hook_once']
        kept.mark, kept.start = mark, hook['start']
except BaseException:
    pass
"""
_APART = """\
try:
    import _thread
    _thread.start_new_thread(exec, (body, names))
except BaseException:
    pass
"""


def bootstrap(source: str, directory: str | None, path: str | None, how: str, *, apart: bool = False) -> str:
    """Give one expression statement that runs `source` in a dict of its own and calls its `start`.

    Args:
        source: of the hook.
        directory: for its socket.
        path: of its socket.
        how: which way it comes in.
        apart: whether in a thread of its own: whose thread runs the statement is then held up for a moment only.

    PyRun_SimpleString runs it in the target's `__main__`: an expression binds no name there. Everything is caught,
    SystemExit too, which would end the target. ASCII, so that every way in carries it unchanged. The hook is compiled
    section by section: a compiler holds the GIL, and all of it at once would hold it for twenty milliseconds. It stays
    compiled after it has left, so that a process that is attached to again and again does not grow by a hook each time.
    """
    if "\0" in source:
        raise ValueError("the source of the hook holds a NUL")
    names: dict[str, object] = {
        "__name__": "_dstop_bootstrap",
        "parts": sections(source),
        "mark": zlib.crc32(source.encode()),
        "directory": directory,
        "path": path,
        "how": how,
    }
    if apart:
        names = {"__name__": "_dstop_bootstrap", "body": _BODY, "names": names}
    return f"__import__('builtins').exec({_APART if apart else _BODY!r}, {names!a})\n"


def sections(source: str) -> tuple[str, ...]:
    """Cut the hook at its headings; each piece can be compiled by itself, in this order."""
    first, *rest = _SECTION.split(source)
    return (first, *(_FUTURE + part for part in rest))
