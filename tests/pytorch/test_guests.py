"""LiveGuests against hooks that are good, slow and hostile: real processes, real sockets."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest

from dstop.errors import AttachError
from dstop.model.guest import ProcessId
from dstop.pytorch.guests import LiveGuests
from dstop.pytorch.search import AGAIN_S, Search
from dstop.pytorch.target import find_target

DEADLINE_S = 30
UUID = "GPU-6b3ac5f7-0b16-4e9a-9d0a-3d1f3b1c7a11"
FIGURES = {"allocated_bytes": 3, "active_bytes": 3, "reserved_bytes": 8, "requested_bytes": 2}


def _framed(reply):
    body = json.dumps(reply).encode()
    return len(body).to_bytes(4, "big") + body


def _hello(**changes):
    return {"ok": True, "version": 1, "how": "run", "torch": "2.9.1", "cuda_initialized": True, **changes}


def _stats(**changes):
    nested = {name: {"all": {"current": value, "peak": value}} for name, value in FIGURES.items()}
    devices = [{"index": 0, "uuid": UUID, "stats": nested}]
    return {
        "ok": True, "taken_ns": 7, "torch": "2.9.1", "cuda_initialized": True, "devices": devices, **changes,
    }  # fmt: skip


class Hook:
    """A socket where a process' hook would be, and a thread that answers by a script.

    `say` maps a request to what is sent back: a dict is framed, bytes go as they are, None is silence.
    """

    def __init__(self, path, say):
        self.say = say
        self.asked = []
        self.lines = 0
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(8)
        self._connections = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def hang_up(self):
        """Close every line, but keep listening."""
        for connection in list(self._connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def close(self):
        """Stop, and wait until every thread has."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._threads[0].join()
        self.hang_up()
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._connections.append(connection)
            self.lines += 1
            thread = threading.Thread(target=self._serve, args=(connection,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection):
        with connection, contextlib.suppress(OSError):
            while True:
                head, descriptors, _, _ = socket.recv_fds(connection, 4, 1)
                if len(head) != 4:
                    return
                request = json.loads(connection.recv(int.from_bytes(head, "big")))
                self.asked.append(request)
                reply = self.say(request, *descriptors)
                for descriptor in descriptors:
                    os.close(descriptor)
                if reply is not None:
                    connection.sendall(reply if isinstance(reply, bytes) else _framed(reply))


def good(request, *_):
    """Answer as a hook does."""
    return _hello() if request["op"] == "hello" else _stats()


class Clock:
    """Monotonic seconds that a test can push forward."""

    def __init__(self):
        self.ahead_s = 0.0

    def __call__(self):
        """Give the time."""
        return time.monotonic() + self.ahead_s


class Rig:
    """Processes that do nothing, and hooks in their names."""

    def __init__(self, **options):
        self.directory = tempfile.mkdtemp(prefix="d-")
        self.clock = Clock()
        self.guests = LiveGuests(clock=self.clock, search_s=DEADLINE_S, **options)
        self._processes, self._hooks = [], []

    def process(self, **environment):
        """Start a process that only waits; gives who it is."""
        child = subprocess.Popen(
            [shutil.which("sleep"), "1000"], env={"DSTOP_DIR": self.directory, **environment}
        )
        self._processes.append(child)
        # its environment is that of its program only after exec
        while Path(f"/proc/{child.pid}/comm").read_text() != "sleep\n":
            time.sleep(0.001)
        return find_target(child.pid).id

    def hook(self, process, say=good):
        """Let a hook answer for a process."""
        hook = Hook(f"{self.directory}/{find_target(process.pid).socket_name}", say)
        self._hooks.append(hook)
        return hook

    def end(self, process):
        """End a process."""
        (child,) = [child for child in self._processes if child.pid == process.pid]
        child.kill()
        child.wait()

    def step(self, *processes, patience_s=DEADLINE_S):
        """Ask and answer."""
        self.guests.ask(processes)
        return self.guests.answers(patience_s=patience_s)

    def close(self):
        """End everything."""
        self.guests.close()
        self.guests.close()
        for hook in self._hooks:
            hook.close()
        for child in self._processes:
            child.kill()
            child.wait()
        shutil.rmtree(self.directory)


@pytest.fixture
def rig():
    """Give a rig, and end all it started."""
    made = Rig()
    yield made
    made.close()


def _until(condition):
    end = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.005)


def test_a_good_hook_gives_its_figures_in_the_first_step(rig):
    """Hello and figures come in one step; the next step asks for figures alone."""
    me = rig.process()
    hook = rig.hook(me)
    guest = rig.step(me)[me]
    assert (guest.id, guest.torch_version, guest.how, guest.stale_s) == (me, "2.9.1", "run", None)
    assert (guest.taken_at_ns, guest.devices[0].reserved_bytes, guest.devices[0].gpu_uuid) == (7, 8, UUID)
    assert rig.step(me)[me] == guest
    assert [request["op"] for request in hook.asked] == ["hello", "stats", "stats"]
    assert hook.lines == 1


