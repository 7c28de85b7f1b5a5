"""dstop's guest: the one file of dstop that runs inside the watched process.

Standard library only, Python 3.9 syntax, nothing of dstop, never imports torch (it waits for `sys.modules`), never
creates a CUDA context, never raises into its host, serves from one raw `_thread` thread. It comes in by
`import dstop.pytorch.hook`, by `dstop run` (sitecustomize), or as text (PEP 768, ptrace).

The protocol. A Unix stream socket `DIR/PID-START.sock`: PID is the process' number in its own PID namespace, START is
field 22 of /proc/self/stat; DIR is `$DSTOP_DIR`, else `$XDG_RUNTIME_DIR/dstop` where that directory exists and is the
user's own, else `/tmp/dstop-UID`; DIR has mode 0700, the socket 0600. A message is a 4-byte big-endian length and that
many bytes of JSON, one object. Requests are at most 64 KiB, replies at most 32 MiB. Peers whose uid is neither ours nor
0 are hung up on. Every reply has `ok`; a refusal is `{"ok": false, "error": TEXT}`; what could not be had is null, with
its reason in `unavailable` {field: reason}.

op        request                   reply
ping      -                         version, pid
hello     -                         version, how, pid, start, python, executable, torch (version or null),
                                    cuda_version, cuda_initialized, backend, allocator_conf, rank, local_rank,
                                    world_size, history, history_ours, black_box, incidents {count, directory},
                                    requests, errors, devices [{index, uuid, pci_bus_id, name, total_bytes}]
stats     -                         taken_ns (time.time_ns), took_ns, torch, cuda_initialized, history, incidents,
                                    host (pinned memory, nested, of torch._C._cuda_hostMemoryStats),
                                    devices [{index, uuid, stats {nested, of torch._C._cuda_memoryStats}}]
summary   device                    text
segments  device?, most_segments?,  taken_ns, left_out, segments [[device, address, total, allocated, active,
          most_blocks? (in all)     stream, small, [pool, pool], expandable, [[size, requested or null, state]]]]
                                    (states: a active_allocated, p active_pending_free, i inactive)
sites     device?, most?            history, sites [[device, bytes, blocks, [[file, line, function], ...]], ...]
facts     -                         models [...], optimizers [...], config {...} or null
history   enabled, max_entries?     history, history_ours
snapshot  traces, gzip; one file    bytes, traces (whether they are in it)
          descriptor (SCM_RIGHTS)
detach    -                         - (everything that the hook changed is restored, and it ends)

Environment: `DSTOP_HOOK=0` keeps the hook out, `DSTOP_BLACK_BOX=0` the black box; `DSTOP_DIR`, `DSTOP_INCIDENTS` say
where the socket and the incidents go.
"""

from __future__ import annotations

import _thread
import json
import os
import select
import socket
import stat
import struct
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import FrameType, ModuleType
    from typing import Any

VERSION = 1

NAME, ONCE = "_dstop_hook", "_dstop_hook_once"
"""Under `sys.modules`: the hook that is in; and what a process has once, however often hooks come and go."""
MOST_REQUEST_BYTES, MOST_REPLY_BYTES, MOST_CLIENTS = 1 << 16, 32 << 20, 8
STUCK_S = 2.0
"""What a client that does not read may cost, once."""
RING_ENTRIES, MOST_RING_ENTRIES = 20_000, 200_000
MOST_SNAPSHOT_BYTES, MOST_INCIDENT_SNAPSHOT_BYTES, LEAST_FREE_BYTES = 2 << 30, 256 << 20, 64 << 20
MOST_INCIDENTS, FIRST_INCIDENTS, BETWEEN_INCIDENTS_S, MOST_INCIDENT_DIRECTORIES = 5, 3, 60.0, 20
MOST_THREADS, MOST_FRAMES = 200, 100
FACTS_S, BETWEEN_FACTS_S, MOST_CONFIG_BYTES = 1.0, 5.0, 1 << 16
CARD_S = 0.3
NAMES_S, OOM_NAMES_S, MOST_NAMES, LONGEST_NAME = 1.0, 0.5, 50_000, 200
"""What naming the storages of a snapshot may take: where somebody asks for it, and where the program failed."""
SETTLE_S = 60.0
"""How long the thread looks again and again while torch is being imported or CUDA initialized."""
STATES = {"active_allocated": "a", "active_pending_free": "p", "active_awaiting_free": "p"}


class Refusal(Exception):  # noqa: N818 - an answer, not an error of ours
    """The request is understood and not served; the text says why."""


def _once() -> Any:
    """Give what this process has once: one atexit and one at-fork callback, one observer, the count of incidents."""
    once: Any = sys.modules.get(ONCE)
    if once is None:
        import atexit

        once = type(sys)(ONCE)
        once.reason = once.on_oom = once.directory = None
        once.queued = once.observed = once.card_hung = False
        once.times = []
        once.starting, once.writing = _thread.allocate_lock(), _thread.allocate_lock()
        kept: Any = sys.modules.setdefault(ONCE, once)
        if kept is not once:  # another thread was faster
            return kept
        atexit.register(_at_exit)
        os.register_at_fork(after_in_child=_after_fork)
    return once


def _present() -> Any:
    """Give the hook that is in this process, of whatever version."""
    return getattr(sys.modules.get(NAME), "hook", None)


def _at_exit() -> None:
    try:
        hook = _present()
        if hook is not None:
            hook.history.abandon()
            hook.stop(0.5)
    except BaseException:
        pass


def _after_fork() -> None:
    try:
        once: Any = sys.modules.get(ONCE)
        if once is not None:
            once.on_oom, once.times, once.directory = None, [], None
            once.starting, once.writing = _thread.allocate_lock(), _thread.allocate_lock()
        hook = _present()
        if hook is not None:
            hook.after_fork()
    except BaseException:
        pass


# -- Life cycle ---------------------------------------------------------------------------------------------------


def start(directory: str | None = None, path: str | None = None, how: str = "import") -> str | None:
    """Bring the hook up and give the path of its socket; None where it cannot be, with the reason in `why_not()`.

    With `path`, the attacher has made and checked the private directory, and nothing is at the path. A hook that is
    there already stays, unless it is of an older version. Never raises.
    """
    try:
        once = _once()
        if os.environ.get("DSTOP_HOOK") == "0":
            once.reason = "DSTOP_HOOK=0 in the environment of the process keeps the hook out"
            return None
        if not once.starting.acquire(timeout=5):  # PEP 768 arms all threads: two may come at once
            return None
        try:
            return _start(once, directory or os.environ.get("DSTOP_DIR") or default_directory(), path, how)
        finally:
            once.starting.release()
    except BaseException as reason:  # nothing reaches the host
        try:
            _once().reason = f"{type(reason).__name__}: {reason}"
        except BaseException:  # nor this
            pass
        return None


def _start(once: Any, directory: str, path: str | None, how: str) -> str | None:
    """Take over from an older hook, or leave the one that is there."""
    old = _present()
    if old is not None:
        # A cleaner of /tmp may have taken the socket: then a new one is bound.
        if old.running and old.version >= VERSION and old.path and os.path.exists(old.path):
            return str(old.path)
        old.stop(0.5)
    hook = Hook(directory, how)
    hook.open(path)
    module: Any = type(sys)(NAME)
    module.hook = hook
    sys.modules[NAME] = module
    hook.begin()
    once.reason = None
    return hook.path


def stop() -> None:
    """Restore what the hook changed and end it; nothing happens where there is none."""
    try:
        hook = _present()
        if hook is not None:
            hook.stop(0.5)
    except BaseException:  # nothing reaches the host
        pass


def why_not() -> str | None:
    """Say why the newest `start` gave None."""
    reason: str | None = _once().reason
    return reason


def default_directory() -> str:
    """Give the user's own directory for sockets, which may not exist yet."""
    run = os.environ.get("XDG_RUNTIME_DIR")
    try:
        if run and stat.S_ISDIR(os.stat(run).st_mode) and os.stat(run).st_uid == os.geteuid():
            return os.path.join(run, "dstop")
    except OSError:
        pass
    return "/tmp/dstop-%d" % os.geteuid()  # noqa: S108 - checked before it is used


def make_private(directory: str) -> None:
    """Make a directory that only this user can enter, whatever the umask; refuse one that others could."""
    try:
        os.mkdir(directory, 0o700)
        os.chmod(directory, 0o700)
    except FileExistsError:
        pass
    found = os.lstat(directory)
    if not stat.S_ISDIR(found.st_mode) or found.st_mode & 0o077 or found.st_uid != os.geteuid():
        raise PermissionError("%s is not a private directory of uid %d" % (directory, os.geteuid()))


def born() -> int:
    """Give field 22 of /proc/self/stat: a PID that is given out again gets another file name."""
    with open("/proc/self/stat", "rb") as file:
        return int(file.read().rsplit(b")", 1)[1].split()[19])


# -- The guest ----------------------------------------------------------------------------------------------------


class Client:
    """One connection."""

    __slots__ = ("buffer", "connection", "files")

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.buffer = bytearray()
        self.files: list[int] = []

    def close(self) -> None:
        """Let go of it, and of the descriptors that came with requests."""
        self.connection.close()
        close_files(self.files)


def close_files(files: list[int]) -> None:
    """Close descriptors; one that is closed already does not matter."""
    while files:
        try:
            os.close(files.pop())
        except OSError:
            pass


