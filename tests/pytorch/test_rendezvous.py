"""Where dstop and a hook meet, and what a target may have planted there."""

from __future__ import annotations

import os
import shutil
import socket
import stat
import subprocess
import tempfile
import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dstop.errors import AttachError
from dstop.pytorch.acting import acting_as
from dstop.pytorch.beneath import open_beneath, walk_beneath
from dstop.pytorch.rendezvous import (
    directories,
    find_socket,
    opened,
    prepare,
    publish,
    script_name,
    sweep,
    withdraw,
)
from dstop.pytorch.target import Target, find_target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NOBODY = 65534

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root acts as somebody else")


def _names(path: str | Path) -> list[str]:
    return sorted(found.name for found in Path(path).iterdir())


@pytest.fixture
def short() -> Iterator[Path]:
    """Give a directory with a name short enough for a socket, in which everybody may make files."""
    path = Path(tempfile.mkdtemp(prefix="ds-"))
    path.chmod(0o777)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def target(short: Path) -> Target:
    """Give this process, as if it had been started with DSTOP_DIR."""
    return replace(find_target(os.getpid()), dstop_dir=str(short / "d"), runtime_dir=None)


@pytest.fixture
def listener() -> Iterator[Callable[[Path], socket.socket]]:
    """Give what makes sockets that listen; they are closed at the end."""
    made: list[socket.socket] = []

    def listen(path: Path) -> socket.socket:
        made.append(socket.socket(socket.AF_UNIX))
        made[-1].bind(str(path))
        made[-1].listen()
        return made[-1]

    yield listen
    for one in made:
        one.close()


def test_the_users_wish_comes_first(target: Target) -> None:
    """DSTOP_DIR, then the session's directory, then the one that is there for everybody, by the inner user."""
    seen = replace(target, dstop_dir="/scratch/d/", runtime_dir="/run/user/5/", inner_uid=5)
    assert directories(seen) == ("/scratch/d", "/run/user/5/dstop", "/tmp/dstop-5")  # noqa: S108 - never made
    assert directories(replace(seen, dstop_dir=None, runtime_dir=None)) == ("/tmp/dstop-5",)  # noqa: S108


@pytest.mark.parametrize("path", ["relative", "/with\nnewline", "/" + "x" * 100, ""])
def test_names_that_no_socket_can_have_are_left_out(target: Target, path: str) -> None:
    """A relative name means another directory to each process; unix(7) has room for 107 bytes."""
    assert path not in directories(replace(target, dstop_dir=path))


def test_the_directory_is_private_and_the_targets(target: Target) -> None:
    """Mode 0700, the target's user, and the name of the socket by inner PID and start."""
    place = prepare(target)
    found = Path(place.directory).stat()
    assert stat.S_IMODE(found.st_mode) == 0o700
    assert (found.st_uid, place.name) == (target.uid, f"{os.getpid()}-{target.start}.sock")
    assert find_socket(target) is None


def test_a_dead_socket_is_removed_and_a_live_one_only_when_told(
    target: Target, listener: Callable[[Path], socket.socket]
) -> None:
    """An older hook that is to be replaced removes its socket itself."""
    place = prepare(target)
    listener(Path(place.path))
    assert find_socket(target) == place
    assert prepare(target, keep_socket=True) == place
    assert find_socket(target) == place
    prepare(target)
    assert find_socket(target) is None


def test_a_directory_that_others_may_enter_is_not_used(target: Target, short: Path) -> None:
    """The next candidate is; and without one the error says which and why."""
    (short / "d").mkdir(mode=0o755)
    (short / "d").chmod(0o755)
    (short / "run").mkdir(mode=0o700)
    other = replace(target, runtime_dir=str(short / "run"))
    assert prepare(other).directory == f"{short}/run/dstop"
    alone = replace(target, inner_uid=int("9" * 120))
    with pytest.raises(AttachError, match="not a private directory") as caught:
        prepare(alone)
    assert "DSTOP_DIR" in (caught.value.fix or "")


def test_a_directory_without_a_parent_is_an_error_in_one_line(target: Target, short: Path) -> None:
    """DSTOP_DIR may name what is not there."""
    lost = replace(target, dstop_dir=str(short / "a" / "b"), inner_uid=int("9" * 120))
    with pytest.raises(AttachError, match="No such file"):
        prepare(lost)


def test_a_link_in_the_place_of_the_socket_is_not_followed(
    target: Target, short: Path, listener: Callable[[Path], socket.socket]
) -> None:
    """What root would reach through it is not the hook's."""
    from dstop.pytorch.sockets import connect_beneath

    place = prepare(target)
    listener(short / "other.sock")
    Path(place.path).symlink_to(short / "other.sock")
    assert find_socket(target) is None
    with opened(target, place.directory) as folder, pytest.raises(ConnectionError):
        connect_beneath(folder, place.name, timeout_s=1.0)


def test_links_lead_nowhere_outside_the_targets_root(tmp_path: Path) -> None:
    """`/etc` within a container is the container's; `..` stops at its root."""
    (tmp_path / "real").mkdir()
    (tmp_path / "absolute").symlink_to("/real")
    (tmp_path / "outside").symlink_to("/etc")
    (tmp_path / "up").symlink_to("../../../etc")
    top = os.open(tmp_path, os.O_PATH)
    for name in ("/real", "/absolute", "/../real", "//real/."):
        found = open_beneath(top, name)
        assert os.fstat(found).st_ino == (tmp_path / "real").stat().st_ino
        os.close(found)
    for name in ("/outside", "/up", "/missing"):
        with pytest.raises(OSError, match="No such file"):
            open_beneath(top, name)
    os.close(top)


