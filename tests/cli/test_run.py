"""`dstop run` with real commands, pipes and terminals: the command must not notice it, nor its user a good end."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

DSTOP = (sys.executable, "-m", "dstop", "run")
DEADLINE_S = 60.0


@pytest.fixture
def environ(tmp_path):
    """Give an environment of its own: nothing of the tester's, and incidents in the test's directory."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("DSTOP_", "CUDASIM_"))}
    return env | {"XDG_STATE_HOME": str(tmp_path / "state"), "DSTOP_DIR": str(tmp_path / "sockets")}


@pytest.fixture
def run(environ):
    """Run a command under `dstop run` with pipes, and give what came of it."""

    def call(*words, stdin=b"", options=(), **more):
        return subprocess.run(
            [*DSTOP, *options, "--", *map(str, words)],
            env=environ | more,
            input=stdin,
            capture_output=True,
            timeout=DEADLINE_S,
            check=False,
        )

    return call


@pytest.fixture
def start(environ):
    """Start a command under `dstop run` in a session of its own; it is killed at the test's end."""
    started = []

    def call(*words, options=()):
        process = subprocess.Popen(
            [*DSTOP, *options, "--", *map(str, words)],
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        started.append(process)
        return process

    yield call
    for process in started:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def incidents(environ):
    """Give the incidents that were left, as (directory, incident.json)."""
    folder = Path(environ["XDG_STATE_HOME"]) / "dstop" / "incidents"
    found = sorted(folder.glob("*")) if folder.exists() else []
    return [(path, json.loads((path / "incident.json").read_text())) for path in found]


PY = (sys.executable, "-c")


def test_a_good_end_leaves_no_trace(run, environ):
    """Output, exit code 0, no word of ours and no incident."""
    done = run("sh", "-c", "echo out; echo err >&2")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"out\n", b"err\n")
    assert incidents(environ) == []


@pytest.mark.parametrize("code", [1, 2, 3, 77, 255])
def test_the_exit_code_is_the_commands(run, code):
    """Whatever a command exits with, we exit with."""
    assert run("sh", "-c", f"exit {code}").returncode == code


def test_a_command_that_is_not_there(run, environ):
    """127 and one line, as from a shell; that is no incident."""
    done = run("no-such-command-at-all")
    assert done.returncode == 127
    assert (
        done.stderr == b"dstop: cannot find the command 'no-such-command-at-all': check its name and PATH\n"
    )
    assert incidents(environ) == []


def test_a_command_that_cannot_be_executed(run, tmp_path):
    """126 and one line, as from a shell."""
    plain = tmp_path / "plain"
    plain.write_text("text")
    done = run(plain)
    assert done.returncode == 126
    assert b"cannot execute" in done.stderr
    assert done.stderr.count(b"\n") == 1


def test_a_script_without_a_first_line_runs_in_a_shell(run, tmp_path):
    """What a shell would run, we run."""
    script = tmp_path / "script"
    script.write_text('echo "it ran $1"\n')
    script.chmod(0o755)
    assert run(script, "well").stdout == b"it ran well\n"


@pytest.mark.parametrize(
    "words", [[], ["--tail", "-1"], ["--name", "a b", "true"], ["--print-env", "true"], ["--history", "0"]]
)
def test_wrong_usage_is_2_and_one_line(environ, words):
    """A usage error runs nothing and says what to do."""
    done = subprocess.run([*DSTOP, *words], env=environ, capture_output=True, timeout=DEADLINE_S, check=False)
    assert done.returncode == 2
    assert done.stdout == b""
    assert done.stderr.startswith(b"dstop: ")
    assert done.stderr.count(b"\n") == 1


def test_the_dashes_may_be_left_out(environ):
    """`dstop run sh -c …`: what follows the command's word is the command's."""
    done = subprocess.run(
        [*DSTOP, "sh", "-c", "echo $#", "x", "--tail", "-h"],
        env=environ,
        capture_output=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert done.stdout == b"2\n"


def test_a_killed_command_leaves_an_incident(run, environ):
    """SIGKILL is 137, and the incident has the signal, the output and the command without its secrets."""
    done = run("sh", "-c", "echo before the end; kill -9 $$", "x", "--hf-token", "hf_abcdefghijklmnopqrst123")
    assert done.returncode == 137
    ((folder, told),) = incidents(environ)
    assert done.stderr.decode() == f"dstop: sh was killed by SIGKILL: dstop doctor {folder}\n"
    assert folder.name.endswith("-exit")
    assert (told["exit"]["code"], told["exit"]["signal"], told["exit"]["signal_name"]) == (None, 9, "SIGKILL")
    assert told["exit"]["max_rss_bytes"] > 0
    assert (folder / "output.txt").read_text() == "before the end\n"
    assert "hf_abcdefghijklmnopqrst123" not in (folder / "incident.json").read_text()
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "incident.json").stat().st_mode & 0o777 == 0o600


