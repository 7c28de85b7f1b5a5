"""A process that does what a test says, with the hook in it; and the plainest client of the hook's protocol."""

from __future__ import annotations

import json
import os
import select
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HOOK = Path(__file__).parents[3] / "dstop" / "pytorch" / "hook.py"
PATIENCE_S = 120.0
PROGRAM = """
import json, sys
def _answer(value):
    sys.stdout.write("\\x01" + json.dumps(value) + "\\n")
    sys.stdout.flush()
scope = {"__name__": "host"}
_answer({"value": None})
for line in sys.stdin:
    try:
        kind, code = json.loads(line)
        _answer({"value": eval(code, scope) if kind == "eval" else exec(code, scope)})
    except BaseException as reason:
        _answer({"error": type(reason).__name__ + ": " + str(reason)})
"""
HOOK_IN = """
with open(%r) as _file:
    _text = _file.read()
hook = {"__name__": "_dstop_bootstrap"}
exec(compile(_text, "<dstop>", "exec"), hook)
"""


class HostError(Exception):
    """What the host's own code raised."""


class Host:
    """A process that runs what it is told, one piece after another, on its main thread."""

    def __init__(self, python: str, *flags: str, env: dict[str, str], directory: Path) -> None:
        """Start it; `directory` is where its hook will have its socket and its incidents."""
        self.directory = directory
        env = {name: value for name, value in env.items() if name not in {"RANK", "WORLD_SIZE", "LOCAL_RANK"}}
        with (directory / "stderr").open("wb") as stderr:
            self.process = subprocess.Popen(
                [python, *flags, "-u", "-c", PROGRAM],
                env={"DSTOP_INCIDENTS": str(directory / "found"), "PYTHONDONTWRITEBYTECODE": "1"} | env,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                bufsize=0,
            )
        self._rest = b""
        self._result()

    @property
    def pid(self) -> int:
        """Its number."""
        return self.process.pid

    @property
    def stderr(self) -> str:
        """What it has written there so far."""
        return (self.directory / "stderr").read_text()

    def _result(self) -> Any:
        deadline = time.monotonic() + PATIENCE_S
        out = self.process.stdout
        assert out is not None
        while True:
            line, newline, rest = self._rest.partition(b"\n")
            if newline:
                self._rest = rest
                if line.startswith(b"\x01"):
                    result = json.loads(line[1:])
                    if "error" in result:
                        raise HostError(result["error"])
                    return result["value"]
                continue
            ready, _, _ = select.select([out], [], [], max(0.0, deadline - time.monotonic()))
            data = os.read(out.fileno(), 1 << 16) if ready else b""
            if not data:
                raise HostError(f"the host is gone or stuck: {self.stderr[-2000:]}")
            self._rest += data

    def send(self, kind: str, code: str) -> None:
        """Have it begin something."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps([kind, code]).encode() + b"\n")
        self.process.stdin.flush()

    def do(self, code: str) -> None:
        """Run statements in it."""
        self.send("exec", code)
        self._result()

    def value(self, expression: str) -> Any:
        """Give what an expression is there."""
        self.send("eval", expression)
        return self._result()

    def take_hook(self, directory: Path | None = None, how: str = "ptrace") -> str:
        """Bring the hook in as text; gives the path of its socket."""
        self.do(HOOK_IN % str(HOOK))
        path = self.value(f"hook['start']({str(directory or self.directory / 'sock')!r}, how={how!r})")
        assert path is not None, self.value("hook['why_not']()")
        return path

    def end(self, timeout_s: float = PATIENCE_S) -> int:
        """Let it come to its end; gives its exit status."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        return self.process.wait(timeout_s)

    def close(self) -> None:
        """End it whatever it does."""
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()


class Wire:
    """The hook's protocol, as plainly as it can be spoken."""

    def __init__(self, path: str) -> None:
        """Connect."""
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(PATIENCE_S)
        self.socket.connect(path)

    def ask(self, op: str, files: list[int] | None = None, **fields: Any) -> dict[str, Any]:
        """Give the reply to one request."""
        self.send(json.dumps({"op": op, **fields}).encode(), files or [])
        return self.receive()

    def send(self, body: bytes, files: list[int] | None = None) -> None:
        """Send one framed body."""
        message = len(body).to_bytes(4, "big") + body
        if files:
            socket.send_fds(self.socket, [message], files)
        else:
            self.socket.sendall(message)

    def receive(self) -> dict[str, Any]:
        """Give the next reply; raises EOFError where the hook hung up."""
        size = int.from_bytes(self._exactly(4), "big")
        reply = json.loads(self._exactly(size))
        assert isinstance(reply, dict)
        return reply

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            try:
                part = self.socket.recv(size - len(data))
            except ConnectionResetError:
                part = b""
            if not part:
                raise EOFError
            data += part
        return data

    def close(self) -> None:
        """Hang up."""
        self.socket.close()


def wait_until(true: Callable[[], bool]) -> None:
    """Wait for something to become true, with patience."""
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


class Hosts:
    """Starts hosts and connections and ends them all."""

    def __init__(self, folder: Path) -> None:
        """Keep sockets in a folder of the test's own."""
        self.folder = folder
        self.open: list[Host | Wire] = []
        self.wait_until = wait_until
        self.error = HostError
        self.hook_source = HOOK

    def start(self, python: str = sys.executable, *flags: str, **env: str) -> Host:
        """Start a host of this Python, or of another."""
        directory = self.folder / f"host{len(self.open)}"
        directory.mkdir()
        base = {name: value for name, value in os.environ.items() if not name.startswith("DSTOP_")}
        host = Host(python, *flags, env=base | env, directory=directory)
        self.open.append(host)
        return host

    def talk(self, path: str) -> Wire:
        """Connect to a hook."""
        wire = Wire(path)
        self.open.append(wire)
        return wire


@contextmanager
def _hosts(folder: Path) -> Iterator[Hosts]:
    hosts = Hosts(folder)
    try:
        yield hosts
    finally:
        for each in reversed(hosts.open):
            each.close()


@pytest.fixture
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosts]:
    """Give what starts hosts; the path of a socket has room for 107 bytes only, so the folder's name is short."""
    with _hosts(tmp_path_factory.mktemp("h")) as each:
        yield each


@pytest.fixture(params=["DSTOP_CUDASIM_PYTHON", "DSTOP_CUDASIM_PYTHON_OLD"], ids=["newest", "oldest"])
def cudasim(request: pytest.FixtureRequest, new_cudasim: Callable[..., Any]) -> Iterator[Any]:
    """Give PyTorch on a simulated device, once of the newest release and once of the oldest that is supported."""
    simulated = new_cudasim(request.param)
    yield simulated
    simulated.clean()