class Hook:
    """The guest: a socket, a thread that answers, and what must be restored when it leaves."""

    def __init__(self, directory: str, how: str) -> None:
        self.version = VERSION
        self.directory, self.how = directory, how
        self.pid = os.getpid()
        self.running = False
        self.path: str | None = None
        self.listener: socket.socket | None = None
        self.wakers: list[int] = []
        self.clients: dict[int, Client] = {}
        self.requests = self.errors = 0
        self.named = False
        self.settle_until: float | None = None
        self.initializing = False
        self.ended = _thread.allocate_lock()
        self.torch = Torch()
        self.history = History(self.torch)
        self.black_box = BlackBox(self)
        self.finder = Finder(self)
        self.answers = Answers(self)

    def open(self, path: str | None) -> None:
        """Bind. Every call here lets go of the GIL, and a busy thread gives it back after 5 ms: so, few of them."""
        if path is None:
            make_private(self.directory)
            path = os.path.join(self.directory, "%d-%d.sock" % (self.pid, born()))
            try:
                os.unlink(path)
            except FileNotFoundError:
                pass
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            listener.bind(path)
            os.chmod(path, 0o600)
            listener.listen(64)
            listener.setblocking(False)
            self.wakers = list(os.pipe())
        except BaseException:
            listener.close()
            raise
        self.listener, self.path, self.running = listener, path, True

    def begin(self) -> None:
        """Start the thread that answers; from now on this is the hook of the process."""
        self.ended.acquire()
        self.finder.wait()
        try:
            _thread.start_new_thread(self.serve, ())
        except BaseException:  # no room for another thread
            self.leave()
            raise

    def poke(self) -> None:
        """Wake the thread; from any thread."""
        try:
            os.write(self.wakers[1], b"x")
        except (OSError, IndexError):
            pass

    def restore(self) -> None:
        """Undo everything that the hook changed in its host; safe to repeat, and each part by itself."""
        for undo in (self.finder.leave, self.black_box.disarm, self.history.leave):
            try:
                undo()
            except BaseException:
                self.errors += 1

    def close(self) -> None:
        """Take the socket away, so that nobody new comes."""
        self.running = False
        path, self.path = self.path, None
        if path and os.getpid() == self.pid:
            try:
                os.unlink(path)
            except OSError:
                pass

    def stop(self, wait_s: float) -> None:
        """Restore, and end the thread; waits for it so long."""
        self.restore()
        self.close()
        self.poke()
        if self.ended.acquire(timeout=wait_s):
            self.ended.release()
        if _present() is self:
            sys.modules.pop(NAME, None)

    def leave(self) -> None:
        """End for good, on whichever thread."""
        self.restore()
        self.close()
        self.close_all()
        if _present() is self:
            sys.modules.pop(NAME, None)
        self.ended.release()

    def after_fork(self) -> None:
        """Leave a forked child as if dstop had never been there; an attach to the child starts afresh."""
        self.running = False
        self.path = None
        self.finder.leave()
        self.history.unwrap()
        self.close_all()
        sys.modules.pop(NAME, None)

    def close_all(self) -> None:
        """Close every descriptor of ours."""
        for client in list(self.clients.values()):
            client.close()
        self.clients.clear()
        if self.listener is not None:
            self.listener.close()
            self.listener = None
        close_files(self.wakers)

    # -- Server ---------------------------------------------------------------------------------------------------

    def serve(self) -> None:
        """Answer until told to leave. Without a timeout: an idle hook never wakes up."""
        try:
            import _signal  # type: ignore[import-not-found]

            # Signals are for the host's threads.
            _signal.pthread_sigmask(_signal.SIG_BLOCK, _signal.valid_signals())
            assert self.listener is not None
            poll = select.poll()
            listening, waking = self.listener.fileno(), self.wakers[0]
            poll.register(listening, select.POLLIN)
            poll.register(waking, select.POLLIN)
            self.settle_until = time.monotonic() + SETTLE_S
            self.settle()
            while self.running:
                for descriptor, _event in poll.poll(None if self.settle_until is None else 25):
                    if descriptor == listening:
                        self.accept(poll)
                    elif descriptor == waking:
                        os.read(waking, 64)
                        self.settle_until = time.monotonic() + SETTLE_S
                    elif not self.read(self.clients[descriptor]):
                        poll.unregister(descriptor)
                        self.clients.pop(descriptor).close()
                if self.settle_until is not None:
                    self.settle()
        except BaseException:
            self.errors += 1
        finally:
            if os.getpid() == self.pid:
                self.leave()

    def settle(self) -> None:
        """Arm the black box as soon as there is something to arm: cheap, so every request tries."""
        try:
            self.black_box.arm()
            if self.settle_until is not None and time.monotonic() > self.settle_until:
                self.initializing = False
                self.settle_until = None
            importing = "torch" in sys.modules and self.torch.module() is None
            if self.black_box.settled or not (importing or self.initializing):
                self.settle_until = None
        except BaseException:  # of whatever torch this is
            self.errors += 1
            self.settle_until = None

    def accept(self, poll: select.poll) -> None:
        """Take a connection of our own user or root."""
        assert self.listener is not None
        try:
            connection, _ = self.listener.accept()
        except BlockingIOError:
            return
        except OSError:  # no descriptors left: the next poll would return at once
            time.sleep(0.1)
            return
        uid = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[1]
        if uid not in (0, os.geteuid()) or len(self.clients) >= MOST_CLIENTS:
            connection.close()
            return
        connection.settimeout(STUCK_S)
        poll.register(connection, select.POLLIN)
        self.clients[connection.fileno()] = Client(connection)
        if not self.named:  # not before: opening a file lets go of the GIL, which costs the attacher 5 ms
            self.named = True
            try:
                with open("/proc/self/task/%d/comm" % _thread.get_native_id(), "w") as file:
                    file.write("dstop-hook")
            except OSError:
                pass

    def read(self, client: Client) -> bool:
        """Take what has come and answer every whole request; False where the connection is to be closed."""
        try:
            data, files, _flags, _address = socket.recv_fds(
                client.connection, MOST_REQUEST_BYTES, 4, socket.MSG_CMSG_CLOEXEC
            )
            client.files += files
            if not data:
                return False
            client.buffer += data
            while len(client.buffer) >= 4:
                size = int.from_bytes(client.buffer[:4], "big")
                if size > MOST_REQUEST_BYTES:
                    return False
                if len(client.buffer) < 4 + size:
                    break
                body = bytes(client.buffer[4 : 4 + size])
                del client.buffer[: 4 + size]
                client.connection.sendall(self.reply(body, client))
        except BaseException:
            self.errors += 1
            return False
        return self.running

    def reply(self, body: bytes, client: Client) -> bytes:
        """Give the framed answer to one request."""
        self.requests += 1
        try:
            request = json.loads(body)
            answer = getattr(self.answers, "answer_%s" % request.get("op"), None)
            if answer is None:
                raise Refusal("this hook does not know the operation %.40r" % (request.get("op"),))
            out = encode({"ok": True, **answer(request, client)})
            if len(out) > MOST_REPLY_BYTES:
                raise Refusal("the answer is larger than 32 MiB: ask for less")
        except Refusal as refusal:
            out = encode({"ok": False, "error": str(refusal)})
        except BaseException as reason:
            self.errors += 1
            out = encode({"ok": False, "error": "%s: %.500s" % (type(reason).__name__, reason)})
        finally:
            close_files(client.files)
        return len(out).to_bytes(4, "big") + out


# -- Answers ------------------------------------------------------------------------------------------------------