def test_without_openat2_no_link_is_followed_at_all(tmp_path: Path) -> None:
    """Old kernels and strict containers: step by step, and no descriptor is left open."""
    (tmp_path / "real" / "deep").mkdir(parents=True)
    (tmp_path / "link").symlink_to("real")
    base = os.open(tmp_path, os.O_PATH)
    before = _names("/proc/self/fd")
    found = walk_beneath(base, "/real/./deep")
    assert os.fstat(found).st_ino == (tmp_path / "real" / "deep").stat().st_ino
    os.close(found)
    for name in ("/link/deep", "/real/../link", "/..", "/missing"):
        with pytest.raises(OSError):  # noqa: PT011 - ELOOP, ENOTDIR or ENOENT
            walk_beneath(base, name)
    assert _names("/proc/self/fd") == before
    os.close(base)


def test_a_script_is_there_whole_and_goes_again(target: Target) -> None:
    """Beside the socket, for its user alone; a second one takes the place of the first."""
    place = prepare(target)
    publish(target, place, "first = 1\n" * 1000)
    path = publish(target, place, "second\n")
    assert path == f"{place.directory}/{script_name(target)}"
    assert Path(path).read_text() == "second\n"
    assert stat.S_IMODE(Path(path).stat().st_mode) == 0o600
    assert _names(place.directory) == [script_name(target)]
    withdraw(target, place)
    withdraw(target, place)
    assert _names(place.directory) == []


def test_a_script_that_cannot_be_written_is_an_error(target: Target) -> None:
    """The directory may go at any moment."""
    place = prepare(target)
    Path(place.directory).rmdir()
    with pytest.raises(AttachError, match="cannot write"):
        publish(target, place, "text")


def test_what_the_dead_have_left_is_swept(target: Target, listener: Callable[[Path], socket.socket]) -> None:
    """Sockets nobody listens on and scripts without a socket; nothing that is alive, young, ours or a stranger's."""
    place = prepare(target)
    folder = Path(place.directory)
    listener(folder / "999999999-1.sock").close()
    (folder / "999999999-1.py").write_text("left")
    (folder / "999999998-1.py").write_text("left")
    listener(folder / "999999997-2.sock")
    (folder / "999999997-2.py").write_text("in use")
    (folder / "notes.txt").write_text("a stranger's")
    (folder / ".17-815.py.4711").write_text("half of a scr")
    listener(folder / place.name).close()
    publish(target, place, "ours")
    parent = find_target(os.getppid())
    (folder / f"{parent.pid}-{parent.start}.py").write_text("alive")
    assert sweep(target, place) == 0
    assert sweep(target, place, young_s=-1.0) >= 2
    sweep(target, place, young_s=-1.0)
    assert _names(folder) == sorted(
        [
            "999999997-2.py",
            "999999997-2.sock",
            "notes.txt",
            place.name,
            script_name(target),
            f"{parent.pid}-{parent.start}.py",
        ]
    )


@as_root
def test_root_acts_as_the_user_in_one_thread_alone(target: Target) -> None:
    """Effective user, group and groups change here, and nowhere else, and come back whatever happens."""
    before = (os.geteuid(), os.getegid(), os.getgroups())
    ask, elsewhere, done = threading.Event(), [], threading.Event()

    def look() -> None:
        ask.wait(60)
        elsewhere.append((os.geteuid(), os.getegid()))
        done.set()

    other = threading.Thread(target=look)
    other.start()
    nobody = replace(target, uid=NOBODY, gid=NOBODY)
    with pytest.raises(ZeroDivisionError), acting_as(nobody):  # noqa: PT012 - what happens inside is the test
        assert (os.geteuid(), os.getegid(), os.getgroups()) == (NOBODY, NOBODY, [])
        with acting_as(nobody):
            assert os.geteuid() == NOBODY
        assert os.geteuid() == NOBODY
        ask.set()
        assert done.wait(60)
        raise ZeroDivisionError
    other.join()
    assert elsewhere == [before[:2]]
    assert (os.geteuid(), os.getegid(), os.getgroups()) == before


@as_root
def test_what_root_makes_belongs_to_the_targets_user(short: Path) -> None:
    """The hook can bind in it, and who looks in finds no file of root's."""
    child = subprocess.Popen(["/bin/sleep", "1000"], user=NOBODY, group=NOBODY)
    try:
        target = replace(find_target(child.pid), dstop_dir=str(short / "d"))
        place = prepare(target)
        path = publish(target, place, "text")
        assert {Path(place.directory).stat().st_uid, Path(path).stat().st_uid} == {NOBODY}
        assert Path(path).stat().st_gid == NOBODY
    finally:
        child.kill()
        child.wait()


@as_root
def test_root_is_not_fooled_into_a_directory_of_its_own(short: Path) -> None:
    """A user who names root's private directory, or a link to it, gets nothing done there."""
    (short / "roots").mkdir(mode=0o700)
    (short / "link").symlink_to("roots")
    child = subprocess.Popen(["/bin/sleep", "1000"], user=NOBODY, group=NOBODY)
    try:
        for name in ("roots", "link", "roots/deeper"):
            planted = replace(find_target(child.pid), dstop_dir=str(short / name), inner_uid=int("9" * 120))
            with pytest.raises(AttachError):
                prepare(planted)
        assert _names(short / "roots") == []
    finally:
        child.kill()
        child.wait()
