"""Names and passwords: who is let in, and what is said of a file that is none."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dstop.errors import ExportError
from dstop.export.scrape.auth import Gate, gate_from_file, others_can_read


def basic(pair):
    """Write a header as a client does."""
    return "Basic " + base64.b64encode(pair.encode()).decode()


def test_the_right_pair_is_let_in():
    """Any of the users, with the own password; the scheme's case does not matter (RFC 7617)."""
    gate = Gate(["anna:secret", "prometheus:other:with:colons", "jörg:geheim"])
    assert gate.lets_in(basic("anna:secret"))
    assert gate.lets_in(basic("prometheus:other:with:colons"))
    assert gate.lets_in(basic("jörg:geheim"))
    assert gate.lets_in("bAsIc " + basic("anna:secret").split()[1])


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Basic",
        "Basic ",
        "Basic !!!",
        "Bearer YW5uYTpzZWNyZXQ=",
        basic("anna:"),
        basic("anna:secret "),
        basic("Anna:secret"),
        basic(":secret"),
        "Basic " + "A" * 100_000,
    ],
    ids=[
        "none",
        "empty",
        "bare",
        "no-token",
        "no-base64",
        "bearer",
        "no-password",
        "space",
        "case",
        "no-name",
        "huge",
    ],
)
def test_others_are_not(header):
    """Nothing but the pair itself opens."""
    assert not Gate(["anna:secret"]).lets_in(header)


@given(st.text(st.characters(max_codepoint=255), max_size=60))
def test_no_header_breaks_it(header):
    """A header may hold any byte, as WSGI gives them."""
    assert not Gate(["anna:a password nobody writes"]).lets_in(header)


def test_a_file_has_a_user_a_line(tmp_path):
    """Comments and empty lines are none; a password may hold colons and blanks."""
    path = tmp_path / "users"
    path.write_text("# who may look\n\nanna:se cret\nbob:x:y\n")
    path.chmod(0o600)
    gate = gate_from_file(str(path))
    assert gate.lets_in(basic("anna:se cret"))
    assert gate.lets_in(basic("bob:x:y"))
    assert not gate.lets_in(basic("# who may look:"))
    assert not others_can_read(str(path))
    path.chmod(0o644)
    assert others_can_read(str(path))


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "names nobody"),
        (b"# only a comment\n", "names nobody"),
        (b"anna:ok\nhunter2\n", "line 2 is not NAME:PASSWORD"),
        (b"anna:\n", "line 1 is not"),
        (b"anna:\xff\n", "UTF-8"),
        (b"a:b\n" * 20_000, "64 KiB"),
        (b"".join(b"u%d:p\n" % n for n in range(65)), "more than 64"),
    ],
    ids=["empty", "comment", "no-colon", "no-password", "bytes", "huge", "many"],
)
def test_what_is_wrong_with_a_file_is_said(tmp_path, data, says):
    """One line with a fix, and never a password in it."""
    path = tmp_path / "users"
    path.write_bytes(data)
    with pytest.raises(ExportError, match=says) as caught:
        gate_from_file(str(path))
    assert caught.value.fix
    assert "hunter2" not in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path):
    """A service's log says which file."""
    with pytest.raises(ExportError, match="nowhere: No such file"):
        gate_from_file(str(tmp_path / "nowhere"))
    with pytest.raises(ExportError, match="Is a directory"):
        gate_from_file(str(tmp_path))