class Answers:
    """What each request of the protocol is answered with."""

    def __init__(self, hook: Hook) -> None:
        self.hook, self.torch, self.history = hook, hook.torch, hook.history
        self.facts: tuple[float, dict[str, Any]] | None = None

    def had(self, field: str, read: Callable[[], Any], unavailable: dict[str, str]) -> Any:
        """Give one value, or None and the reason."""
        try:
            return read()
        except OSError as reason:
            unavailable[field] = str(reason)
            return None

    def answer_ping(self, _request: dict[str, Any], _client: Client) -> dict[str, Any]:
        """Say that we are here."""
        return {"version": VERSION, "pid": self.hook.pid}

    def answer_hello(self, _request: dict[str, Any], _client: Client) -> dict[str, Any]:
        """Say who we are."""
        self.hook.settle()
        unavailable: dict[str, str] = {}
        torch, cuda = self.torch.module(), self.torch.cuda()
        if cuda is None:
            unavailable["devices"] = self.torch.reason
        if not self.hook.black_box.armed:
            unavailable["black_box"] = self.hook.black_box.reason
        return {
            "version": VERSION,
            "how": self.hook.how,
            "pid": self.hook.pid,
            "start": self.had("start", born, unavailable),
            "python": sys.version.split()[0],
            "executable": sys.executable,
            "torch": version_of(torch),
            "cuda_version": text_or_none(getattr(getattr(torch, "version", None), "cuda", None)),
            "cuda_initialized": cuda is not None,
            "backend": self.torch.backend() if cuda is not None else None,
            "allocator_conf": allocator_conf(),
            **ranks(torch),
            "history": self.history.on(),
            "history_ours": self.history.ours,
            "black_box": self.hook.black_box.armed,
            "incidents": incidents(),
            "requests": self.hook.requests,
            "errors": self.hook.errors,
            "devices": [] if cuda is None else [self.torch.device(index) for index in self.torch.devices()],
            "unavailable": unavailable,
        }

    def answer_stats(self, _request: dict[str, Any], _client: Client) -> dict[str, Any]:
        """Give the counters of every device on which the process has a context."""
        began = time.perf_counter_ns()
        if not self.hook.black_box.settled:
            self.hook.settle()
        taken = time.time_ns()
        unavailable: dict[str, str] = {}
        devices, host = [], None
        if self.torch.cuda() is None:
            unavailable["devices"] = self.torch.reason
        else:
            devices = self.torch.all_stats(unavailable)
            host = self.torch.host_stats(unavailable)
        return {
            "taken_ns": taken,
            "torch": version_of(self.torch.module()),
            "cuda_initialized": self.torch.cuda() is not None,
            "history": self.history.on(),
            "incidents": incidents(),
            "host": host,
            "devices": devices,
            "unavailable": unavailable,
            "took_ns": time.perf_counter_ns() - began,
        }

    def answer_summary(self, request: dict[str, Any], _client: Client) -> dict[str, Any]:
        """Give `torch.cuda.memory_summary`."""
        cuda, index = self.torch.need(), request.get("device", 0)
        if index not in self.torch.devices():
            raise Refusal("the process has no CUDA context on device %s" % index)
        return {"text": str(cuda.memory_summary(index))}

    def answer_segments(self, request: dict[str, Any], _client: Client) -> dict[str, Any]:
        """Give the segment map, the largest segments first where not all may come, then by address."""
        most = bounded(request.get("most_segments"), 4096, 100_000)
        blocks_left = bounded(request.get("most_blocks"), 100_000, 500_000)
        taken = time.time_ns()
        segments = self.listed(request.get("device"))
        count = len(segments)
        segments.sort(key=lambda segment: -int(segment["total_size"]))
        kept = []
        for segment in segments[:most]:
            blocks_left -= len(segment["blocks"])
            if blocks_left < 0:
                break
            kept.append(packed(segment))
        kept.sort(key=lambda segment: (segment[0], segment[1]))
        return {"taken_ns": taken, "left_out": count - len(kept), "segments": kept}

    def answer_sites(self, request: dict[str, Any], _client: Client) -> dict[str, Any]:
        """Give the stacks that hold the most live memory."""
        if not self.history.on():
            self.torch.need()
            return {"history": False, "sites": []}
        most = bounded(request.get("most"), 50, 1000)
        # By identity first: torch gives one object for one place, and a text has to be looked at once for each stack.
        found: dict[tuple[int, ...], tuple[Any, list[int]]] = {}
        segments = self.listed(request.get("device"))
        for segment in segments:
            for block in segment["blocks"]:
                if block["state"] == "active_allocated":
                    frames = (block.get("frames") or [])[:64]
                    key = (segment["device"], *map(id, frames))
                    sums = found.setdefault(key, (frames, [0, 0]))[1]
                    sums[0] += int(block["size"])
                    sums[1] += 1
        sites: dict[tuple[Any, ...], list[int]] = {}
        for key, (frames, counted) in found.items():
            places = (key[0], *((at["filename"], at["line"], at["name"]) for at in frames))
            sums = sites.setdefault(places, [0, 0])
            sums[0] += counted[0]
            sums[1] += counted[1]
        order = sorted(sites.items(), key=lambda item: -item[1][0])[:most]
        return {
            "history": True,
            "sites": [[key[0], *sums, [list(at) for at in key[1:]]] for key, sums in order],
        }

    def listed(self, device: int | None) -> list[dict[str, Any]]:
        """Give the allocator's segments, and never freeze the host for them.

        A recorded event costs 7 us under the GIL where torch (before 2.11) cannot leave the events out.
        """
        self.torch.need()
        light = self.torch.can_leave_traces_out()
        if (
            not light
            and self.history.on()
            and not (self.history.ours and self.history.entries <= RING_ENTRIES)
        ):
            raise Refusal(
                "torch %s cannot give its segments without all recorded events, which would stop the process for "
                "long: take a snapshot, or stop the recording" % version_of(self.torch.module())
            )
        segments = self.torch.snapshot(traces=False)["segments"]
        return [segment for segment in segments if device is None or segment["device"] == device]

    def answer_facts(self, _request: dict[str, Any], _client: Client) -> dict[str, Any]:
        """Count what the models and optimizers hold; the same answer for five seconds."""
        if self.facts is None or time.monotonic() - self.facts[0] > BETWEEN_FACTS_S:
            torch = self.torch.module()
            if torch is None:
                raise Refusal(self.torch.reason)
            found = count_models(torch)
            self.facts = (time.monotonic(), found)
        return self.facts[1]

    def answer_history(self, request: dict[str, Any], _client: Client) -> dict[str, Any]:
        """Record allocations with their stacks, or stop what we began."""
        if request.get("enabled"):
            self.history.enter(bounded(request.get("max_entries"), RING_ENTRIES, MOST_RING_ENTRIES))
        else:
            self.history.leave()
        return {"history": self.history.on(), "history_ours": self.history.ours}

    def answer_snapshot(self, request: dict[str, Any], client: Client) -> dict[str, Any]:
        """Write a snapshot to the file that came with the request."""
        if len(client.files) != 1 or not stat.S_ISREG(os.fstat(client.files[0]).st_mode):
            raise Refusal("a snapshot needs one regular file with the request")
        self.torch.need()
        traces = bool(request.get("traces")) and self.history.on()
        sink = Sink(client.files[0], MOST_SNAPSHOT_BYTES, compress=bool(request.get("gzip")))
        dump(with_names(self.torch.snapshot(traces=traces)), sink)
        return {"bytes": sink.written, "traces": traces}

    def answer_detach(self, _request: dict[str, Any], _client: Client) -> dict[str, Any]:
        """Restore and leave; the answer still goes out."""
        self.hook.restore()
        self.hook.close()
        return {}


def bounded(value: Any, default: int, most: int) -> int:
    """Give a number from a request, within bounds."""
    return max(1, min(int(value), most)) if isinstance(value, (int, float)) else default


def encode(reply: dict[str, Any]) -> bytes:
    """Give the JSON of a reply, long lists piece by piece: the encoder holds the GIL for as long as one call takes."""
    long = {key: value for key, value in reply.items() if isinstance(value, list) and len(value) > 100}
    if not long:
        return json.dumps(reply, default=lambda _: None).encode()
    parts = [json.dumps(key) + ": [" + ", ".join(map(json.dumps, value)) + "]" for key, value in long.items()]
    rest = json.dumps({key: value for key, value in reply.items() if key not in long}, default=lambda _: None)
    return (rest[:-1] + ", " + ", ".join(parts) + "}").encode()


def packed(segment: dict[str, Any]) -> list[Any]:
    """Give a segment of torch's snapshot as the protocol has it."""
    return [
        segment["device"],
        segment["address"],
        segment["total_size"],
        segment["allocated_size"],
        segment["active_size"],
        segment["stream"],
        segment["segment_type"] == "small",
        list(segment.get("segment_pool_id") or (0, 0)),
        bool(segment.get("is_expandable", False)),
        [
            [
                block["size"],
                block.get("requested_size") if block["state"] != "inactive" else None,
                STATES.get(block["state"], "i"),
            ]
            for block in segment["blocks"]
        ],
    ]


def incidents() -> dict[str, Any]:
    """Say how many incidents this process has left, and where the newest is."""
    once = _once()
    return {"count": len(once.times), "directory": once.directory}


def text_or_none(value: Any) -> str | None:
    """Give a text as one of its own type: `torch.__version__` is a subclass of str."""
    return str(value) if isinstance(value, str) else None


def version_of(module: Any) -> str | None:
    """Give the version of a module that is there."""
    return text_or_none(getattr(module, "__dict__", {}).get("__version__"))


def allocator_conf() -> str | None:
    """Give the allocator's settings as the environment has them."""
    return os.environ.get("PYTORCH_CUDA_ALLOC_CONF") or os.environ.get("PYTORCH_ALLOC_CONF")


RANKS = {
    "rank": ("RANK", "OMPI_COMM_WORLD_RANK", "PMI_RANK", "SLURM_PROCID"),
    "local_rank": ("LOCAL_RANK", "OMPI_COMM_WORLD_LOCAL_RANK", "MPI_LOCALRANKID", "SLURM_LOCALID"),
    "world_size": ("WORLD_SIZE", "OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_NTASKS"),
}


def ranks(torch: Any) -> dict[str, int | None]:
    """Give the place in the job: as torch.distributed has it, else as the launcher says."""
    found: dict[str, int | None] = {}
    for field, names in RANKS.items():
        values = (os.environ.get(name, "") for name in names)
        found[field] = next((int(value) for value in values if value.isdecimal()), None)
    try:
        distributed = sys.modules.get("torch.distributed") if torch is not None else None
        if distributed is not None and distributed.is_available() and distributed.is_initialized():
            found["rank"], found["world_size"] = (
                int(distributed.get_rank()),
                int(distributed.get_world_size()),
            )
    except Exception:
        pass
    return found


# -- What torch says ----------------------------------------------------------------------------------------------


