"""Questions to the hook of one process, one after the other, each with its time."""

from __future__ import annotations

import contextlib
import socket
import time
from typing import TYPE_CHECKING, Any, Self

from dstop.errors import AttachError
from dstop.pytorch.rendezvous import find_socket, opened
from dstop.pytorch.sockets import connect_beneath, peer_uid
from dstop.pytorch.target import ended, find_target, is_alive, is_stopped, stopped
from dstop.pytorch.wire import MOST_REQUEST_BYTES, Reader, encode
from dstop.sources.procfs.reading import clean

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from dstop.pytorch.rendezvous import Place
    from dstop.pytorch.target import Target

_CHUNK_BYTES = 1 << 18
_LONGEST_REFUSAL = 300


class NoHookError(AttachError):
    """Nobody listens: the process carries no hook."""


class NoAnswerError(AttachError):
    """The hook is there and says nothing in time: a C call holds the GIL."""


class HungUpError(AttachError):
    """The hook closed the connection, or the process ended."""


class RefusedError(AttachError):
    """The hook answered that it cannot or will not."""


class Client:
    """One connection to one hook; for one thread at a time. After an error other than a refusal it is closed."""

    def __init__(self, connection: socket.socket, target: Target) -> None:
        """Take over a connection; `connect` makes one."""
        self._connection = connection
        self._reader = Reader()
        self.target = target

    @classmethod
    def connect(
        cls, target: Target, timeout_s: float = 5.0, *, place: Place | None = None, root: str = "/proc"
    ) -> Self:
        """Connect to the hook of a process.

        Args:
            target: the process.
            timeout_s: how long the connection may take; an answer is not waited for.
            place: where its socket is, when that is known.
            root: where the process file system is.

        Raises:
            NoHookError: when it has none.
        """
        place = place or find_socket(target, root)
        if place is not None:
            with contextlib.suppress(OSError):
                return cls(connect_socket(target, place, timeout_s=timeout_s, root=root), target)
        if not is_alive(target, root):
            raise ended(target)
        raise NoHookError(
            f"process {target.pid} ({target.command}) carries no hook of dstop",
            fix=f"dstop attach {target.pid}",
        )

    def ask(
        self, op: str, *, timeout_s: float = 5.0, fds: Sequence[int] = (), **fields: Any
    ) -> dict[str, Any]:
        """Ask one question and wait for its answer.

        Args:
            op: what is asked, as the docstring of `hook.py` lists it.
            timeout_s: for all of it, sending and receiving.
            fds: descriptors that go along (SCM_RIGHTS, unix(7)).
            fields: of the request.

        Raises:
            NoAnswerError: when it does not come in time.
            HungUpError: when the connection ends.
            RefusedError: when the hook says no.
            AttachError: when what it says cannot be understood.
        """
        deadline_s = time.monotonic() + timeout_s
        try:
            self._send(encode({"op": op, **fields}), fds, deadline_s)
            reply = self._receive(deadline_s)
        except TimeoutError as error:
            self.close()
            raise self._no_answer(timeout_s) from error
        except OSError as error:
            self.close()
            raise self._hung_up() from error
        except BaseException:
            self.close()
            raise
        if reply.get("ok") is not True:
            raise self._refused(op, reply.get("error"))
        return reply

    def fileno(self) -> int:
        """Give the descriptor of the connection, for `select`."""
        return self._connection.fileno()

    def close(self) -> None:
        """Let go of the hook; safe to call twice."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _send(self, data: bytes, fds: Sequence[int], deadline_s: float) -> None:
        if len(data) > MOST_REQUEST_BYTES:
            raise AttachError("this request is longer than a hook reads", fix="ask for less")
        view = memoryview(data)
        if fds:
            self._connection.settimeout(_left_s(deadline_s))
            view = view[socket.send_fds(self._connection, [view], list(fds)) :]
        while view:
            self._connection.settimeout(_left_s(deadline_s))
            view = view[self._connection.send(view) :]

    def _receive(self, deadline_s: float) -> dict[str, Any]:
        while True:
            self._connection.settimeout(_left_s(deadline_s))
            data = self._connection.recv(_CHUNK_BYTES)
            if not data:
                raise ConnectionResetError("end of the stream")
            messages = self._reader.feed(data)
            if len(messages) > 1 or (messages and not self._reader.is_empty):
                raise AttachError(
                    f"the hook of process {self.target.pid} says more than was asked", fix="detach it"
                )
            if messages:
                return messages[0]

    def _no_answer(self, timeout_s: float) -> NoAnswerError:
        if is_stopped(self.target):
            error = stopped(self.target)
            return NoAnswerError(error.message, fix=error.fix)
        return NoAnswerError(
            f"process {self.target.pid} ({self.target.command}) does not answer within {timeout_s:g} s:"
            " some thread holds the GIL in a C call",
            fix="try again when that call has ended",
        )

    def _hung_up(self) -> AttachError:
        if not is_alive(self.target):
            return ended(self.target)
        return HungUpError(
            f"the hook of process {self.target.pid} ({self.target.command}) hung up",
            fix="try again; it serves eight at a time",
        )

    def _refused(self, op: str, error: object) -> RefusedError:
        text = clean(error)[:_LONGEST_REFUSAL].strip() if isinstance(error, str) else ""
        return RefusedError(
            f"the hook of process {self.target.pid} refuses {op}: {text or 'no reason given'}"
        )


def _left_s(deadline_s: float) -> float:
    left_s = deadline_s - time.monotonic()
    if left_s <= 0:
        raise TimeoutError
    return left_s


def connect_socket(target: Target, place: Place, *, timeout_s: float, root: str = "/proc") -> socket.socket:
    """Connect to the hook of a target. It does not wait for the hook: the kernel takes the connection for it.

    Raises:
        OSError: when there is no such socket, nobody listens, or who listens is not the target's user.
        AttachError: when root cannot act as the target's user.
    """
    with opened(target, place.directory, root) as folder:
        connection = connect_beneath(folder, place.name, timeout_s=timeout_s)
    uid = peer_uid(connection)
    if uid != target.uid:
        connection.close()
        raise PermissionError(f"user {uid} listens where user {target.uid} should")
    return connection


def ping(target: Target, timeout_s: float = 1.0, *, root: str = "/proc") -> dict[str, Any] | None:
    """Ask whether a hook answers; None when there is none, or it does not answer in time."""
    try:
        with Client.connect(target, timeout_s, root=root) as client:
            return client.ask("ping", timeout_s=timeout_s)
    except AttachError:
        return None


def connect_to(pid: int, timeout_s: float = 5.0, *, root: str = "/proc") -> Client:
    """Connect to the hook of a process by its number.

    Raises:
        AttachError: when there is no such process, or it carries no hook.
    """
    return Client.connect(find_target(pid, root, look_inside=False), timeout_s, root=root)
