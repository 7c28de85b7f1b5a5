"""Questions to one hook, over real sockets, with hooks that behave and hooks that do not."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from dstop.errors import AttachError
from dstop.pytorch.client import (
    Client,
    HungUpError,
    NoAnswerError,
    NoHookError,
    RefusedError,
    connect_socket,
    connect_to,
    ping,
)
from dstop.pytorch.rendezvous import find_socket, prepare
from dstop.pytorch.target import Target, find_target
from dstop.pytorch.wire import Reader, encode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NOBODY = 65534


class Hook:
    """A hook in this process that answers as it is told."""

    def __init__(
        self, target: Target, answer: Callable[[socket.socket, dict[str, Any], list[int]], None]
    ) -> None:
        """Listen, and serve one connection after the other."""
        self._answer = answer
        self._listener = socket.socket(socket.AF_UNIX)
        self.path = prepare(target).path
        self._listener.bind(self.path)
        self._listener.listen()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            with connection:
                reader = Reader()
                while True:
                    try:
                        data, fds, _, _ = socket.recv_fds(connection, 1 << 16, 4)
                        if not data:
                            break
                        for message in reader.feed(data):
                            if message["op"] == "end":
                                return
                            self._answer(connection, message, fds)
                    except OSError:
                        break

    def close(self) -> None:
        """End the serving thread."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(self.path)
            connection.sendall(encode({"op": "end"}))
            self._thread.join(60)
        self._listener.close()
        assert not self._thread.is_alive()


@pytest.fixture
def target() -> Iterator[Target]:
    """Give this process, with a directory of its own for its socket."""
    path = Path(tempfile.mkdtemp(prefix="ds-"))
    yield replace(find_target(os.getpid()), dstop_dir=str(path / "d"), runtime_dir=None)
    shutil.rmtree(path)


@pytest.fixture
def hook(target: Target) -> Iterator[Callable[..., None]]:
    """Give what starts a hook that answers so."""
    hooks: list[Hook] = []
    yield lambda answer: hooks.append(Hook(target, answer))
    for one in hooks:
        one.close()


def _good(connection: socket.socket, message: dict[str, Any], fds: list[int]) -> None:
    for fd in fds:
        os.write(fd, b"snapshot")
        os.close(fd)
    connection.sendall(encode({"ok": True, "asked": message}))


def test_a_question_is_answered(target: Target, hook: Callable[..., None]) -> None:
    """One after the other on one connection, with their fields."""
    hook(_good)
    with Client.connect(target) as client:
        assert client.fileno() >= 0
        assert client.ask("ping")["asked"] == {"op": "ping"}
        assert client.ask("summary", device=1)["asked"] == {"op": "summary", "device": 1}
    client.close()
    assert ping(target) == {"ok": True, "asked": {"op": "ping"}}


def test_a_descriptor_goes_along(target: Target, hook: Callable[..., None], tmp_path: Path) -> None:
    """The hook writes into a file that dstop has opened: nobody's paths matter."""
    hook(_good)
    with Client.connect(target) as client, (tmp_path / "file").open("wb") as file:
        client.ask("snapshot", fds=(file.fileno(),), traces=False)
    assert (tmp_path / "file").read_bytes() == b"snapshot"


def test_an_answer_may_come_in_pieces(target: Target, hook: Callable[..., None]) -> None:
    """A long reply is put together."""

    def pieces(connection: socket.socket, _: dict[str, Any], __: list[int]) -> None:
        data = encode({"ok": True, "text": "x" * 300_000})
        for start in range(0, len(data), 50_000):
            connection.sendall(data[start : start + 50_000])

    hook(pieces)
    with Client.connect(target) as client:
        assert len(client.ask("summary")["text"]) == 300_000


def test_a_refusal_is_an_error_and_the_connection_lives(target: Target, hook: Callable[..., None]) -> None:
    """What the hook says is cut and made harmless; the next question can be asked."""

    def refuse(connection: socket.socket, message: dict[str, Any], _: list[int]) -> None:
        error: Any = "\x1b[31mno CUDA" + "x" * 5000 if message["op"] == "history" else ["?"]
        connection.sendall(encode({"ok": message["op"] == "ping", "error": error}))

    hook(refuse)
    with Client.connect(target) as client:
        with pytest.raises(RefusedError, match="no CUDA") as caught:
            client.ask("history")
        assert str(caught.value).isprintable()
        assert len(str(caught.value)) < 500
        with pytest.raises(RefusedError, match="no reason given"):
            client.ask("facts")
        assert client.ask("ping")["ok"]


def test_a_silent_hook_is_told_from_none(target: Target, hook: Callable[..., None]) -> None:
    """Its thread waits for the GIL: the connection is of no more use, a late answer would be taken for another's."""
    hook(lambda *_: None)
    client = Client.connect(target)
    with pytest.raises(NoAnswerError, match="GIL"):
        client.ask("stats", timeout_s=0.05)
    assert client.fileno() == -1
    with pytest.raises(HungUpError):
        client.ask("stats")
    assert ping(target, 0.05) is None


def test_no_hook_is_an_error_with_a_way_out(target: Target) -> None:
    """Nobody there, or a socket that nobody listens on."""
    with pytest.raises(NoHookError, match="carries no hook") as caught:
        Client.connect(target)
    assert caught.value.fix == f"dstop attach {target.pid}"
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(prepare(target).path)
    dead.close()
    with pytest.raises(NoHookError):
        Client.connect(target)
    assert ping(target) is None
    with pytest.raises(AttachError):
        connect_to(os.getpid())


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (b"", HungUpError),
        (b"\xff\xff\xff\xff", AttachError),
        (b"\x00\x00\x00\x02[]", AttachError),
        (encode({"ok": True}) * 2, AttachError),
        (encode({"ok": True}) + b"\x00", AttachError),
    ],
    ids=["hang-up", "endless", "no object", "two answers", "more than one"],
)
def test_what_makes_no_sense_ends_the_connection(
    target: Target, hook: Callable[..., None], reply: bytes, error: type[AttachError]
) -> None:
    """A hostile hook costs one error, and its connection."""

    def answer(connection: socket.socket, _: dict[str, Any], __: list[int]) -> None:
        if reply:
            connection.sendall(reply)
        else:
            connection.shutdown(socket.SHUT_RDWR)

    hook(answer)
    client = Client.connect(target)
    with pytest.raises(error):
        client.ask("stats", timeout_s=30)
    assert client.fileno() == -1


def test_a_question_that_no_hook_would_read_is_not_asked(target: Target, hook: Callable[..., None]) -> None:
    """Hooks hang up on more than 64 KiB."""
    hook(_good)
    with Client.connect(target) as client, pytest.raises(AttachError, match="longer"):
        client.ask("x" * 70_000)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can listen in another user's directory")
def test_an_impostor_is_not_talked_to(target: Target, hook: Callable[..., None]) -> None:
    """Directory and socket are the target's user's, but who listens is somebody else."""
    hook(_good)
    place = prepare(target, keep_socket=True)
    Path(place.directory).parent.chmod(0o755)
    for path in (place.directory, place.path):
        os.chown(path, NOBODY, NOBODY)
    theirs = replace(target, uid=NOBODY, gid=NOBODY)
    assert find_socket(theirs) == place
    with pytest.raises(PermissionError, match="user 0 listens"):
        connect_socket(theirs, place, timeout_s=5)
    with pytest.raises(NoHookError):
        Client.connect(theirs)