class Torch:
    """Torch as far as it is there: every way to it leads through a gate, and `reason` says why it was closed."""

    def __init__(self) -> None:
        self.reason = "torch is not imported"
        self.known: dict[int, dict[str, Any]] = {}
        self.count: int | None = None
        self.light: bool | None = None

    def module(self) -> Any:
        """Give torch once it is wholly imported, else None; never imports it."""
        torch = sys.modules.get("torch")
        if torch is None:
            self.reason = "torch is not imported"
            return None
        if getattr(getattr(torch, "__spec__", None), "_initializing", False):
            self.reason = "torch is being imported"
            return None
        return torch

    def cuda(self) -> Any:
        """Give torch.cuda once it is initialized, else None; never initializes it."""
        torch = self.module()
        if torch is None:
            return None
        cuda = getattr(torch, "cuda", None)
        try:
            if cuda is None or not hasattr(torch._C, "_cuda_memoryStats"):
                self.reason = "this torch was built without CUDA"
                return None
            if cuda._is_in_bad_fork():
                self.reason = "this is the forked child of a process that used CUDA"
                return None
            if not cuda.is_initialized():
                self.reason = "the process has not used CUDA yet"
                return None
        except Exception as reason:
            self.reason = "torch.cuda does not answer: %.200s" % reason
            return None
        return cuda

    def need(self) -> Any:
        """Give torch.cuda or refuse."""
        cuda = self.cuda()
        if cuda is None:
            raise Refusal(self.reason)
        return cuda

    def backend(self) -> str | None:
        """Name the allocator."""
        try:
            return text_or_none(sys.modules["torch"].cuda.get_allocator_backend())
        except Exception:
            return None

    def devices(self) -> list[int]:
        """Give the devices on which this process has a context: the only ones that may be asked."""
        _C = sys.modules["torch"]._C  # noqa: N806 - torch's own name
        if self.count is None:
            self.count = int(_C._cuda_getDeviceCount())
        has = getattr(_C, "_cuda_hasPrimaryContext", None)
        if has is None:  # then those that have given memory: asking for the counters makes no context
            return [i for i in range(self.count) if _C._cuda_memoryStats(i)["segment"]["all"]["allocated"]]
        return [index for index in range(self.count) if has(index)]

    def device(self, index: int) -> dict[str, Any]:
        """Give what does not change about a device, asked once."""
        known = self.known.get(index)
        if known is None:
            properties = sys.modules["torch"].cuda.get_device_properties(index)
            domain, bus = getattr(properties, "pci_domain_id", 0), getattr(properties, "pci_bus_id", None)
            known = self.known[index] = {
                "index": index,
                "uuid": device_uuid(index, getattr(properties, "uuid", None)),
                "pci_bus_id": None
                if bus is None
                else "%08X:%02X:%02X.0" % (domain, bus, getattr(properties, "pci_device_id", 0)),
                "name": text_or_none(properties.name),
                "total_bytes": int(properties.total_memory),
            }
        return known

    def all_stats(self, unavailable: dict[str, str]) -> list[dict[str, Any]]:
        """Give the nested counters of every device with a context."""
        stats_of = sys.modules["torch"]._C._cuda_memoryStats
        devices = []
        for index in self.devices():
            stats = None
            try:
                stats = named(stats_of(index))
            except Exception as reason:
                unavailable["stats"] = "the allocator %s keeps no counters: %.200s" % (self.backend(), reason)
            devices.append({"index": index, "uuid": self.device(index)["uuid"], "stats": stats})
        return devices

    def host_stats(self, unavailable: dict[str, str]) -> Any:
        """Give the counters of pinned host memory (torch 2.7 on)."""
        try:
            return named(sys.modules["torch"]._C._cuda_hostMemoryStats())
        except Exception as reason:
            unavailable["host"] = "this torch does not count pinned memory: %.200s" % reason
            return None

    def can_leave_traces_out(self) -> bool:
        """Say whether a snapshot without the recorded events can be had (torch 2.11 on)."""
        if self.light is None:
            try:
                sys.modules["torch"]._C._cuda_memorySnapshot((0, 0, False))
                self.light = True
            except Exception:
                self.light = False
        return self.light

    def snapshot(self, *, traces: bool) -> dict[str, Any]:
        """Give what `torch.cuda.memory._snapshot` gives, without the recorded events where they are not asked for."""
        if not traces and self.can_leave_traces_out():
            found = sys.modules["torch"]._C._cuda_memorySnapshot((0, 0, False))
        else:
            found = sys.modules["torch"].cuda.memory._snapshot()
        if not isinstance(found, dict):
            found = {"segments": found}
        if not traces and "device_traces" in found:
            found["device_traces"] = [[] for _ in found["device_traces"]]
        return found


def named(stats: dict[Any, Any]) -> dict[str, Any]:
    """Give counters under names that JSON can hold: newer torches count each private pool under a tuple.

    `torch.cuda.memory_stats` writes (1, 0) as `1_0`, and so do we.
    """
    found = {}
    for key, value in stats.items():
        name = "_".join(map(str, key)) if isinstance(key, tuple) else str(key)
        found[name] = named(value) if isinstance(value, dict) else value
    return found


def device_uuid(index: int, of_torch: Any) -> str | None:
    """Give the driver's name of a device: `GPU-…`, or `MIG-…` of the slice that the process has.

    cuDeviceGetUuid names the card, cuDeviceGetUuid_v2 the slice where there is one (CUDA Driver API 6.5): they differ
    on a slice only. Neither creates a context.
    """
    import ctypes

    text = str(of_torch) if of_torch is not None else None
    found = []
    try:
        driver = ctypes.CDLL("libcuda.so.1")
        device = ctypes.c_int()
        for name in ("cuDeviceGetUuid", "cuDeviceGetUuid_v2"):
            raw = (ctypes.c_ubyte * 16)()
            if (
                driver.cuDeviceGet(ctypes.byref(device), index) == 0
                and getattr(driver, name)(raw, device) == 0
            ):
                hexadecimal = bytes(raw).hex()
                cuts = (0, 8, 12, 16, 20, 32)
                found.append("-".join(hexadecimal[a:b] for a, b in zip(cuts, cuts[1:])))
    except (OSError, AttributeError):
        pass
    if len(found) == 2 and found[0] != found[1]:
        return "MIG-" + found[1]
    text = text or (found[0] if found else None)
    return text if text is None or text.startswith(("GPU-", "MIG-")) else "GPU-" + text


# -- History ------------------------------------------------------------------------------------------------------


class History:
    """The recording of allocations. The program's own is never touched, also when it begins while ours is on."""

    def __init__(self, torch: Torch) -> None:
        self.torch = torch
        self.ours = False
        self.entries = 0
        self.told = os.environ.get("DSTOP_HISTORY", "")
        self.wrapped: dict[str, tuple[Any, Any]] = {}

    def on(self) -> bool:
        """Say whether allocations are being recorded, by whomever."""
        if self.torch.cuda() is None:
            return False
        try:
            return bool(sys.modules["torch"]._C._cuda_isHistoryEnabled())
        except Exception:
            return False

    def enter_as_told(self) -> None:
        """Begin where the environment asks for it (`dstop run --history`), once."""
        told, self.told = self.told, ""
        if told.isdecimal() and int(told) > 0:
            self.begin(min(int(told), MOST_RING_ENTRIES))

    def enter(self, entries: int) -> None:
        """Begin, unless somebody records already."""
        self.torch.need()
        self.begin(entries)

    def begin(self, entries: int) -> None:
        """Begin; CUDA may still be coming up, as long as torch's allocator is there."""
        _C = sys.modules["torch"]._C  # noqa: N806
        if self.torch.backend() not in (None, "native"):
            raise Refusal("the allocator %s cannot record" % self.torch.backend())
        if not hasattr(_C, "_cuda_isHistoryEnabled"):
            raise Refusal("recording needs torch 2.1 or newer; this is %s" % version_of(self.torch.module()))
        if _C._cuda_isHistoryEnabled():
            return
        record = sys.modules["torch"].cuda.memory._record_memory_history
        record(enabled="all", context="all", stacks="python", max_entries=entries)
        self.ours, self.entries = True, entries
        self.wrap(_C)

    def wrap(self, _C: Any) -> None:  # noqa: N803 - torch's own name
        """Notice when the program begins or ends a recording of its own: then it is no longer ours to end."""
        for name in ("_cuda_record_memory_history", "_cuda_record_memory_history_legacy"):
            original = getattr(_C, name, None)
            if original is not None:
                noticing = self.noticing(original)
                setattr(_C, name, noticing)
                self.wrapped[name] = (noticing, original)

    def noticing(self, original: Any) -> Any:
        """Give a function that does the same and hands the recording over."""

        def notice(*args: Any, **more: Any) -> Any:
            self.ours = False
            self.unwrap()
            return original(*args, **more)

        return notice

    def unwrap(self) -> None:
        """Put torch's functions back, where ours still stand there."""
        _C = getattr(sys.modules.get("torch"), "_C", None)  # noqa: N806 - torch's own name
        while self.wrapped:
            name, (ours, original) = self.wrapped.popitem()
            if getattr(_C, name, None) is ours:
                setattr(_C, name, original)

    def abandon(self) -> None:
        """Let our recording end with the process: on stderr, torch complains of any thread but the one that began."""
        self.unwrap()
        self.ours = False

    def leave(self) -> None:
        """End our recording; anybody else's goes on."""
        self.unwrap()
        ours, self.ours = self.ours, False
        if ours and self.on():
            sys.modules["torch"].cuda.memory._record_memory_history(enabled=None)


# -- Snapshot -----------------------------------------------------------------------------------------------------


