"""For plugins of serving engines: finding an engine's own page of figures from a GPU process, and reading it.

The page is another program's: only loopback is asked, its bytes, its time and its lines are bounded, and a redirect is
not followed. Names and labels are read as Prometheus writes them
(https://prometheus.io/docs/instrumenting/exposition_formats/).
"""

from __future__ import annotations

import io
import math
import re
import socket
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias, cast

from dstop.model.value import Value
from dstop.plugin.kin import is_same_network, kin_of, listening_ports

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from dstop.model.process import ProcessFacts

Told: TypeAlias = "Mapping[str, float | str]"

MOST_BYTES = 4 * 2**20
"""vLLM's page with all its histograms has 200 KiB."""
MOST_SAMPLES = 4096
SECONDS = 0.5
FRESH_S = 1.0
"""Workers of one engine within a round share a page this old."""
WINDOW_S = 60.0
_LAST_PORT = 65535
_LINE = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]{0,199})(?:\{([^\n]{0,4096})\})?[ \t]+(\S{1,40})")
_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]{0,99})="((?:[^"\\]|\\.){0,1000})"')


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Page(Value):
    """What an engine tells at one moment: by metric, each of its samples as (labels, value)."""

    at_s: float
    """Of a clock that never jumps."""
    samples: Mapping[str, Sequence[tuple[Mapping[str, str], float]]] = field(default_factory=dict)

    def total(self, *names: str) -> float | None:
        """Give the sum over the samples of the first metric that is there; None where none is."""
        values = self._values(names)
        return sum(values) if values else None

    def highest(self, *names: str) -> float | None:
        """Give the highest sample of the first metric that is there; None where none is."""
        return max(self._values(names), default=None)

    def _values(self, names: Iterable[str]) -> list[float]:
        for name in names:
            values = [value for _, value in self.samples.get(name, ()) if math.isfinite(value)]
            if values:
                return values
        return []


