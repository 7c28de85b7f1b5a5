"""The one statement that is run in a target: it starts the hook and leaves nothing else behind."""

from __future__ import annotations

_BODY = """\
try:
    hook = {'__name__': '_dstop_hook'}
    exec(compile(source, '<dstop hook>', 'exec'), hook)
    hook['start'](directory, path, how)
except BaseException:
    pass
"""


def bootstrap(source: str, directory: str | None, path: str | None, how: str) -> str:
    """Give one expression statement that runs `source` in a dict of its own and calls its `start`.

    PyRun_SimpleString runs it in the target's `__main__`: an expression binds no name there. Everything is caught,
    SystemExit too, which would end the target. ASCII, so that every way in carries it unchanged.
    """
    if "\0" in source:
        raise ValueError("the source of the hook holds a NUL")
    names = {
        "__name__": "_dstop_bootstrap",
        "source": source,
        "directory": directory,
        "path": path,
        "how": how,
    }
    return f"__import__('builtins').exec({_BODY!r}, {names!a})\n"
