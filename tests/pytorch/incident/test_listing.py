"""Keeping incidents few, and touching nothing else."""

from __future__ import annotations

import json
import os
import time

import pytest

from dstop.pytorch.incident.listing import list_incidents, prune
from dstop.pytorch.incident.place import (
    all_places,
    default_place,
    incident_name,
    is_incident_name,
    is_unfinished_name,
)
from dstop.pytorch.incident.write import write_incident


def _fill(directory, count, size_bytes=0):
    for number in range(count):
        write_incident(directory, _name(number), {"schema": 1, "at_ns": number}, {"a": bytes(size_bytes)})


def _name(number):
    return incident_name(number * 10**9, 7, "exit")


def test_names_sort_by_time():
    """The name tells when, in UTC, to the millisecond."""
    name = incident_name(1795480076_300_388_802, 29869, "exit")
    assert name == "20261124T002756.300-29869-exit"
    assert is_incident_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "a",
        "../x",
        "20261124T002756.300-1-oom\n",
        "20261124T002756.300-1-core",
        ".20261124T002756.300-1-oom",
    ],
)
def test_other_names_are_none(name):
    """Only our exact pattern is ever read or removed."""
    assert not is_incident_name(name)


@pytest.mark.parametrize(
    ("environ", "place"),
    [
        ({"DSTOP_INCIDENTS": "/i", "XDG_STATE_HOME": "/s"}, "/i"),
        ({"XDG_STATE_HOME": "/s/", "HOME": "/h"}, "/s/dstop/incidents"),
        ({"XDG_STATE_HOME": "relative", "HOME": "/h"}, "/h/.local/state/dstop/incidents"),
    ],
)
def test_the_place(environ, place):
    """The variable, then XDG's state directory if it is absolute, then its default."""
    assert default_place(environ) == place


def test_the_places_where_the_hook_falls_back_to():
    """Where the usual directory cannot be used, the hook writes beside its socket."""
    places = all_places({"DSTOP_INCIDENTS": "/i", "DSTOP_DIR": "/d", "XDG_RUNTIME_DIR": "/r"})
    assert places == ("/i", "/d/incidents", "/r/dstop/incidents", f"/tmp/dstop-{os.geteuid()}/incidents")  # noqa: S108


def test_written_is_read_oldest_first(tmp_path):
    """What was written comes back, private, in the order of time."""
    _fill(tmp_path / "i", 3)
    assert [one.at_ns for one in list_incidents(tmp_path / "i")] == [0, 1, 2]
    assert (tmp_path / "i").stat().st_mode & 0o777 == 0o700
    assert list_incidents(tmp_path / "none") == ()


def test_what_cannot_be_read_is_left_out(tmp_path):
    """One broken incident does not hide the others."""
    _fill(tmp_path, 2)
    (tmp_path / _name(0) / "incident.json").write_text("{")
    assert [one.name for one in list_incidents(tmp_path)] == [_name(1)]


def test_a_write_that_fails_leaves_nothing(tmp_path):
    """An incident is there as a whole or not at all."""
    with pytest.raises(OSError, match="No such file"):
        write_incident(tmp_path, _name(0), {}, {"no/such/folder": b""})
    assert list(tmp_path.iterdir()) == []


def test_the_oldest_go_first(tmp_path):
    """Of 25, the newest 20 stay."""
    _fill(tmp_path, 25)
    assert prune(tmp_path) == tuple(_name(number) for number in (4, 3, 2, 1, 0))
    assert len(list_incidents(tmp_path)) == 20


def test_bytes_are_bounded_and_the_newest_stays(tmp_path):
    """When space runs out the oldest go; one that is too large by itself stays while it is the newest."""
    _fill(tmp_path, 3, size_bytes=1000)
    assert prune(tmp_path, most_bytes=2500) == (_name(0),)
    assert prune(tmp_path, most_bytes=10) == (_name(1),)
    assert prune(tmp_path, most_bytes=10) == ()


def test_nothing_else_is_touched(tmp_path):
    """Files, links and directories with other names survive, and so does what a link points to."""
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "file").write_text("x")
    (tmp_path / _name(1)).symlink_to(precious)
    (tmp_path / _name(2)).write_text("a file")
    _fill(tmp_path / "other", 1)
    write_incident(tmp_path, _name(9), {}, {})
    assert prune(tmp_path, most=1) == ()
    assert (precious / "file").read_text() == "x"
    assert len(list(tmp_path.iterdir())) == 5


def test_what_a_dead_writer_left_goes_after_an_hour(tmp_path):
    """An incident that was never finished is removed, a fresh one is still being written."""
    old, fresh = (tmp_path / f".{_name(number)}.abc" for number in (1, 2))
    for path in (old, fresh):
        path.mkdir()
        (path / "a").write_text(json.dumps({}))
    long_ago = time.time() - 7200
    os.utime(old, (long_ago, long_ago))
    assert prune(tmp_path) == (old.name,)
    assert fresh.exists()


def test_unfinished_names_are_those_of_incidents():
    """A dot and our pattern, with or without something behind it."""
    assert is_unfinished_name(f".{_name(1)}")
    assert is_unfinished_name(f".{_name(1)}.x_1")
    assert not is_unfinished_name(".bashrc")