def test_an_incident_has_the_last_lines_of_both_streams(run, environ):
    """Errors included. Two pipes keep no order between each other: only that nothing is missing can be asked."""
    run("sh", "-c", "echo end; echo oops >&2; exit 1", options=("--tail", "3"))
    ((folder, _),) = incidents(environ)
    assert sorted((folder / "output.txt").read_text().splitlines()) == ["end", "oops"]


def test_an_incident_has_as_many_last_lines_as_were_asked_for(run, environ):
    """The last ones, in their order, and no more."""
    run("sh", "-c", "seq 1000; exit 1", options=("--tail", "3"))
    ((folder, _),) = incidents(environ)
    assert (folder / "output.txt").read_text().splitlines() == ["998", "999", "1000"]


def test_a_name_is_kept(run, environ):
    """Runs can be told apart by the name their user gave them."""
    run("sh", "-c", "exit 1", options=("--name", "llama"))
    ((_, told),) = incidents(environ)
    assert told["name"] == "llama"
    assert told["run"].startswith("llama-")


def test_incidents_go_where_they_are_asked_to(run, tmp_path):
    """--incidents names the directory, and the processes are told so."""
    place = tmp_path / "elsewhere"
    done = run("sh", "-c", "echo $DSTOP_INCIDENTS; exit 1", options=("--incidents", place))
    assert done.stdout.decode() == f"{place}\n"
    assert len(list(place.iterdir())) == 1


def test_a_place_that_cannot_be_written_is_said_in_the_same_line(run, tmp_path):
    """The exit code and the reason stay, and the line says what else went wrong."""
    place = tmp_path / "file"
    place.write_text("")
    done = run("sh", "-c", "exit 5", options=("--incidents", place))
    assert done.returncode == 5
    assert done.stderr.count(b"\n") == 1
    assert b"no incident could be written" in done.stderr


BLOB = "import os,sys; d=bytes(range(256))*40960; n=0\nwhile n < len(d): n += os.write({}, d[n:n+70001])"
EXPECTED = bytes(range(256)) * 40960


@pytest.mark.parametrize("stream", [1, 2])
def test_ten_megabytes_come_out_unchanged(run, stream):
    """Every byte value, in pieces of any size, on either stream."""
    done = run(*PY, BLOB.format(stream))
    got = done.stdout if stream == 1 else done.stderr
    assert got == EXPECTED
    assert (done.stderr if stream == 1 else done.stdout) == b""


def test_one_pipe_for_both_streams_keeps_their_order(environ):
    """With 2>&1 what was written first comes out first, and a write stays in one piece."""
    source = "import os\nfor n in range(2000): os.write(1 + n % 2, b'%d\\n' % n)"
    done = subprocess.run(
        [*DSTOP, "--", *PY, source],
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=DEADLINE_S,
        check=True,
    )
    assert done.stdout.split() == [b"%d" % n for n in range(2000)]


def test_output_comes_at_once(start):
    """A line is passed on while the command still runs."""
    process = start("sh", "-c", "echo first; exec sleep 1000")
    assert process.stdout.readline() == b"first\n"
    assert process.poll() is None


def test_standard_input_is_the_commands_own(run):
    """A megabyte goes in and comes out; we read none of it."""
    data = os.urandom(1 << 20)
    assert run("cat", stdin=data).stdout == data


def test_a_reader_that_goes_away_ends_the_command(environ):
    """`dstop run -- yes | head -1` ends, by SIGPIPE as without us."""
    done = subprocess.run(
        ["/bin/sh", "-c", '"$@" | head -1', "sh", *DSTOP, "--", "yes"],
        env=environ,
        capture_output=True,
        timeout=DEADLINE_S,
        check=True,
    )
    assert done.stdout == b"y\n"


