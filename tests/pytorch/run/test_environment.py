"""What `dstop run` sets, and what it leaves alone."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from dstop.pytorch.run.environment import (
    SITE,
    HookOptions,
    belongs_to,
    export_lines,
    hook_environment,
    is_name,
    new_run_id,
    run_environment,
)


def test_our_directory_goes_before_those_of_the_user():
    """The user's own PYTHONPATH stays behind ours, empty entries included."""
    assert hook_environment({"PYTHONPATH": "/a::/b"}, HookOptions()) == {"PYTHONPATH": f"{SITE}:/a::/b"}


@pytest.mark.parametrize("environ", [{}, {"PYTHONPATH": ""}, {"PYTHONPATH": SITE}])
def test_nothing_is_put_behind_ours_where_nothing_was(environ):
    """An empty entry would mean the working directory."""
    assert hook_environment(environ, HookOptions()) == {"PYTHONPATH": SITE}


def test_a_second_time_changes_nothing():
    """Entering a shell, a container and a batch job adds our directory once."""
    once = hook_environment({"PYTHONPATH": "/a"}, HookOptions())
    assert hook_environment(once, HookOptions()) == once


def test_options_become_variables():
    """Each option is one variable; a relative directory is made absolute, as jobs change theirs."""
    options = HookOptions(incidents="here", history_entries=5, black_box=False)
    values = hook_environment({}, options)
    assert Path(values["DSTOP_INCIDENTS"]) == Path.cwd() / "here"
    assert values["DSTOP_HISTORY"] == "5"
    assert values["DSTOP_BLACK_BOX"] == "0"


def test_a_run_tells_its_processes_where_incidents_go():
    """A process with another HOME writes to the same place."""
    values = run_environment({"HOME": "/home/ada", "LANG": "C"}, HookOptions(), "id1")
    assert values["DSTOP_INCIDENTS"] == "/home/ada/.local/state/dstop/incidents"
    assert values["DSTOP_RUN"] == "id1"
    assert values["LANG"] == "C"


def test_what_the_user_says_of_incidents_wins():
    """A DSTOP_INCIDENTS that is set already is kept, and the option is stronger."""
    environ = {"DSTOP_INCIDENTS": "/mine"}
    assert run_environment(environ, HookOptions(), "id1")["DSTOP_INCIDENTS"] == "/mine"
    assert run_environment(environ, HookOptions(incidents="/x"), "id1")["DSTOP_INCIDENTS"] == "/x"


def test_a_shell_can_evaluate_the_lines_whatever_is_in_them():
    """Spaces, quotes and dollars come out of `eval` as they went in."""
    hard = "/a b/it's $HOME/`x`"
    lines = export_lines({"PYTHONPATH": hard}, HookOptions())
    told = subprocess.run(
        ["/bin/sh", "-c", f'{lines}printf %s "$PYTHONPATH"'], capture_output=True, text=True, check=True
    )
    assert told.stdout == f"{SITE}:{hard}"


def test_runs_have_ids_of_their_own():
    """Two runs of one name differ, and the name can be read in both."""
    first, second = new_run_id({}, "llama"), new_run_id({}, "llama")
    assert first != second
    assert first.startswith("llama-")


def test_a_run_within_a_run_belongs_to_both():
    """The outer run finds the incidents of the inner one, and not the other way round."""
    outer = new_run_id({})
    inner = new_run_id({"DSTOP_RUN": outer})
    assert belongs_to(inner, outer)
    assert belongs_to(outer, outer)
    assert not belongs_to(outer, inner)
    assert not belongs_to(None, outer)
    assert not belongs_to(f"{outer}x", outer)


@pytest.mark.parametrize("strange", ["a/../b", "x" * 119, "a b", "ä"])
def test_a_strange_outer_id_is_not_carried_on(strange):
    """Somebody else's DSTOP_RUN may be anything, and must not grow without end."""
    assert not new_run_id({"DSTOP_RUN": strange}).startswith(strange)


@pytest.mark.parametrize(
    ("text", "good"), [("llama-3_8B", True), ("", False), ("a b", False), ("a" * 41, False), ("a\n", False)]
)
def test_names_are_short_and_plain(text, good):
    """A name stands in an id, so it has the letters of one."""
    assert is_name(text) is good
