"""The ways into a running process, the gentlest first: is the hook there already, PEP 768, a safe point by ptrace.

Each is explained when it fails, and whatever happens to dstop on the way, the target is left unharmed.
"""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from dstop.errors import AttachError
from dstop.pytorch.below import NotTorchError, with_torch_below
from dstop.pytorch.bootstrap import bootstrap
from dstop.pytorch.client import Client, NoAnswerError
from dstop.pytorch.interrupts import held_back
from dstop.pytorch.memory import TargetMemory
from dstop.pytorch.python_image import find_python
from dstop.pytorch.refusals import ForbiddenByUserError, TracedError, find_standing, refusal, torch_refusal
from dstop.pytorch.rendezvous import find_socket, prepare, publish, sweep, withdraw
from dstop.pytorch.target import ended, find_target, is_alive, is_stopped, stopped
from dstop.pytorch.turn import turn
from dstop.pytorch.whereabouts import whereabouts

if TYPE_CHECKING:
    from collections.abc import Callable

    from dstop.pytorch.pep768.threads import Runtime
    from dstop.pytorch.python_image import PythonImage
    from dstop.pytorch.rendezvous import Place
    from dstop.pytorch.target import Target

PRESENT, PEP768, PTRACE = "present", "pep768", "ptrace"
"""How a hook was found or came in."""

PEP768_S = 1.5
"""How long a thread may take to come to a safe point before a new thread is brought in instead."""

_FIRST_PING_S = 1.0
_PING_S = 0.25
_POLL_S = 0.002
_TRACED_S = 0.5
"""How long somebody may debug the target before that is taken for more than another dstop going in."""

_TAKEN_S = 1.0
"""How much longer to wait when a thread has taken the request but has not run it yet."""


class Attached(NamedTuple):
    """A hook that answers."""

    client: Client
    target: Target
    how: str
    """`present` when it was there before, `pep768`, `ptrace`."""


class WaitingForGilError(AttachError):
    """The hook is in the process and waits for the GIL: it comes up by itself, later."""


def hook_source() -> tuple[str, int]:
    """Give the text of the hook and its version. It is not imported: that would start it in dstop itself."""
    text = Path(__file__).with_name("hook.py").read_text(encoding="utf-8")
    found = re.search(r"^VERSION = (\d+)$", text, re.MULTILINE)
    return text, int(found[1]) if found else 0


def attach(
    pid: int,
    *,
    timeout_s: float = 10.0,
    without_torch: bool = False,
    log: Callable[[str], None] | None = None,
    root: str = "/proc",
) -> Attached:
    """Bring the hook into a process, unless it is there, and connect to it.

    Args:
        pid: as dstop's own PID namespace numbers it.
        timeout_s: for all of it.
        without_torch: whether a Python process that has not imported PyTorch will do.
        log: told in a few words what is being tried.
        root: where the process file system is.

    Raises:
        AttachError: when it cannot be done, with the reason and what to do.
    """
    target = find_target(pid, root)
    ladder = _Ladder(target, time.monotonic() + timeout_s, log or _nothing, without_torch, root)
    try:
        return ladder.attached(ladder.climb())
    except NotTorchError as error:
        ladder.close()
        raise with_torch_below(error, pid, root) from error
    except AttachError as error:
        ladder.close()
        if not is_alive(target, root) and target.state not in "ZX":
            raise ended(target) from error
        raise
    except BaseException:
        ladder.close()
        raise


def _nothing(_: str) -> None:
    """Tell nobody."""