def test_output_that_cannot_be_written_is_a_failure(environ):
    """A full disk is told, and does not look like success."""
    done = subprocess.run(
        ["/bin/sh", "-c", '"$@" >/dev/full', "sh", *DSTOP, "--", "sh", "-c", "echo x"],
        env=environ,
        capture_output=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert done.returncode == 1
    assert (
        done.stderr == b"dstop: cannot write the output of sh: No space left on device: check where it goes\n"
    )


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_closed_stream_stays_closed_and_no_file_of_ours_takes_its_place(environ, tmp_path, closed):
    """Daemons are started so: the command's streams are those it would have without us."""
    file = tmp_path / "told"
    look = (
        "import os, sys; there = [n for n in range(3) if os.path.exists(f'/proc/self/fd/{n}')]\n"
        "file = os.open(sys.argv[1], os.O_CREAT | os.O_TRUNC | os.O_WRONLY); os.write(file, str(there).encode())"
    )
    told = []
    for before in ([*DSTOP, "--"], []):
        script = f'"$@" {closed}'
        done = subprocess.run(
            ["/bin/sh", "-c", script, "sh", *before, sys.executable, *PY[1:], look, str(file)],
            env=environ,
            capture_output=True,
            timeout=DEADLINE_S,
            check=False,
        )
        told.append((done.returncode, done.stdout, done.stderr, file.read_text()))
    assert told[0] == told[1]


def test_a_grandchild_that_keeps_the_pipe_does_not_hang_us(run):
    """A daemon that inherited the output does not keep us when the command has ended."""
    done = run("sh", "-c", "sleep 1000 & echo $!; exit 0")
    os.kill(int(done.stdout), signal.SIGKILL)
    assert done.returncode == 0


def test_what_a_grandchild_writes_soon_after_the_end_is_passed_on(run):
    """The last words of a worker that outlives its parent by a moment are not lost."""
    done = run("sh", "-c", "(sleep 0.2; echo late) & exit 0")
    assert done.stdout == b"late\n"


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGINT", "SIGRTMIN"])
def test_a_signal_sent_to_us_reaches_the_command_once(start, name):
    """Batch systems signal the process they started; the command hears it, and only once."""
    source = (
        "import signal, time\ngot = []\n"
        f"signal.signal(signal.{name}, lambda *a: got.append(1))\nprint('ready', flush=True)\n"
        "while not got: time.sleep(0.01)\ntime.sleep(0.3)\nprint(len(got))"
    )
    process = start(*PY, source)
    assert process.stdout.readline() == b"ready\n"
    process.send_signal(getattr(signal, name))
    out, err = process.communicate(timeout=DEADLINE_S)
    assert (process.returncode, out, err) == (0, b"1\n", b"")


@pytest.mark.parametrize("name", ["SIGTERM", "SIGUSR1"])
def test_a_signal_sent_to_the_whole_group_is_not_passed_on_again(start, name):
    """`kill %1`, `timeout` and `scancel` reach the command themselves; it hears them once."""
    source = (
        "import signal, time\ngot = []\n"
        f"signal.signal(signal.{name}, lambda *a: got.append(1))\nprint('ready', flush=True)\n"
        "while not got: time.sleep(0.01)\ntime.sleep(0.5)\nprint(len(got))"
    )
    process = start(*PY, source)
    assert process.stdout.readline() == b"ready\n"
    os.killpg(process.pid, getattr(signal, name))
    out, err = process.communicate(timeout=DEADLINE_S)
    assert (process.returncode, out, err) == (0, b"1\n", b"")


def test_no_process_of_ours_is_left_when_we_are_killed(start):
    """After SIGKILL to us the command has a broken pipe, and nothing of ours lives on."""
    process = start(
        "sh", "-c", "echo ready; trap '' PIPE; while echo x; do sleep 0.05; done 2>/dev/null; exit 3"
    )
    assert process.stdout.readline() == b"ready\n"
    process.kill()
    process.wait(timeout=DEADLINE_S)
    deadline = time.monotonic() + DEADLINE_S
    while _of_group(process.pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert _of_group(process.pid) == []


def _of_group(group):
    """Give the living processes of a process group."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            words = path.read_text().rpartition(")")[2].split()
            if int(words[2]) == group and words[0] != "Z":
                found.append(int(path.parent.name))
    return found


def test_who_was_asked_to_stop_leaves_no_incident(start, environ):
    """SIGTERM to us ends the command; that is 143 and nothing to explain."""
    process = start("sh", "-c", "echo ready; exec sleep 1000")
    assert process.stdout.readline() == b"ready\n"
    process.terminate()
    _, err = process.communicate(timeout=DEADLINE_S)
    assert (process.returncode, err) == (143, b"")
    assert incidents(environ) == []


def test_a_command_that_signals_its_own_group_is_not_sent_it_back(start):
    """What comes from within the command reached whom it was meant for."""
    source = (
        "import os, signal, time\ngot = []\nsignal.signal(signal.SIGUSR1, lambda *a: got.append(1))\n"
        "os.kill(0, signal.SIGUSR1)\ntime.sleep(0.5)\nprint(len(got))"
    )
    out, _ = start(*PY, source).communicate(timeout=DEADLINE_S)
    assert out == b"1\n"


def test_signals_are_as_without_us(run):
    """Blocked and ignored signals of the command are those that we were started with.

    The two that the C library keeps for itself (32 and 33) are ignored by whatever posix_spawn starts.
    """
    look = "grep -E '^Sig(Blk|Ign)' /proc/self/status"
    own = subprocess.run(["/bin/sh", "-c", look], capture_output=True, check=True).stdout
    masks = [[int(word, 16) for word in text.split()[1::2]] for text in (own, run("sh", "-c", look).stdout)]
    assert masks[1] == [mask | masks[1][1] & 0x180000000 if at else mask for at, mask in enumerate(masks[0])]


def test_no_descriptor_of_ours_reaches_the_command(run):
    """The command has its three streams and the one it looks with."""
    assert run("sh", "-c", "ls /proc/self/fd | wc -l").stdout.strip() == b"4"


def test_children_of_children_have_the_environment(run):
    """Whatever depth, the variables are there."""
    done = run("sh", "-c", "sh -c 'sh -c \"echo \\$DSTOP_RUN; echo \\$PYTHONPATH\"'")
    run_id, path = done.stdout.decode().splitlines()
    assert run_id
    assert path.split(":")[0].endswith("dstop/pytorch/site")


def test_the_environment_can_be_had_alone(environ):
    """`eval "$(dstop run --print-env)"` is the way in for what somebody else starts."""
    script = 'eval "$("$@" --print-env --history 9)"; eval "$("$@" --print-env)"; echo "$PYTHONPATH $DSTOP_HISTORY"'
    done = subprocess.run(
        ["/bin/sh", "-c", script, "sh", *DSTOP],
        env=environ | {"PYTHONPATH": "/mine"},
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=True,
    )
    path, history = done.stdout.split()
    assert history == "9"
    assert path.split(":")[1:] == ["/mine"]


class Terminal:
    """A command on a terminal of its own, as its session's leader."""

    def __init__(self, words, env) -> None:
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execvpe(words[0], words, env)  # noqa: S606 - the point of it
        self.seen = b""
        self.at = 0

    def read_until(self, text: bytes) -> None:
        """Read until this text was seen after what was last read for."""
        deadline = time.monotonic() + DEADLINE_S
        while text not in self.seen[self.at :] and time.monotonic() < deadline and self._read():
            pass
        assert text in self.seen[self.at :], self.seen[-2000:]
        self.at = self.seen.index(text, self.at) + len(text)

    def read_all(self) -> bytes:
        """Read to the end."""
        deadline = time.monotonic() + DEADLINE_S
        while time.monotonic() < deadline and self._read():
            pass
        return self.seen

    def _read(self) -> bool:
        if not select.select([self.fd], [], [], 1.0)[0]:
            return True
        try:
            data = os.read(self.fd, 1 << 16)
        except OSError:
            return False
        self.seen += data
        return bool(data)

    def size(self, rows: int, columns: int) -> None:
        """Change the size, as a user who pulls at the window's corner."""
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def code(self) -> int:
        """Wait for the end."""
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def close(self) -> None:
        """End whatever still runs."""
        with contextlib.suppress(OSError):
            os.killpg(self.pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, 0)
        os.close(self.fd)


@pytest.fixture
def terminal(environ):
    """Start `dstop run` on a terminal."""
    opened = []

    def call(*words):
        opened.append(Terminal([*DSTOP, "--", *words], environ | {"TERM": "xterm"}))
        return opened[-1]

    yield call
    for one in opened:
        one.close()


def test_on_a_terminal_the_command_has_a_terminal(terminal):
    """All three streams are terminals, of the real one's size, and the line ends are the terminal's."""
    source = "import os; input(); print([os.isatty(n) for n in range(3)], os.get_terminal_size(1))"
    shown = terminal(*PY, source)
    shown.size(33, 99)
    os.write(shown.fd, b"\n")
    assert b"[True, True, True] os.terminal_size(columns=99, lines=33)\r\n" in shown.read_all()
    assert shown.code() == 0


def test_a_resize_reaches_the_command_with_the_new_size(terminal):
    """When the command is told, its terminal has the size already."""
    source = (
        "import os, signal, time\nsize = lambda: os.get_terminal_size(1).columns\n"
        "signal.signal(signal.SIGWINCH, lambda *a: print('now', size(), flush=True))\n"
        "print('ready', flush=True)\nwhile size() != 77: time.sleep(0.01)\ntime.sleep(0.3)"
    )
    shown = terminal(*PY, source)
    shown.read_until(b"ready")
    shown.size(20, 77)
    shown.read_until(b"now 77")
    assert shown.code() == 0


def test_ten_megabytes_come_through_a_terminal(terminal):
    """Nothing is lost or doubled; line ends become the terminal's once."""
    shown = terminal(*PY, "import sys\nfor n in range(250_000): print('%039d' % n)")
    assert shown.read_all() == b"".join(b"%039d\r\n" % n for n in range(250_000))
    assert shown.code() == 0


def test_both_streams_on_one_terminal_keep_their_order(terminal):
    """What was written first is shown first, whichever stream it went to."""
    shown = terminal(*PY, "import os\nfor n in range(2000): os.write(1 + n % 2, b'%d\\n' % n)")
    assert shown.read_all().split() == [b"%d" % n for n in range(2000)]


def test_ctrl_c_reaches_the_command_once_and_is_no_incident(terminal, environ):
    """The terminal sends it to both of us; the command ends by it, we say nothing."""
    source = (
        "import time\ntry:\n    print('ready', flush=True); time.sleep(1000)\n"
        "except KeyboardInterrupt:\n    time.sleep(0.3); print('tidied up'); raise SystemExit(130)"
    )
    shown = terminal(*PY, source)
    shown.read_until(b"ready\r\n")
    os.write(shown.fd, b"\x03")
    assert shown.read_all().replace(b"^C", b"") == b"ready\r\ntidied up\r\n"
    assert shown.code() == 130
    assert incidents(environ) == []


def test_ctrl_z_stops_both_and_fg_goes_on(environ):
    """An interactive shell sees its job stopped, and continues it."""
    env = environ | {"PS1": "$ ", "TERM": "dumb", "HISTFILE": "/dev/null"}
    shell = Terminal(["bash", "--norc", "--noprofile", "-i"], env)
    try:
        shell.read_until(b"$ ")
        words = " ".join([*DSTOP, "--", "sh", "-c", "'echo rea''dy; read x; echo got $x'"])
        os.write(shell.fd, words.encode() + b"\n")
        shell.read_until(b"ready\r\n")
        os.write(shell.fd, b"\x1a")
        shell.read_until(b"Stopped")
        shell.read_until(b"\n$ ")
        os.write(shell.fd, b"fg\n")
        shell.read_until(b"got $x")  # the shell names what it continues
        os.write(shell.fd, b"word\n")
        shell.read_until(b"got word")
        shell.read_until(b"$ ")
        os.write(shell.fd, b"exit 9\n")
        shell.read_all()
        assert shell.code() == 9
    finally:
        shell.close()


def test_an_interactive_shell_has_job_control(terminal):
    """`dstop run -- bash` is a shell like any other, whose programs carry the hook."""
    shown = terminal("bash", "--norc", "--noprofile", "-i")
    shown.read_until(b"# " if os.geteuid() == 0 else b"$ ")
    os.write(shown.fd, b"echo $((6*7)) ${DSTOP_RUN:+hooked}\n")
    shown.read_until(b"42 hooked\r\n")
    os.write(shown.fd, b"exit 9\n")
    assert b"no job control" not in shown.read_all()
    assert shown.code() == 9


def test_a_pipe_and_a_terminal_are_told_apart(environ):
    """With `2>file` the terminal stays one for stdout, and the file gets the errors alone."""
    script = '"$@" 2>"$FILE"'
    source = "import os; os.write(2, b'err'); print([os.isatty(n) for n in (1, 2)])"
    file = Path(environ["XDG_STATE_HOME"] + ".err")
    shown = Terminal(["sh", "-c", script, "sh", *DSTOP, "--", *PY, source], environ | {"FILE": str(file)})
    try:
        assert shown.read_all() == b"[True, False]\r\n"
        assert file.read_bytes() == b"err"
    finally:
        shown.close()


def test_no_tail_leaves_the_streams_alone(environ):
    """With --tail 0 the command's output is our own, and nothing stands between."""
    source = "import os; print(os.readlink('/proc/self/fd/1') == os.readlink(f'/proc/{os.getppid()}/fd/1'))"
    done = subprocess.run(
        [*DSTOP, "--tail", "0", "--", *PY, source], env=environ, capture_output=True, timeout=60, check=True
    )
    assert done.stdout == b"True\n"