class Sink:
    """A file that counts, compresses and has an end."""

    def __init__(self, descriptor: int, most_bytes: int, *, compress: bool) -> None:
        import zlib

        self.descriptor, self.most_bytes = descriptor, most_bytes
        self.packer = zlib.compressobj(1, zlib.DEFLATED, 31) if compress else None  # 31: with a gzip header
        self.written = 0

    def write(self, data: Any) -> int:
        """Take the pickler's bytes."""
        self.put(self.packer.compress(data) if self.packer is not None else data)
        return len(data)

    def put(self, data: Any) -> None:
        """Write all of it, or raise."""
        view = memoryview(data)
        if self.written + len(view) > self.most_bytes:
            raise Refusal("the snapshot is larger than %d MiB" % (self.most_bytes >> 20))
        while view:
            count = os.write(self.descriptor, view)
            self.written += count
            view = view[count:]

    def finish(self) -> None:
        """Write what the compressor still has."""
        if self.packer is not None:
            self.put(self.packer.flush())


def dump(snapshot: dict[str, Any], sink: Sink) -> None:
    """Pickle as version 4: what PyTorch's own memory_viz reads, also from Python 3.14, whose default is 5."""
    import pickle

    pickle.Pickler(sink, protocol=4).dump(snapshot)
    sink.finish()


# -- Model facts --------------------------------------------------------------------------------------------------

_lineage, _namespace = type.__dict__["__mro__"].__get__, type.__dict__["__dict__"].__get__
"""The classes of a class, and what one of them defines, past whatever its metaclass makes of attributes."""


def _some_of_all(newest_first: bool) -> Iterator[list[Any]]:
    """Give the live objects, some thousands at a time, the old ones apart from the young.

    One list of all would keep the tensors of a running step alive while it is looked through, and the program would
    take more of the card for those of the next step.
    """
    import gc

    for generation in (0, 1, 2) if newest_first else (2, 1, 0):
        objects = gc.get_objects(generation)
        if newest_first:  # nearly: models are made after the thousands of objects that imports leave
            objects.reverse()
        for start in range(0, len(objects), 20_000):
            yield objects[start : start + 20_000]


def instances(
    wanted: tuple[Any, ...], deadline: float, unavailable: dict[str, str], newest_first: bool = False
) -> tuple[list[Any], ...]:
    """Find the live objects of some classes, by type alone: isinstance would run `__class__` properties."""
    import gc
    from itertools import compress

    found: tuple[list[Any], ...] = tuple([] for _ in wanted)
    kinds: dict[int, int] = {}
    looked_at = 0
    # There are millions, so they are looked at in C: the classes of each few thousand, then those of wanted classes.
    for some in _some_of_all(newest_first):
        if time.monotonic() > deadline:
            unavailable["complete"] = "counting stopped after %d objects" % looked_at
            break
        looked_at += len(some)
        marks = list(map(id, map(type, some)))
        fresh = set(marks).difference(kinds)
        examples = dict(zip(marks, some)) if fresh else {}
        for mark in fresh:
            lineage = _lineage(type(examples[mark]))
            kinds[mark] = next(
                (n for n, want in enumerate(wanted) if any(base is want for base in lineage)), -1
            )
        hits = {mark for mark, number in kinds.items() if number >= 0}
        for thing in compress(some, map(hits.__contains__, marks)):
            found[kinds[id(type(thing))]].append(thing)
    if gc.get_freeze_count() and not found[0]:
        unavailable["models"] = "the program called gc.freeze(), which hides its objects"
    return found


def count_models(torch: Any) -> dict[str, Any]:
    """Count the outermost modules and the optimizers of this process; runs nobody's code but torch's."""
    unavailable: dict[str, str] = {}
    deadline = time.monotonic() + FACTS_S
    modules, optimizers = instances((torch.nn.Module, torch.optim.Optimizer), deadline, unavailable)
    children = {id(child) for module in modules for child in parts(module, "_modules")}
    models: list[dict[str, Any]] = []
    states: list[dict[str, Any]] = []
    config = None
    no_functions = getattr(torch._C, "DisableTorchFunctionSubclass", None) or torch._C.DisableTorchFunction
    with no_functions():
        for module in modules:
            if id(module) in children:
                continue
            if time.monotonic() > deadline + FACTS_S:
                unavailable["complete"] = "counting stopped after %d models" % len(models)
                break
            try:
                facts, found = count_model(module)
                if facts["parameters"] or facts["buffer_bytes"]:
                    models.append(facts)
                    config = config or found
            except Exception as reason:
                unavailable["models"] = "%s: %.200s" % (type(module).__name__, reason)
        for optimizer in optimizers:
            try:
                states.append(count_optimizer(optimizer))
            except Exception as reason:
                unavailable["optimizers"] = "%s: %.200s" % (type(optimizer).__name__, reason)
    models.sort(key=lambda facts: -facts["parameter_bytes"])
    states.sort(key=lambda facts: -facts["state_bytes"])
    return {"models": models[:20], "optimizers": states[:20], "config": config, "unavailable": unavailable}


def parts(module: Any, name: str) -> list[Any]:
    """Give what a module has under a name, without its `__getattr__`."""
    found = module.__dict__.get(name) if hasattr(module, "__dict__") else None
    return [part for part in list(found.values()) if part is not None] if isinstance(found, dict) else []


def local(tensor: Any) -> Any:
    """Give this rank's part of a sharded tensor (DTensor, FSDP2), without communication."""
    part = getattr(tensor, "_local_tensor", None)
    return tensor if part is None else part


def tensor_bytes(tensor: Any) -> int:
    """Give the bytes of a tensor's elements on this rank."""
    part = local(tensor)
    return 0 if str(part.device) == "meta" else int(part.numel()) * int(part.element_size())


def add(sums: dict[str, int], key: Any, value: int) -> None:
    """Add under the name of a dtype or a device."""
    name = str(key).replace("torch.", "")
    sums[name] = sums.get(name, 0) + value


def count_model(top: Any) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """Count one module with all below it, every tensor once; and find a Hugging Face configuration."""
    facts: dict[str, Any] = {"class": "%s.%s" % (type(top).__module__, type(top).__qualname__)}
    names = (
        "parameters",
        "local_parameters",
        "trainable",
        "parameter_bytes",
        "gradient_bytes",
        "buffer_bytes",
        "checkpointed",
    )
    facts.update(dict.fromkeys(names, 0))
    facts["dtypes"], facts["devices"] = {}, {}
    config, todo, seen = None, [top], {id(top)}
    while todo:
        module = todo.pop()
        config = config or configuration(module)
        facts["checkpointed"] += recomputes(module)
        for name in ("_parameters", "_buffers"):
            for tensor in parts(module, name):
                if id(tensor) not in seen:
                    seen.add(id(tensor))
                    try:
                        count_tensor(tensor, facts, parameter=name == "_parameters")
                    except Exception:
                        facts["uncounted"] = facts.get("uncounted", 0) + 1
        for child in parts(module, "_modules"):
            if id(child) not in seen:
                seen.add(id(child))
                todo.append(child)
    return facts, config


def recomputes(module: Any) -> bool:
    """Say whether a module is computed again in the backward pass: transformers' flag, or torch's own wrapper."""
    if module.__dict__.get("gradient_checkpointing") is True:
        return True
    children = module.__dict__.get("_modules")
    return isinstance(children, dict) and "_checkpoint_wrapped_module" in children


def count_tensor(tensor: Any, facts: dict[str, Any], *, parameter: bool) -> None:
    """Add one parameter or buffer to the facts of its model."""
    size = tensor_bytes(tensor)
    if not parameter:
        facts["buffer_bytes"] += size
        return
    count = int(tensor.numel())
    facts["parameters"] += count
    facts["local_parameters"] += int(local(tensor).numel())
    facts["trainable"] += count if tensor.requires_grad else 0
    facts["parameter_bytes"] += size
    gradient = tensor.grad if tensor.is_leaf else None  # of others, torch would warn
    facts["gradient_bytes"] += 0 if gradient is None else tensor_bytes(gradient)
    add(facts["dtypes"], tensor.dtype, size)
    add(facts["devices"], local(tensor).device, size)


def count_optimizer(optimizer: Any) -> dict[str, Any]:
    """Count the state of one optimizer; wrappers, which have none of their own, come with 0 bytes."""
    dtypes: dict[str, int] = {}
    total, todo = 0, parts(optimizer, "state")
    for value in [value for entry in todo if isinstance(entry, dict) for value in list(entry.values())]:
        if hasattr(type(value), "element_size"):
            size = tensor_bytes(value)
            total += size
            add(dtypes, value.dtype, size)
    defaults = optimizer.__dict__.get("defaults")
    return {
        "class": "%s.%s" % (type(optimizer).__module__, type(optimizer).__qualname__),
        "state_bytes": total,
        "state_dtypes": dtypes,
        "defaults": plain(defaults, 2) if isinstance(defaults, dict) else {},
    }


def configuration(module: Any) -> dict[str, Any] | None:
    """Give a Hugging Face model's configuration as its config.json would be; None of others, and of a huge one."""
    config = module.__dict__.get("config")
    if not any(base.__module__ == "transformers.configuration_utils" for base in _lineage(type(config))):
        return None
    try:
        found = plain(config.to_dict(), 6)
        attention = config.__dict__.get("_attn_implementation_internal")  # to_dict leaves it out
        if type(found) is dict and type(attention) is str:
            found["_attn_implementation"] = attention
    except Exception:
        return None
    small = (
        isinstance(found, dict) and found.get("model_type") and len(json.dumps(found)) <= MOST_CONFIG_BYTES
    )
    return found if small else None