def test_a_process_without_a_hook_is_no_guest_until_it_has_one(rig):
    """Nobody answers for it; a hook that comes later is found at the next look."""
    me = rig.process()
    assert rig.step(me) == {}
    rig.hook(me)
    assert rig.step(me) == {}
    rig.clock.ahead_s += AGAIN_S
    assert set(rig.step(me)) == {me}


def test_who_is_no_longer_asked_is_no_longer_answered(rig):
    """A process that is gone from the sample takes its line with it."""
    me = rig.process()
    rig.hook(me)
    assert set(rig.step(me)) == {me}
    assert rig.step() == {}


def test_a_pid_that_another_process_has_now_is_not_asked(rig):
    """The start time is part of who it is."""
    me = rig.process()
    hook = rig.hook(me)
    assert rig.step(ProcessId(me.pid, me.started_at_s - 100)) == {}
    assert hook.lines == 0
    assert set(rig.step(ProcessId(me.pid, None))) == {ProcessId(me.pid, None)}


def test_a_slow_hook_keeps_its_last_figures_and_has_one_question_open(rig):
    """While a C call holds the GIL the figures stay, with their age, and questions do not pile up."""
    me = rig.process()
    go = threading.Event()
    go.set()

    def busy(request, *_):
        go.wait(DEADLINE_S)
        return good(request)

    hook = rig.hook(me, busy)
    fresh = rig.step(me)[me]
    go.clear()
    for _ in range(3):
        rig.clock.ahead_s += 2
        late = rig.step(me, patience_s=0.01)[me]
    assert late.devices == fresh.devices
    assert late.stale_s >= 6
    assert len(hook.asked) <= 3
    go.set()
    _until(lambda: rig.step(me)[me].stale_s is None)


def test_a_hook_that_never_answered_says_so(rig):
    """The line is there, the figures are not: the guest says why, and nobody waits for it twice."""
    me = rig.process()
    hook = rig.hook(me, lambda *_: None)
    guest = rig.step(me, patience_s=0.01)[me]
    assert (guest.devices, guest.torch_version) == ((), None)
    assert guest.stale_s is not None
    assert "has not answered yet" in guest.unavailable["devices"]
    assert rig.step(me, patience_s=10_000)[me].unavailable == guest.unavailable
    assert [request["op"] for request in hook.asked] == ["hello"]


def test_a_slow_hook_does_not_hold_up_a_prompt_one(rig):
    """One that is late is not waited for; the others still give fresh figures."""
    slow, prompt = rig.process(), rig.process()
    rig.hook(slow, lambda *_: None)
    rig.hook(prompt)
    rig.step(slow, prompt, patience_s=0.01)
    _until(lambda: rig.step(slow, prompt, patience_s=10_000)[prompt].stale_s is None)
    assert rig.step(slow, prompt, patience_s=10_000)[slow].stale_s is not None


def test_a_hook_that_hangs_up_is_looked_for_again(rig):
    """It is gone at once, and back after a while if it is there again."""
    me = rig.process()
    hook = rig.hook(me)
    rig.step(me)
    hook.hang_up()
    _until(lambda: me not in rig.step(me))
    assert rig.step(me) == {}
    rig.clock.ahead_s += AGAIN_S
    _until(lambda: me in rig.step(me))
    assert hook.lines == 2