def fetch(
    port: int, path: str = "/metrics", *, seconds: float = SECONDS, most_bytes: int = MOST_BYTES
) -> str:
    """Get a page of this machine, by HTTP on loopback.

    Args:
        port: on 127.0.0.1.
        path: of the page.
        seconds: for all of it: who sends a byte a second is cut off too.
        most_bytes: of the answer, its head included.

    Raises:
        OSError: it cannot be had in time, is too large, or is no page; the text says which.
    """
    import http.client  # noqa: PLC0415 - only where an engine runs

    deadline = time.monotonic() + seconds
    request = (
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\nAccept: text/plain\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as link:
        link.sendall(request.encode("ascii"))
        raw = _all_of(link, deadline, most_bytes)
    try:
        answer = http.client.HTTPResponse(cast("socket.socket", _Received(raw)))
        answer.begin()
        body = answer.read(most_bytes)
    except (http.client.HTTPException, ValueError) as error:
        raise OSError(f"port {port} does not speak HTTP: {type(error).__name__}") from None
    if answer.status != http.client.OK:
        raise OSError(f"port {port} answers {answer.status} for {path}")
    return body.decode("utf-8", "replace")


class _Received:
    """Bytes that were received already, as a socket for http.client."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw

    def makefile(self, _mode: str) -> io.BytesIO:
        return io.BytesIO(self._raw)


def _all_of(link: socket.socket, deadline: float, most_bytes: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    while True:
        left = deadline - time.monotonic()
        if left <= 0:
            raise OSError("its page did not come in time")
        link.settimeout(left)
        try:
            part = link.recv(65536)
        except TimeoutError:
            raise OSError("its page did not come in time") from None
        if not part:
            return b"".join(parts)
        size += len(part)
        if size > most_bytes:
            raise OSError(f"its page has more than {most_bytes} bytes")
        parts.append(part)


def page_of(text: str, names: Iterable[str], at_s: float) -> Page:
    """Read the samples of these metrics, and nothing else; a line that is none is passed over."""
    wanted = frozenset(names)
    found: dict[str, list[tuple[Mapping[str, str], float]]] = {}
    count = 0
    for line in text.splitlines():
        match = _LINE.match(line)
        if match is None or match[1] not in wanted:
            continue
        try:
            value = float(match[3])
        except ValueError:
            continue
        found.setdefault(match[1], []).append((dict(_LABEL.findall(match[2] or "")), value))
        count += 1
        if count >= MOST_SAMPLES:
            break
    return Page(at_s=at_s, samples=found)


class Engine:
    """An engine as a plugin describes it; gives figures of each process that belongs to one that runs.

    Args:
        is_server: whether a command line is that of its HTTP server.
        port_of: the port that a command line asks for.
        names: of the metrics that are wanted.
        tell: makes figures of a page; it gets the engine's `rate_per_min` of the counter too.
        counter: the names that its count of preemptions may have.
        hint: what to say where nothing answers: how this engine's page is switched on.
        clock: seconds that never jump.
    """

    def __init__(
        self,
        *,
        is_server: Callable[[Sequence[str]], bool],
        port_of: Callable[[Sequence[str]], int | None],
        names: Sequence[str],
        tell: Callable[[Page, float | None], Told],
        counter: Sequence[str] = (),
        hint: str = "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._is_server, self._port_of = is_server, port_of
        self._names, self._tell, self._counter, self._hint = tuple(names), tell, tuple(counter), hint
        self._clock = clock
        self._servers: dict[tuple[int, int], _Server] = {}

    def figures(self, process: ProcessFacts) -> Told | None:
        """Give the figures of the engine that a process belongs to; None where it belongs to none."""
        found = next((one for one in kin_of(process.pid) if self._is_server(one.cmdline)), None)
        if found is None:
            return None
        port = self._port_of(found.cmdline)
        if port is None:
            return {"engine": "its command line does not say which port it serves"}
        if is_same_network(found.pid) is False:
            return {"engine": "it is in another network namespace: run dstop in its container"}
        now = self._clock()
        server = self._servers.setdefault((found.pid, port), _Server())
        if now - server.read_s > FRESH_S:
            server.read_s = now
            server.told = self._read(found.pid, port, server, now)
        self._forget(now)
        return server.told

    def _read(self, pid: int, port: int, server: _Server, now: float) -> Told:
        ports = listening_ports(pid)
        if ports is not None and port not in ports:
            return {"engine": f"it does not listen on port {port}: it may be starting"}
        try:
            page = page_of(fetch(port), self._names, now)
        except OSError as error:
            return {"engine": f"{error.strerror or error}{self._hint and f': {self._hint}'}"}
        if not page.samples:
            return {"engine": f"port {port} tells none of its figures{self._hint and f': {self._hint}'}"}
        return self._tell(page, server.rate_per_min(page.total(*self._counter), now))

    def _forget(self, now: float) -> None:
        old = [key for key, server in self._servers.items() if now - server.read_s > WINDOW_S]
        for key in old:
            del self._servers[key]


class _Server:
    """One server: its last answer, and its counter over the last minute."""

    def __init__(self) -> None:
        self.read_s = -math.inf
        self.told: Told = {}
        self._past: deque[tuple[float, float]] = deque(maxlen=256)

    def rate_per_min(self, total: float | None, now: float) -> float | None:
        """Give how fast the counter rose over the last minute, of at least ten seconds; None where not known yet.

        A counter that falls began anew with its process: what was before is forgotten.
        """
        if total is None:
            return None
        if self._past and total < self._past[-1][1]:
            self._past.clear()
        self._past.append((now, total))
        while now - self._past[0][0] > WINDOW_S:
            self._past.popleft()
        began_s, began = self._past[0]
        return None if now - began_s < WINDOW_S / 6 else (total - began) / (now - began_s) * 60


def option_of(cmdline: Sequence[str], name: str) -> str | None:
    """Give the last value of an option, written `--name value` or `--name=value`; None where it is not there."""
    found = None
    for index, word in enumerate(cmdline):
        if word == name and index + 1 < len(cmdline):
            found = cmdline[index + 1]
        elif word.startswith(f"{name}="):
            found = word.partition("=")[2]
    return found


def port_option(cmdline: Sequence[str], default: int, name: str = "--port") -> int | None:
    """Give the port of an option, or the engine's usual one; None where it says no port."""
    said = option_of(cmdline, name)
    if said is None:
        return default
    is_port = re.fullmatch(r"[0-9]{1,5}", said) is not None and 0 < int(said) <= _LAST_PORT
    return int(said) if is_port else None