def plain(value: Any, depth: int) -> Any:
    """Give what JSON can hold of a value; None for the rest."""
    kind = type(value)
    if value is None or kind in (bool, int, str):
        return value
    if kind is float:
        return value if value - value == 0 else str(value)
    if depth and kind in (list, tuple):
        return [plain(part, depth - 1) for part in value[:1000]]
    if depth and kind is dict:
        return {str(key): plain(part, depth - 1) for key, part in list(value.items())[:1000]}
    return (
        str(value).replace("torch.", "") if kind.__module__ == "torch" and kind.__name__ == "dtype" else None
    )


# -- Names of storages ---------------------------------------------------------------------------------------------

WRAPPERS = ("_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module")
"""What torch's own wrappers add to the names of a model."""


def with_names(snapshot: dict[str, Any], most_s: float = NAMES_S) -> dict[str, Any]:
    """Add to a snapshot which storages are parameters, buffers, gradients and optimizer state, as far as time allows.

    Under `dstop`: {version, storages [[device, address, bytes, kind, name], ...], complete}. Never raises, allocates
    nothing on a device, and keeps nothing alive; PyTorch's own readers ignore the key.
    """
    names = None
    try:
        torch = sys.modules["torch"]
        names = Names(torch, time.monotonic() + most_s)
        no_functions = (
            getattr(torch._C, "DisableTorchFunctionSubclass", None) or torch._C.DisableTorchFunction
        )
        with no_functions():
            names.find()
    except Exception:
        pass
    if names is not None:
        snapshot["dstop"] = {"version": 1, "storages": names.rows, "complete": names.complete}
    return snapshot


class Names:
    """Finds them by type, as `instances` does, and reads them past whatever classes make of attributes."""

    def __init__(self, torch: Any, deadline: float) -> None:
        self.torch, self.deadline = torch, deadline
        self.rows: list[list[Any]] = []
        self.complete = False
        self.seen: set[tuple[int, int]] = set()
        self.called: dict[int, str] = {}
        self.wraps: dict[int, bool | None] = {}
        tensor = torch.Tensor
        self.is_cuda, self.is_leaf, self.grad = (
            getattr(tensor, name).__get__ for name in ("is_cuda", "is_leaf", "grad")
        )
        self.storage = tensor.untyped_storage
        self.is_shared = getattr(torch._C, "_is_cow_tensor", None)

    def find(self) -> None:
        """Name what models have, then what optimizers have for it."""
        skipped: dict[str, str] = {}
        wanted = (self.torch.nn.Module, self.torch.optim.Optimizer)
        modules, optimizers = instances(wanted, self.deadline, skipped, newest_first=True)
        children = {id(child) for module in modules for child in parts(module, "_modules")}
        visited: set[int] = set()
        for module in modules:
            if id(module) not in children and not self.walk(module, visited):
                return
        for optimizer in optimizers:
            if not self.state(optimizer):
                return
        self.complete = not skipped

    def late(self) -> bool:
        """Say whether there is no more time, or no more room."""
        return time.monotonic() > self.deadline or len(self.rows) >= MOST_NAMES

    def walk(self, top: Any, visited: set[int]) -> bool:
        """Name what a module and all below it have; False where time is up."""
        todo = [("", top)]
        while todo:
            prefix, module = todo.pop()
            if id(module) in visited:
                continue
            visited.add(id(module))
            if self.late():
                return False
            for kind, table in (("parameter", "_parameters"), ("buffer", "_buffers")):
                for key, tensor in table_of(module, table):
                    self.one(tensor, kind, prefix + str(key), gradient=kind == "parameter")
            below = [
                (prefix if key in WRAPPERS else "%s%s." % (prefix, key), child)
                for key, child in table_of(module, "_modules")
            ]
            todo += reversed(below)
        return True

    def state(self, optimizer: Any) -> bool:
        """Name what an optimizer keeps for each parameter, and the parameters that no module has."""
        groups = optimizer.__dict__.get("param_groups")
        for group in list(groups) if isinstance(groups, list) else ():
            given = dict.get(group, "params") if isinstance(group, dict) else None
            for index, tensor in enumerate(list(given) if isinstance(given, list) else ()):
                if self.late():
                    return False
                if id(tensor) not in self.called:
                    self.one(tensor, "parameter", "parameter %d of %s" % (index, type(optimizer).__name__))
        for owner, entry in table_of(optimizer, "state"):
            if self.late():
                return False
            for key, value in list(dict.items(entry)) if isinstance(entry, dict) else ():
                name = key if type(key) is str else "state"
                if id(owner) in self.called:
                    name += " of " + self.called[id(owner)]
                for tensor in value if isinstance(value, (list, tuple)) else (value,):
                    self.one(tensor, "optimizer_state", name, gradient=False)
        return True

    def one(self, tensor: Any, kind: str, name: str, *, gradient: bool = True) -> None:
        """Name a tensor, and its gradient where it has one; what is no plain tensor on a card is let be."""
        try:
            if (
                self.add(tensor, kind, name) and gradient and self.is_leaf(tensor)
            ):  # of others, torch would warn
                found = self.grad(tensor)
                if found is not None:
                    self.add(found, "gradient", name)
        except Exception:
            self.complete = False

    def add(self, tensor: Any, kind: str, name: str) -> bool:
        """Name the storage of a tensor; False where it is no tensor at all."""
        wraps = self.wraps_others(type(tensor))
        if wraps is None:
            return False
        self.called.setdefault(id(tensor), name)
        if wraps:  # a DTensor is named by this rank's part
            tensor = object.__getattribute__(tensor, "_local_tensor")
            if self.wraps_others(type(tensor)) is not False:
                return True
        if not self.is_cuda(tensor) or (self.is_shared is not None and self.is_shared(tensor)):
            return True
        storage = self.storage(tensor)
        address, index = int(storage.data_ptr()), int(storage.device.index)
        if address and (index, address) not in self.seen:
            self.seen.add((index, address))
            self.rows.append([index, address, int(storage.nbytes()), kind, name[:LONGEST_NAME]])
        return True

    def wraps_others(self, kind: type) -> bool | None:
        """Say whether tensors of a class have others in them instead of a storage; None where it has no tensors."""
        if id(kind) not in self.wraps:
            answer = None
            own: list[Any] = []
            for base in _lineage(kind):
                if base is self.torch.Tensor:
                    answer = any("__torch_dispatch__" in _namespace(each) for each in own)
                    break
                own.append(base)
            self.wraps[id(kind)] = answer
        return self.wraps[id(kind)]


def table_of(thing: Any, name: str) -> list[tuple[Any, Any]]:
    """Give the rows of a dict that something has under a name, without its `__getattr__`, and without empty ones."""
    try:
        found = object.__getattribute__(thing, "__dict__").get(name)
    except AttributeError:
        return []
    return [row for row in list(dict.items(found)) if row[1] is not None] if isinstance(found, dict) else []


# -- Black box ----------------------------------------------------------------------------------------------------


class BlackBox:
    """What an out-of-memory error leaves behind.

    Torch's observer can be attached, never detached: the process has one, which calls whatever hook is there.
    """

    def __init__(self, hook: Hook) -> None:
        self.hook = hook
        self.armed = self.settled = False
        self.reason = "the process has not used CUDA yet"

    def give_up(self, reason: str) -> None:
        """Keep why there is none, and do not try again."""
        self.reason, self.settled = reason, True

    def arm(self) -> None:
        """Attach once CUDA is up; before that, be called by it."""
        if self.settled or not self.hook.running:
            return
        torch = self.hook.torch
        if torch.cuda() is None:
            if not self.armed:
                self.reason = torch.reason
                self.queue(torch.module())
            return
        self.attach()
        self.hook.history.enter_as_told()
        for index in torch.devices():  # ask now what is not to be asked in an emergency
            torch.device(index)
        torch.can_leave_traces_out()
        self.settled = True

    def attach(self) -> None:
        """Have torch call us before it raises; its allocator is there, but perhaps CUDA is still coming up."""
        if self.armed or self.settled:
            return
        if os.environ.get("DSTOP_BLACK_BOX") == "0":
            self.give_up("DSTOP_BLACK_BOX=0 in the environment of the process")
            return
        torch, once = self.hook.torch, _once()
        _C = sys.modules["torch"]._C  # noqa: N806
        if not hasattr(_C, "_cuda_isHistoryEnabled"):  # 2.0's observer ends in a segmentation fault (#102796)
            self.give_up("the black box needs torch 2.1 or newer")
            return
        if torch.backend() not in (None, "native"):
            self.give_up("the allocator %s has no out-of-memory observer" % torch.backend())
            return
        once.on_oom = self.on_oom
        if not once.observed:
            try:
                _C._cuda_attach_out_of_memory_observer(_observe)
            except Exception as reason:
                once.on_oom = None
                self.give_up("torch refused the out-of-memory observer: %.200s" % reason)
                return
            once.observed = True
        self.armed = True

    def queue(self, torch: Any) -> None:
        """Have torch call when CUDA comes up, once a process: by its own list, whose lock a fork could leave taken."""
        once = _once()
        calls = getattr(getattr(torch, "cuda", None), "_queued_calls", None)
        if isinstance(calls, list) and not once.queued:
            once.queued = True
            calls.append((_initialized, []))

    def disarm(self) -> None:
        """Make the observer do nothing."""
        once = _once()
        if once.on_oom == self.on_oom:
            once.on_oom = None
        self.armed, self.settled, self.reason = False, True, "detached"

    def on_oom(self, device: int, wanted: int, total: int, free: int) -> None:
        """Write an incident, unless enough have been; one at a time, also when an error begets another."""
        once = _once()
        if not self.hook.running or not once.writing.acquire(blocking=False):
            return
        try:
            now, times = time.monotonic(), once.times
            if len(times) >= MOST_INCIDENTS:
                return
            if len(times) >= FIRST_INCIDENTS and now - times[-1] < BETWEEN_INCIDENTS_S:
                return
            request = {"device": device, "segment_bytes": wanted, "total_bytes": total, "free_bytes": free}
            directory = Incident(self.hook, request).write()
            if directory is not None:
                times.append(now)
                once.directory = directory
        finally:
            once.writing.release()