HOSTILE = {
    "garbage": lambda *_: b"HTTP/1.1 200 OK\r\n\r\n" * 100,
    "a length beyond any": lambda *_: b"\xff\xff\xff\xff",
    "no object": lambda *_: b"\x00\x00\x00\x02[]",
    "no JSON": lambda *_: b"\x00\x00\x00\x01{",
    "deep JSON": lambda *_: (100_000).to_bytes(4, "big") + b"[" * 100_000,
    "two answers at once": lambda *_: _framed(_hello()) * 2,
    "endless bytes": lambda *_: _framed(_hello()) * 200_000,
    "half an answer too much": lambda *_: _framed(_hello()) + b"\x00\x00",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_hook_is_cut_off_and_left_alone(rig, name):
    """It is no guest any more, and a minute passes before anybody listens to it again."""
    me, friend = rig.process(), rig.process()
    hook = rig.hook(me, HOSTILE[name])
    rig.hook(friend)
    _until(lambda: set(rig.step(me, friend)) == {friend})
    rig.clock.ahead_s += AGAIN_S + 1
    assert set(rig.step(me, friend)) == {friend}
    assert hook.lines == 1
    rig.clock.ahead_s += 60
    rig.step(me, friend)
    _until(lambda: hook.lines == 2)  # the kernel takes the line, the hook's thread comes to it later


def test_a_hook_that_refuses_keeps_its_line(rig):
    """`ok: false` is an answer: the guest stays, its reason in the place of the figures."""
    me = rig.process()

    def refuse(request, *_):
        return _hello() if request["op"] == "hello" else {"ok": False, "error": "torch is broken\x1b[2J"}

    rig.hook(me, refuse)
    guest = rig.step(me)[me]
    assert guest.devices == ()
    assert guest.unavailable["devices"] == "its hook refuses: torch is broken [2J"
    assert guest.torch_version == "2.9.1"


def test_what_is_new_in_the_process_is_asked_for_anew(rig):
    """When torch is imported or CUDA comes up, versions and backend are of another time."""
    me = rig.process()
    stage = ["early"]

    def growing(request, *_):
        early = stage[0] == "early"
        torch = {"torch": None if early else "2.9.1", "cuda_initialized": not early}
        return (
            _hello(**torch, backend=None if early else "native")
            if request["op"] == "hello"
            else _stats(**torch)
        )

    hook = rig.hook(me, growing)
    assert rig.step(me)[me].unavailable["torch_version"] == "torch is not imported"
    stage[0] = "late"
    rig.step(me)
    assert rig.step(me)[me].backend == "native"
    assert [request["op"] for request in hook.asked] == ["hello", "stats", "stats", "hello", "stats"]


def test_close_ups_are_asked_on_their_own_lines(rig):
    """Each question has its answer in values, while the line of the steps stays as it is."""
    me = rig.process()
    replies = {
        "segments": {
            "taken_ns": 1,
            "left_out": 0,
            "segments": [[0, 1, 8, 3, 3, 0, False, [0, 0], False, []]],
        },
        "sites": {"history": True, "sites": [[0, 3, 1, [["a.py", 1, "f"]]], [0, 9, 1, []]]},
        "summary": {"text": "|===|"},
        "facts": {"models": [{"class": "Net"}], "optimizers": [], "config": None},
        "history": {"history": True, "history_ours": True},
        "detach": {},
    }

    def answer(request, *_):
        return {"ok": True, **replies[request["op"]]} if request["op"] in replies else good(request)

    hook = rig.hook(me, answer)
    assert rig.guests.segments(me).segments[0].total_bytes == 8
    assert [site.size_bytes for site in rig.guests.sites(me, most=1)] == [9]
    assert rig.guests.summary(me, 3) == "|===|"
    assert rig.guests.facts(me).models[0]["class"] == "Net"
    rig.guests.record(me, on=True)
    rig.guests.detach(me)
    requests = {request["op"]: request for request in hook.asked}
    assert (requests["sites"]["most"], requests["summary"]["device"]) == (1, 3)
    assert requests["history"]["enabled"] is True
    assert "detach" in requests
    assert set(rig.step(me)) == {me}


def test_a_close_up_of_nobody_says_what_to_do(rig):
    """No hook, a process that has ended, a PID that is another's: each is one line and its next step."""
    me = rig.process()
    with pytest.raises(AttachError, match="carries no hook") as caught:
        rig.guests.summary(me, 0)
    assert caught.value.fix
    with pytest.raises(AttachError, match="another one has its PID"):
        rig.guests.segments(ProcessId(me.pid, me.started_at_s - 100))
    rig.end(me)
    with pytest.raises(AttachError, match="no process"):
        rig.guests.facts(me)


def _writing(content):
    """Answer a snapshot by writing into the descriptor that came along."""

    def write(request, *descriptors):
        if request["op"] != "snapshot":
            return good(request)
        os.write(descriptors[0], content)
        return {"ok": True, "bytes": len(content), "traces": request["traces"]}

    return write


@pytest.mark.parametrize(("name", "zipped"), [("a.pickle", False), ("a.pickle.gz", True)])
def test_a_snapshot_is_written_into_a_file_of_dstops_own(rig, tmp_path, name, zipped):
    """The process gets a descriptor, not a name; the file is new and for its user alone."""
    me = rig.process()
    hook = rig.hook(me, _writing(b"12345"))
    path = tmp_path / name
    assert rig.guests.snapshot(me, str(path), traces=False) == 5
    assert path.read_bytes() == b"12345"
    assert path.stat().st_mode & 0o777 == 0o600
    assert (hook.asked[-1]["gzip"], hook.asked[-1]["traces"]) == (zipped, False)


def test_a_snapshot_overwrites_nothing(rig, tmp_path):
    """A file that is there stays as it is, and a link leads nowhere."""
    me = rig.process()
    rig.hook(me, _writing(b"new"))
    path, link = tmp_path / "old", tmp_path / "link"
    path.write_text("old")
    link.symlink_to(tmp_path / "elsewhere")
    for name in (path, link):
        with pytest.raises(AttachError, match="exists already") as caught:
            rig.guests.snapshot(me, str(name))
        assert caught.value.fix
    assert path.read_text() == "old"
    assert not (tmp_path / "elsewhere").exists()
    with pytest.raises(AttachError, match="cannot be written"):
        rig.guests.snapshot(me, str(tmp_path / "no" / "such" / "place"))


def test_a_snapshot_goes_home_where_a_shell_would(rig, tmp_path, monkeypatch):
    """`~` is the user's home."""
    me = rig.process()
    rig.hook(me, _writing(b"1"))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert rig.guests.snapshot(me, "~/a.pickle") == 1
    assert (tmp_path / "a.pickle").exists()


@pytest.mark.parametrize(
    "say",
    [
        lambda *_: {"ok": False, "error": "no memory"},
        lambda *_: {"ok": True, "bytes": 9},
        lambda *_: b"\xff" * 9,
    ],
    ids=["refused", "empty", "garbage"],
)
def test_a_snapshot_that_fails_leaves_no_file(rig, tmp_path, say):
    """Half a snapshot is none."""
    me = rig.process()
    rig.hook(me, say)
    with pytest.raises(AttachError):
        rig.guests.snapshot(me, str(tmp_path / "a.pickle"))
    assert list(tmp_path.iterdir()) == []


def test_close_ups_may_come_from_many_threads(rig):
    """Screens ask while the steps go on; every answer is whole."""
    me = rig.process()
    rig.hook(
        me,
        lambda request, *_: (
            {"ok": True, "text": "x\n" * 5000} if request["op"] == "summary" else good(request)
        ),
    )
    lengths = []

    def ask():
        for _ in range(20):
            lengths.append(len(rig.guests.summary(me, 0)))  # noqa: PERF401 - each is seen by the others

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        assert set(rig.step(me)) == {me}
    for thread in threads:
        thread.join()
    assert lengths == [10_000] * 80


def _descriptors():
    return len(list(Path("/proc/self/fd").iterdir()))


def test_a_step_spends_little_on_looking_for_hooks():
    """Of many processes some are looked at in a step, at least one, until all have been."""
    made = Rig()
    made.guests = LiveGuests(clock=made.clock, search_s=0.0)
    try:
        processes = [made.process() for _ in range(12)]
        hooks = [made.hook(process) for process in processes]
        made.step(*processes)  # the first may take longer
        _until(lambda: len(made.step(*processes)) == len(processes))
        assert [hook.lines for hook in hooks] == [1] * len(hooks)
    finally:
        made.close()


def test_the_first_look_does_not_take_the_time_of_the_others(rig):
    """It loads what every look needs, which may take longer than all of them; `--once` has no second step."""
    processes = [rig.process() for _ in range(3)]
    for process in processes:
        rig.hook(process)
    found = {}
    for process, connection in Search(clock=rig.clock).found(processes):
        connection.close()
        if not found:
            rig.clock.ahead_s += 10
        found[process] = connection
    assert found.keys() == set(processes)


def test_its_descriptors_do_not_grow(rig):
    """Lines that were opened for a process are closed with it, or with the guests."""
    before = _descriptors()
    me = rig.process()
    hook = rig.hook(me)
    for _ in range(5):
        rig.step(me)
        rig.step()
        rig.clock.ahead_s += AGAIN_S + 1
    hook.close()
    rig._hooks.remove(hook)
    assert _descriptors() == before


@pytest.fixture
def small_rig():
    """Give a rig that asks two hooks at most."""
    made = Rig(most=2)
    yield made
    made.close()


def test_more_hooks_than_can_be_asked_are_not_hidden(small_rig):
    """The third says why it has no figures, and has them as soon as there is room."""
    rig = small_rig
    processes = [rig.process() for _ in range(3)]
    for process in processes:
        rig.hook(process)
    answers = rig.step(*processes)
    assert set(answers) == set(processes)
    (left,) = [process for process, guest in answers.items() if not guest.devices]
    assert "asks 2 hooks at every step" in answers[left].unavailable["devices"]
    asked = [process for process in processes if process != left]
    rig.clock.ahead_s += AGAIN_S
    assert rig.step(asked[0], left)[left].devices
    assert set(rig.step(asked[0])) == {asked[0]}


def test_looking_where_there_is_no_hook_loads_nothing_for_talking_to_one():
    """`dstop --once` on a machine without hooks pays for the look alone."""
    code = (
        "import os, sys\n"
        "from dstop.pytorch.guests import LiveGuests\n"
        "from dstop.pytorch.target import find_target\n"
        "guests = LiveGuests()\n"
        "guests.ask([find_target(os.getpid()).id])\n"
        "assert guests.answers() == {}\n"
        "print(*sorted({'socket', 'json', 'dstop.pytorch.client', 'dstop.pytorch.rendezvous'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
