"""Peers that are broken, slow or hostile: the hook and its host go on."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def host(hosts: Any) -> Any:
    """Give a process with the hook in it."""
    host = hosts.start()
    host.path = host.take_hook()
    return host


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"nonsense",
        b"[]",
        b"null",
        b"42",
        b'{"op": 5}',
        b'{"op": ["ping"]}',
        b"\xff\xfe",
        b'{"op": "__init__"}',
    ],
)
def test_nonsense_is_answered_and_survived(hosts: Any, host: Any, body: bytes) -> None:
    """A body that is no request gets a refusal, and the connection lives."""
    wire = hosts.talk(host.path)
    wire.send(body)
    assert wire.receive()["ok"] is False
    assert wire.ask("ping")["ok"]


def test_deep_nesting_is_survived(hosts: Any, host: Any) -> None:
    """JSON that exhausts the parser's recursion is a refusal like any other."""
    wire = hosts.talk(host.path)
    wire.send(b"[" * 60_000)
    assert wire.receive()["ok"] is False
    assert wire.ask("ping")["ok"]


def test_a_length_beyond_the_bound_ends_the_connection(hosts: Any, host: Any) -> None:
    """Nobody makes the hook wait for, or hold, more than 64 KiB."""
    wire = hosts.talk(host.path)
    wire.socket.sendall(b"\xff\xff\xff\xff")
    with pytest.raises(EOFError):
        wire.receive()
    assert hosts.talk(host.path).ask("ping")["ok"]


def test_a_request_may_come_in_pieces_and_several_at_once(hosts: Any, host: Any) -> None:
    """Framing does not depend on how the kernel cuts."""
    wire, other = hosts.talk(host.path), hosts.talk(host.path)
    message = b'\x00\x00\x00\x0e{"op": "ping"}'
    for piece in (message[:2], message[2:7], message[7:]):
        wire.socket.sendall(piece)
        assert other.ask("ping")["ok"]
    assert wire.receive()["ok"]
    wire.socket.sendall(message * 5)
    assert [wire.receive()["ok"] for _ in range(5)] == [True] * 5


def test_a_reader_who_does_not_read_is_dropped(hosts: Any, host: Any) -> None:
    """The answers fill the socket; after two seconds the others are served again."""
    stuck, other = hosts.talk(host.path), hosts.talk(host.path)
    stuck.socket.settimeout(0.5)
    message = b'\x00\x00\x00\x0f{"op": "hello"}'
    try:
        for _ in range(20_000):
            stuck.socket.sendall(message * 8)
    except (TimeoutError, BrokenPipeError, ConnectionResetError):
        pass
    assert other.ask("ping")["ok"]
    assert other.ask("hello")["errors"] >= 1


def test_more_clients_than_it_serves_are_hung_up_on(hosts: Any, host: Any) -> None:
    """The ninth is told at once by an end of file; when one goes, there is room again."""
    wires = [hosts.talk(host.path) for _ in range(8)]
    assert all(wire.ask("ping")["ok"] for wire in wires)
    with pytest.raises(
        (EOFError, BrokenPipeError)
    ):  # whether it hangs up after the question has come or before
        hosts.talk(host.path).ask("ping")
    wires[0].close()
    wires[1].ask("ping")
    assert hosts.talk(host.path).ask("ping")["ok"]


def test_an_unknown_operation_is_named(hosts: Any, host: Any) -> None:
    """A newer dstop learns that this hook is older."""
    reply = hosts.talk(host.path).ask("levitate")
    assert reply == {"ok": False, "error": "this hook does not know the operation 'levitate'"}


def test_descriptors_that_nobody_asked_for_are_closed(hosts: Any, host: Any, tmp_path: Path) -> None:
    """Files that come with a ping, or more than one with a snapshot, do not stay open."""
    wire = hosts.talk(host.path)
    wire.ask("ping")
    before = len(os.listdir(f"/proc/{host.pid}/fd"))  # noqa: PTH208 - the number of links, not where they lead
    files = [(tmp_path / str(n)).open("wb") for n in range(6)]
    numbers = [file.fileno() for file in files]
    assert wire.ask("ping", numbers)["ok"]
    assert wire.ask("snapshot", numbers[:2])["error"] == "a snapshot needs one regular file with the request"
    assert wire.ask("snapshot", numbers[:1])["error"] == "torch is not imported"
    partial = hosts.talk(host.path)
    socket.send_fds(partial.socket, [b"\x00\x00"], numbers[:2])
    partial.close()
    wire.ask("ping")
    hosts.wait_until(lambda: len(os.listdir(f"/proc/{host.pid}/fd")) == before)  # noqa: PTH208
    for file in files:
        file.close()


def test_a_snapshot_does_not_go_into_a_pipe(hosts: Any, host: Any) -> None:
    """A pipe that nobody reads would hold the hook for ever."""
    read, write = os.pipe()
    reply = hosts.talk(host.path).ask("snapshot", [write])
    os.close(read)
    os.close(write)
    assert reply["error"] == "a snapshot needs one regular file with the request"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become somebody else")
def test_another_user_is_hung_up_on(hosts: Any, host: Any) -> None:
    """Even where directory and socket are opened to everybody, the peer's uid decides."""
    path = Path(host.path)
    for folder in [path.parent, *path.parents]:
        if folder.is_relative_to(hosts.folder.parent) or folder.stat().st_uid == os.geteuid():
            mode = folder.stat().st_mode
            if not mode & 0o001:
                folder.chmod(mode | 0o011)
    path.chmod(0o666)
    program = (
        "import os,socket,sys\n"
        "s=socket.socket(socket.AF_UNIX)\nos.setgid(65534)\nos.setuid(65534)\n"
        's.connect(sys.argv[1])\ntry:\n    s.sendall(b\'\\0\\0\\0\\x0e{"op": "ping"}\')\n'
        "    print(s.recv(100))\nexcept (BrokenPipeError, ConnectionResetError):\n    print(b'')\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", program, host.path],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert done.stdout.strip() == "b''"
    assert hosts.talk(host.path).ask("ping")["ok"]


def test_running_out_of_descriptors_does_not_make_it_spin(hosts: Any, host: Any) -> None:
    """A process at its limit cannot accept; the hook waits and serves again when there is room."""
    wire = hosts.talk(host.path)
    wire.ask("ping")
    host.do("import resource; soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)")
    host.do(
        "resource.setrlimit(resource.RLIMIT_NOFILE, (len(__import__('os').listdir('/proc/self/fd')) - 1, hard))"
    )
    late = hosts.talk(host.path)
    late.send(b'{"op": "ping"}')
    host.do(
        "import time; before = time.process_time(); time.sleep(1.0); spent = time.process_time() - before"
    )
    assert host.value("spent") < 0.5
    host.do("resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))")
    assert late.receive()["ok"]
