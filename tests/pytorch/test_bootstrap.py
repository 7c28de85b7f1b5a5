"""The one statement that is run in a target."""

from __future__ import annotations

import sys
import threading
import time
import types

import pytest

from dstop.pytorch.attach import hook_source
from dstop.pytorch.bootstrap import bootstrap, sections

TELLS = """
import sys, _thread
def start(*args):
    sys.dstop_test_seen.append((*args, __name__, _thread.get_ident()))
"""


def _run(source: str, names: dict[str, object], *, apart: bool = False) -> None:
    exec(bootstrap(source, "/run/ü'", None, "ptrace", apart=apart), names)  # noqa: S102 - what a target does with it


@pytest.fixture
def seen():
    """Give the list to which a hook of these tests adds how it was started."""
    calls: list[tuple[object, ...]] = []
    sys.dstop_test_seen = calls
    yield calls
    del sys.dstop_test_seen


def test_the_statement_calls_start_and_leaves_no_name(seen) -> None:
    """It binds nothing where it runs."""
    names: dict[str, object] = {}
    _run(TELLS, names)
    assert seen == [("/run/ü'", None, "ptrace", "_dstop_hook", threading.get_ident())]
    assert set(names) == {"__builtins__"}


def test_a_hook_that_was_there_is_not_compiled_again(seen, monkeypatch) -> None:
    """What an earlier attach left compiled is started anew; another text of the hook takes its place."""
    monkeypatch.setitem(sys.modules, "_dstop_hook_once", types.ModuleType("_dstop_hook_once"))
    counting = TELLS + "sys.dstop_test_seen.append('compiled')\n"
    for source in (counting, counting, counting + "# newer\n"):
        _run(source, {})
    assert [call if call == "compiled" else "started" for call in seen] == [
        "compiled",
        "started",
        "started",
        "compiled",
        "started",
    ]


def test_apart_it_holds_nobody_up(seen) -> None:
    """The thread that runs the statement starts another one for the work, and leaves no name either."""
    names: dict[str, object] = {}
    _run(TELLS, names, apart=True)
    deadline = time.monotonic() + 60
    while not seen and time.monotonic() < deadline:
        time.sleep(0.001)
    (call,) = seen
    assert call[:4] == ("/run/ü'", None, "ptrace", "_dstop_hook")
    assert call[4] != threading.get_ident()
    assert set(names) == {"__builtins__"}


@pytest.mark.parametrize(
    "source", ["def start(*a): raise SystemExit(3)", "syntax error", "raise KeyboardInterrupt", ""]
)
def test_nothing_escapes_the_statement(source: str) -> None:
    """Not even what would end the interpreter, nor a hook that an old Python cannot read."""
    names: dict[str, object] = {}
    _run(source, names)
    assert set(names) == {"__builtins__"}


def test_the_statement_is_one_expression_of_ascii() -> None:
    """Every way in carries it unchanged."""
    for apart in (False, True):
        text = bootstrap("# ü\n'''\"\"\"'''\ndef start(*args): pass", "/run", "/run/x", "pep768", apart=apart)
        assert text.isascii()
        assert text.count("\n") == 1
        compile(text.strip(), "statement", "eval")
    with pytest.raises(ValueError, match="NUL"):
        bootstrap("a\0b", None, None, "ptrace")


def test_the_hook_is_compiled_in_short_pieces() -> None:
    """A compiler holds the GIL: no piece is longer than a file of dstop may be, and together they are the hook."""
    source, _ = hook_source()
    pieces = sections(source)
    assert max(piece.count("\n") for piece in pieces) <= 350
    together: dict[str, object] = {"__name__": "pieces"}
    for piece in pieces:
        exec(compile(piece, "<hook>", "exec"), together)  # noqa: S102 - as a target does
    whole: dict[str, object] = {"__name__": "whole"}
    exec(compile(source, "<hook>", "exec"), whole)  # noqa: S102 - the same
    assert together.keys() == whole.keys()