class _Ladder:
    """One attempt at one process."""

    def __init__(
        self, target: Target, deadline_s: float, say: Callable[[str], None], without_torch: bool, root: str
    ) -> None:
        self.client: Client | None = None
        self._target = target
        self._deadline_s = deadline_s
        self._say = say
        self._without_torch = without_torch
        self._root = root
        self._source, self._version = hook_source()
        self._older = False
        self._silent = False
        """A hook has its socket there and does not answer."""

    def climb(self) -> str:
        """Try one way after the other; gives the one that worked. Without a `client` afterwards none did."""
        if self._arrived(_FIRST_PING_S):
            return PRESENT
        if self._silent and not self._older and not is_stopped(self._target, self._root):
            self._say("a hook is there and does not answer: waiting for it")
            self._wait(self._deadline_s)
            return PRESENT
        if self._check():
            return PRESENT
        place = prepare(self._target, self._root, keep_socket=self._older)
        sweep(self._target, place, self._root)
        with turn(
            self._target,
            place,
            deadline_s=self._deadline_s,
            arrived=self._arrived,
            waiting=lambda: self._say("another dstop is attaching to it: waiting with it"),
            root=self._root,
        ) as ours:
            if self._arrived() or not ours:
                return PRESENT
            return PEP768 if self._by_pep768(place) else self._by_ptrace(place)

    def _check(self) -> bool:
        """Make sure that nothing speaks against going in; True when the hook came in meanwhile.

        A debugger that lets go within a moment was another dstop.
        """
        patience_s = time.monotonic() + _TRACED_S
        while True:
            error = refusal(self._target, find_standing(self._target, self._root))
            if error is None:
                return False
            if not isinstance(error, TracedError) or time.monotonic() >= patience_s:
                raise error
            time.sleep(_POLL_S)
            if self._arrived():
                return True
            again = find_target(self._target.pid, self._root)
            if again.start != self._target.start:
                raise ended(self._target)
            self._target = again

    def close(self) -> None:
        """Let go of a connection that will not be handed on."""
        if self.client is not None:
            self.client.close()

    def attached(self, how: str) -> Attached:
        """Give the connection, or say that the hook is on its way and not there."""
        if self.client is not None:
            return Attached(self.client, self._target, how)
        if is_stopped(self._target, self._root):
            raise stopped(self._target)
        where = whereabouts(self._target.pid, self._root)
        raise WaitingForGilError(
            f"the hook in process {self._target.pid} ({self._target.command}) waits for the GIL: a C call holds it"
            f" ({where})",
            fix="it starts by itself when that call ends: try again then",
        )

    def _arrived(self, patience_s: float = _PING_S) -> bool:
        """Whether a hook answers that is not older than ours."""
        if self.client is not None:
            return True
        if (place := find_socket(self._target, self._root)) is None:
            return False
        client = None
        try:
            client = Client.connect(self._target, patience_s, place=place, root=self._root)
            version = client.ask("ping", timeout_s=patience_s).get("version")
        except NoAnswerError:
            self._silent = True
            return False
        except AttachError:
            return False
        if type(version) is not int or version < self._version:
            self._older = True
            client.close()
            return False
        self.client = client
        return True

    def _wait(self, until_s: float) -> bool:
        """Wait for the hook."""
        while not self._arrived():
            if time.monotonic() >= until_s or not is_alive(self._target, self._root):
                return False
            time.sleep(_POLL_S)
        return True

    def _by_pep768(self, place: Place) -> bool:
        """Have a thread of the target run the hook at its next safe point; False where that did not come about."""
        from dstop.pytorch.pep768.request import make_request  # noqa: PLC0415 - not for a hook that is there

        target = self._target
        with TargetMemory.open(target.pid) as memory:
            python = find_python(target.pid, memory)
            if not self._without_torch and (error := torch_refusal(target)) is not None:
                raise error
            runtime = self._find_runtime(python, memory)
            if runtime is None:
                return False
            self._say("asking its threads to run the hook (PEP 768)")
            text = bootstrap(self._source, place.directory, place.path, PEP768, apart=True)
            with held_back() as signals:
                path = publish(target, place, text, self._root)
                outcome = make_request(
                    runtime,
                    target,
                    path.encode(),
                    arrived=self._arrived,
                    interrupted=lambda: bool(signals),
                    timeout_s=min(PEP768_S, self._left_s()),
                    root=self._root,
                )
                # A thread that took the request and finds no script prints a traceback on the target's stderr.
                if outcome.taken == 0 or (outcome.taken == 1 and self.client is not None):
                    withdraw(target, place, self._root)
        if self.client is None and outcome.taken:
            self._wait(min(self._deadline_s, time.monotonic() + _TAKEN_S))
        return self.client is not None

    def _find_runtime(self, python: PythonImage, memory: TargetMemory) -> Runtime | None:
        """Find what to speak PEP 768 to; None where that is not spoken, or makes no sense."""
        from dstop.pytorch.pep768.threads import find_runtime  # noqa: PLC0415 - as above

        try:
            symbol = python.image.symbol("_PyRuntime")
            return None if symbol is None else find_runtime(memory, symbol.address, self._target.pid)
        except ForbiddenByUserError:
            raise
        except AttachError as error:
            self._say(f"PEP 768 is of no use here: {error.message}")
            return None

    def _by_ptrace(self, place: Place) -> str:
        """Have a new thread run the hook."""
        from dstop.pytorch.inject.delivery import StillWaitingError  # noqa: PLC0415 - the last way
        from dstop.pytorch.inject.injector import inject  # noqa: PLC0415

        self._say("bringing in a thread at a safe point (ptrace)")
        text = bootstrap(self._source, place.directory, place.path, PTRACE)
        try:
            injection = inject(self._target.pid, text, timeout_s=max(0.5, self._left_s()))
        except StillWaitingError:
            injection = None
        if not self._wait(self._deadline_s) and injection is not None and injection.status == "done":
            raise AttachError(
                f"the hook ran in process {self._target.pid} ({self._target.command}) and did not stay",
                fix="it may forbid it (DSTOP_HOOK=0 in os.environ), or have no room for one more descriptor",
            )
        return PTRACE

    def _left_s(self) -> float:
        return max(0.0, self._deadline_s - time.monotonic())