def _initialized() -> None:
    """Be called by torch while it initializes CUDA, before the first allocation; our thread does the rest after it."""
    try:
        hook = _present()
        if hook is not None:
            hook.black_box.attach()
            hook.history.enter_as_told()
            hook.initializing = True
            hook.poke()
    except BaseException:
        pass


def _observe(device: int, wanted: int, total: int, free: int) -> None:
    """Be called by torch before it raises OutOfMemoryError; what came out of here would be raised instead."""
    try:
        on_oom = _once().on_oom
        if on_oom is not None:
            on_oom(device, wanted, total, free)
    except KeyboardInterrupt:
        _thread.interrupt_main()  # the user's, and not for us
    except BaseException:
        hook = _present()
        if hook is not None:
            hook.errors += 1


class Incident:
    """One directory of evidence, written by the thread that ran out of memory, with every stack still in place."""

    def __init__(self, hook: Hook, request: dict[str, Any]) -> None:
        self.hook, self.torch, self.request = hook, hook.torch, request
        self.began = time.perf_counter_ns()
        self.at_ns = time.time_ns()
        self.unavailable: dict[str, str] = {}
        self.files: dict[str, str | None] = {"snapshot": None, "summary": None, "stacks": None}

    def write(self) -> str | None:
        """Write all of it under a name that nobody reads, then give it its own; None where there is no place."""
        facts = self.facts()
        rank = "" if facts["rank"] is None else "-r%d" % facts["rank"]
        stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime(self.at_ns // 10**9))
        name = "%s.%03d-%d%s-oom" % (stamp, self.at_ns // 10**6 % 1000, self.hook.pid, rank)
        for parent in (incident_directory(), os.path.join(self.hook.directory, "incidents")):
            folder = os.path.join(parent, "." + name)
            try:
                make_parents(parent)
                os.mkdir(folder, 0o700)
                os.chmod(folder, 0o700)
                self.put(folder, "incident.json", json.dumps(facts, default=lambda _: None))
            except OSError:
                continue
            self.fill(folder, facts)
            os.rename(folder, os.path.join(parent, name))
            sweep_incidents(parent)
            return os.path.join(parent, name)
        return None

    def fill(self, folder: str, facts: dict[str, Any]) -> None:
        """Add the larger files, each by itself, and write the facts again with what came of them."""
        self.attempt(
            "stacks", "stacks.txt", lambda: self.put(folder, "stacks.txt", stacks_text(facts["threads"]))
        )
        self.attempt("summary", "memory_summary.txt", lambda: self.put_summary(folder))
        self.attempt("snapshot", "snapshot.pickle.gz", lambda: self.put_snapshot(folder))
        facts["took_ms"] = round((time.perf_counter_ns() - self.began) / 1e6, 3)
        try:
            self.put(folder, "incident.json.new", json.dumps(facts, default=lambda _: None))
            os.rename(os.path.join(folder, "incident.json.new"), os.path.join(folder, "incident.json"))
        except OSError:
            self.hook.errors += 1

    def attempt(self, field: str, name: str, make: Callable[[], None]) -> None:
        """Make one file, or keep why there is none."""
        self.had(field, make)
        if field not in self.unavailable:
            self.files[field] = name

    def put(self, folder: str, name: str, text: str) -> None:
        """Write a new file that only the user can read."""
        descriptor = os.open(os.path.join(folder, name), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)

    def put_summary(self, folder: str) -> None:
        """Write torch's own table, of every device that the process has."""
        cuda = self.torch.need()
        self.put(
            folder, "memory_summary.txt", "\n".join(str(cuda.memory_summary(i)) for i in self.torch.devices())
        )

    def put_snapshot(self, folder: str) -> None:
        """Write the allocator's blocks, with events where they are recorded; nothing where the disk is nearly full."""
        disk = os.statvfs(folder)
        if disk.f_bavail * disk.f_frsize < LEAST_FREE_BYTES:
            raise Refusal("less than 64 MiB are free on the disk")
        path = os.path.join(folder, "snapshot.pickle.gz")
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            snapshot = with_names(self.torch.snapshot(traces=self.hook.history.on()), OOM_NAMES_S)
            dump(snapshot, Sink(descriptor, MOST_INCIDENT_SNAPSHOT_BYTES, compress=True))
        except BaseException:
            os.unlink(path)
            raise
        finally:
            os.close(descriptor)

    def facts(self) -> dict[str, Any]:
        """Give incident.json; what cannot be had is null, with its reason."""
        torch = self.torch.module()
        devices = self.had("devices", lambda: self.torch.all_stats(self.unavailable)) or []
        uuid = next((each["uuid"] for each in devices if each["index"] == self.request["device"]), None)
        threads = self.had("threads", all_stacks) or []
        current = next((thread for thread in threads if thread["current"]), None)
        shown, names = self.had("environment", environment) or ({}, [])
        return {
            "schema": 1,
            "kind": "oom",
            "at_ns": self.at_ns,
            "host": os.uname().nodename,
            "pid": self.hook.pid,
            "run": os.environ.get("DSTOP_RUN"),
            **ranks(torch),
            "cmdline": self.had("cmdline", lambda: redact_arguments(command_line())),
            "executable": sys.executable,
            "cwd": self.had("cwd", os.getcwd),
            "versions": self.had("versions", lambda: versions(torch)),
            "environment": shown,
            "environment_names": names,
            "thread": None if current is None else {"id": current["id"], "name": current["name"]},
            "request": {"gpu_uuid": uuid, **self.request},
            "devices": devices,
            "card": self.had("card", lambda: card(uuid)),
            "threads": threads,
            "files": self.files,
            "history": self.hook.history.on(),
            "backend": self.torch.backend(),
            "allocator_conf": allocator_conf(),
            "took_ms": None,
            "unavailable": self.unavailable,
        }

    def had(self, field: str, read: Callable[[], Any]) -> Any:
        """Give one value, or None and keep the reason."""
        try:
            return read()
        except Exception as reason:  # the others are still to be had
            self.unavailable[field] = "%s: %.200s" % (type(reason).__name__, reason)
            return None


def incident_directory() -> str:
    """Give where incidents go: of dstop's own state, by the XDG base directory specification."""
    state = os.environ.get("XDG_STATE_HOME") or os.path.join(os.path.expanduser("~"), ".local", "state")
    return os.environ.get("DSTOP_INCIDENTS") or os.path.join(state, "dstop", "incidents")


def make_parents(directory: str) -> None:
    """Make a directory and what it lies in; refuse a place where others write."""
    os.makedirs(directory, 0o700, exist_ok=True)
    found = os.stat(directory)
    if found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise PermissionError("others can write to %s" % directory)


def sweep_incidents(parent: str) -> None:
    """Remove the oldest incidents, so that 20 stay, and what was never finished; nothing without our exact name."""
    import re

    pattern = re.compile(r"\d{8}T\d{6}\.\d{3}-\d+(-r\d+)?-oom")
    present = os.listdir(parent)
    old = sorted(name for name in present if pattern.fullmatch(name))[:-MOST_INCIDENT_DIRECTORIES]
    an_hour_ago = time.strftime("%Y%m%dT%H%M%S", time.gmtime(time.time() - 3600))
    old += [
        name for name in present if pattern.fullmatch(name[1:]) and name[0] == "." and name[1:] < an_hour_ago
    ]
    for name in old:
        folder = os.path.join(parent, name)
        try:
            if stat.S_ISDIR(os.lstat(folder).st_mode):
                for file in os.listdir(folder):
                    os.unlink(os.path.join(folder, file))
                os.rmdir(folder)
        except OSError:
            pass


def all_stacks() -> list[dict[str, Any]]:
    """Give the Python stack of every thread, the caller's first, without taking any lock."""
    me = _thread.get_ident()
    names = {ident: getattr(thread, "_name", None) for ident, thread in active_threads().items()}
    found = sys._current_frames()  # our own among them: left there, a cycle keeps the program's tensors alive
    return [
        {"id": at, "name": names.get(at), "current": at == me, "frames": list(places(found.pop(at)))}
        for at in sorted(found, key=lambda ident: ident != me)[:MOST_THREADS]
    ]


def active_threads() -> dict[int, Any]:
    """Give the threads that `threading` knows, if the program has it."""
    return dict(getattr(sys.modules.get("threading"), "_active", None) or {})


def places(frame: FrameType | None) -> Iterator[list[Any]]:
    """Give file, line and function, innermost first, without our own frames."""
    count = 0
    while frame is not None and count < MOST_FRAMES:
        if frame.f_globals is not globals():
            code = frame.f_code
            yield [code.co_filename, frame.f_lineno, getattr(code, "co_qualname", code.co_name)]
            count += 1
        frame = frame.f_back


def stacks_text(threads: list[dict[str, Any]]) -> str:
    """Give the stacks as Python would print them: the innermost call last."""
    lines = []
    for thread in threads:
        mark = " (ran out of memory)" if thread["current"] else ""
        lines.append("Thread %d %s%s" % (thread["id"], thread["name"] or "", mark))
        lines += ['  File "%s", line %s, in %s' % tuple(place) for place in reversed(thread["frames"])]
        lines.append("")
    return "\n".join(lines)


LIBRARIES = (
    "accelerate apex bitsandbytes colossalai deepspeed diffusers fairscale flash_attn jax lightning megatron "
    "mmengine numpy peft pytorch_lightning sglang tensorflow torchao torchaudio torchtitan torchvision "
    "transformer_engine transformers triton trl unsloth verl vllm xformers"
).split()


def versions(torch: Any) -> dict[str, str | None]:
    """Give the versions of what is imported."""
    found = {
        "python": sys.version.split()[0],
        "torch": version_of(torch),
        "cuda": text_or_none(getattr(getattr(torch, "version", None), "cuda", None)),
    }
    known = {name: version_of(sys.modules[name]) for name in LIBRARIES if name in sys.modules}
    return {**found, **{name: version for name, version in known.items() if version is not None}}


def command_line() -> list[str]:
    """Give the arguments that the process was started with."""
    try:
        with open("/proc/self/cmdline", "rb") as file:
            return [part.decode(errors="replace") for part in file.read(1 << 16).split(b"\0")[:-1]]
    except OSError:
        return list(sys.argv)


# -- What may be told ---------------------------------------------------------------------------------------------

SHOWN = (
    "ACCELERATE_ CONDA_DEFAULT_ENV CUBLAS CUDA_ CUDNN_ DEEPSPEED DSTOP_ FSDP_ GLOO_ HF_HOME LD_LIBRARY_PATH LOCAL_RANK "
    "LOCAL_WORLD_SIZE MASTER_ MKL_ NCCL_ NVIDIA_ NVTE_ OMPI_COMM_WORLD_ OMP_ PYTORCH_ RANK SGLANG_ SLURM_ TF_FORCE "
    "TORCH TRITON_ VIRTUAL_ENV VLLM_ WORLD_SIZE XLA_"
).split()
SECRET = (
    r"secret|passw|passphrase|(api|access|private|account|auth)[-_.]?key|credential|auth|bearer|token|cookie"
)
HARMLESS = r"tokeni[sz]|author|(max|min|num|batched|total|per|special|pad|eos|bos)[a-z_.-]*tokens?\b"
TELLING = (
    r"\b(hf_|sk-|gh[a-z]_|github_pat_|glpat-|xox[a-z]-|wandb_v\d_|nvapi-|AKIA|AIza|eyJ)[\w.-]{8,}"
    r"|(?<=://)[^/@\s]+(?=@)"
)
"""Values that give themselves away: the tokens of well-known services, and what stands before the @ of an address."""


def is_secret(name: str) -> bool:
    """Say whether a name is one of a secret: `--hf-token` is, `--max-tokens` and `--tokenizer` are not."""
    import re

    return bool(re.search(SECRET, re.sub(HARMLESS, "", name, flags=re.IGNORECASE), re.IGNORECASE))


def environment() -> tuple[dict[str, str], list[str]]:
    """Give the variables that help to explain an error, and the names of all others."""
    found = dict(os.environ)
    shown = {name: redact_text(found[name]) for name in sorted(found) if is_shown(name)}
    return shown, sorted(set(found) - set(shown))


def is_shown(name: str) -> bool:
    """Say whether the value of a variable helps to explain an error and is not a secret."""
    return name.startswith(tuple(SHOWN)) and not (is_secret(name) or name.endswith(("_KEY", "_PASS", "_PWD")))


def redact_text(text: str) -> str:
    """Take out of a text what gives itself away."""
    import re

    return re.sub(TELLING, "***", text[:8192])


def redact_arguments(arguments: Iterable[str]) -> list[str]:
    """Give a command line without its secrets: `--token X`, `--token=X`, `TOKEN=X`, and what gives itself away."""
    shown, next_is_secret = [], False
    for argument in arguments:
        name, equals, _value = argument.partition("=")
        if next_is_secret and not argument.startswith("--"):
            shown.append("***")
            next_is_secret = False
        elif equals and is_secret(name) and " " not in name:
            shown.append(name + "=***")
            next_is_secret = False
        else:
            shown.append(redact_text(argument))
            next_is_secret = argument.startswith("-") and not equals and is_secret(argument)
    return shown


# -- The whole card, as the driver has it -------------------------------------------------------------------------


def card(uuid: str | None) -> dict[str, Any]:
    """Ask NVML for everybody's memory on the card, from a thread of its own: a driver in trouble does not return."""
    once = _once()
    if uuid is None:
        raise Refusal("the device has no UUID")
    if once.card_hung:
        raise Refusal("NVML did not answer when it was asked before")
    answer: list[Any] = []
    done = _thread.allocate_lock()
    done.acquire()

    def ask() -> None:
        try:
            answer.append(ask_nvml(uuid))
        except BaseException as reason:  # raised by who waits
            answer.append(reason)
        done.release()

    _thread.start_new_thread(ask, ())
    if not done.acquire(timeout=CARD_S):
        once.card_hung = True
        raise Refusal("NVML did not answer in %.1f s" % CARD_S)
    if isinstance(answer[0], BaseException):
        raise answer[0]
    found: dict[str, Any] = answer[0]
    return found


def ask_nvml(uuid: str) -> dict[str, Any]:
    """Read memory and processes of one card: NVML's nvmlMemory_v2_t, and nvmlProcessInfo_t of the calls _v2 and _v3."""
    import ctypes

    nvml = ctypes.CDLL("libnvidia-ml.so.1")

    def call(name: str, *arguments: Any) -> None:
        code = getattr(nvml, name)(*arguments)
        if code:
            raise OSError("%s gave %d" % (name, code))

    call("nvmlInit_v2")
    try:
        handle = ctypes.c_void_p()
        call("nvmlDeviceGetHandleByUUID", uuid.encode(), ctypes.byref(handle))
        memory = (ctypes.c_ulonglong * 5)()
        memory[0] = 40 | 2 << 24  # the struct's size and version; the rest is total, reserved, free, used
        try:
            call("nvmlDeviceGetMemoryInfo_v2", handle, memory)
            total, reserved, free, used = (int(value) for value in memory[1:5])
        except (OSError, AttributeError):  # a driver older than 510
            call("nvmlDeviceGetMemoryInfo", handle, memory)
            total, free, used = (int(value) for value in memory[:3])
            reserved = -1
        count = ctypes.c_uint(512)
        rows = (ctypes.c_ulonglong * (3 * count.value))()  # 24 bytes: pid, bytes, instances
        newer = hasattr(nvml, "nvmlDeviceGetComputeRunningProcesses_v3")
        call(
            "nvmlDeviceGetComputeRunningProcesses_v%d" % (3 if newer else 2),
            handle,
            ctypes.byref(count),
            rows,
        )
        processes = []
        for row in range(count.value):
            pid, size = int(rows[3 * row]) & 0xFFFFFFFF, int(rows[3 * row + 1])
            processes.append({"pid": pid, "bytes": None if size >> 60 else size, "command": command_of(pid)})
    finally:
        nvml.nvmlShutdown()
    return {
        "uuid": uuid,
        "total_bytes": total,
        "used_bytes": used,
        "reserved_bytes": None if reserved < 0 else reserved,
        "free_bytes": free,
        "processes": processes,
    }


def command_of(pid: int) -> str | None:
    """Give the name of a process; None for those of other PID namespaces. Its arguments may hold secrets."""
    try:
        with open("/proc/%d/comm" % pid, encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return None


# -- Waiting for torch --------------------------------------------------------------------------------------------


class Finder:
    """First in `sys.meta_path` until torch is imported, so that the black box is armed before the first allocation."""

    def __init__(self, hook: Hook) -> None:
        self.hook = hook

    def wait(self) -> None:
        """Stand in line, if torch is still to come."""
        if "torch" not in sys.modules and self not in sys.meta_path:
            sys.meta_path.insert(0, self)

    def leave(self) -> None:
        """Leave the line."""
        if self in sys.meta_path:
            sys.meta_path.remove(self)

    def find_spec(self, name: str, path: Any = None, target: ModuleType | None = None) -> Any:
        """Let the others find torch; whether it is imported then or only looked for, as transformers does, is open."""
        if name != "torch":
            return None
        for finder in list(sys.meta_path):
            find = getattr(finder, "find_spec", None)
            spec = None if finder is self or find is None else find(name, path, target)
            if spec is not None:
                self.watch(spec.loader)
                return spec
        return None

    def watch(self, loader: Any) -> None:
        """Be told when this loader has run torch."""
        run = getattr(loader, "exec_module", None)
        if run is None:
            return

        def exec_module(module: ModuleType) -> None:
            run(module)
            try:
                del loader.exec_module
                self.leave()
                # Imported as a whole only after this returns: our thread looks again in a moment. The program may not
                # wait for that, and run out of memory with its next statement.
                if not self.hook.black_box.settled:
                    self.hook.black_box.queue(module)
                self.hook.poke()
            except BaseException:
                self.hook.errors += 1

        try:
            loader.exec_module = exec_module
        except AttributeError:
            pass


if __name__ == "dstop.pytorch.hook":
    start()
