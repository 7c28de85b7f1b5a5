"""How the hook comes, stays, and goes, on every Python that is here."""

from __future__ import annotations

import os
import signal
import stat
import sys
from pathlib import Path
from typing import Any

import pytest

MINORS = [f"3.{minor}" for minor in range(9, 16)]


@pytest.fixture(params=MINORS)
def python(request: pytest.FixtureRequest, pythons: dict[str, str]) -> str:
    """Give an interpreter of every version, one after another."""
    if request.param not in pythons:
        pytest.skip(f"no Python {request.param} on this machine")
    return pythons[request.param]


def wakeups(pid: int) -> int:
    """Count how often the hook's thread gave up the processor."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        if (task / "comm").read_text().strip() == "dstop-hook":
            lines = (task / "status").read_text().splitlines()
            return sum(int(line.split()[1]) for line in lines if "ctxt_switches" in line)
    raise AssertionError("the hook's thread has no name")


def descriptors(pid: int) -> list[str]:
    """Say what a process has open, sockets and pipes without their numbers."""
    return sorted(str(each.readlink()).split(":")[0] for each in Path(f"/proc/{pid}/fd").iterdir())


def test_it_lives_in_every_python_and_leaves_nothing(hosts: Any, python: str) -> None:
    """It starts from text with warnings as errors, answers, imports no `threading`, and goes without a trace."""
    host = hosts.start(python, "-I", "-S", "-B", "-X", "dev", "-W", "error")
    before, open_before = host.value("__import__('sys').meta_path == []"), descriptors(host.pid)
    path = host.take_hook()
    wire = hosts.talk(path)
    hello = wire.ask("hello")
    assert hello["ok"]
    assert hello["pid"] == host.pid
    assert hello["how"] == "ptrace"
    assert hello["torch"] is None
    assert hello["unavailable"]["devices"] == "torch is not imported"
    assert path.endswith(f"/{host.pid}-{hello['start']}.sock")
    assert not host.value("'threading' in __import__('sys').modules")
    assert wire.ask("detach") == {"ok": True}
    hosts.wait_until(lambda: descriptors(host.pid) == open_before)
    assert not Path(path).exists()
    assert host.value("__import__('sys').meta_path == []") == before
    assert host.value("'_dstop_hook' in __import__('sys').modules") is False
    assert host.end() == 0
    assert host.stderr == ""


def test_the_process_may_end_at_any_time(hosts: Any, python: str) -> None:
    """Exit with the hook in takes the socket away, closes everything, and is silent."""
    host = hosts.start(python, "-X", "dev", "-W", "error", "-I", "-S")
    path = host.take_hook()
    wire = hosts.talk(path)
    assert wire.ask("ping") == {"ok": True, "version": 1, "pid": host.pid}
    assert host.end() == 0
    assert host.stderr == ""
    assert not Path(path).exists()


def test_only_the_user_can_reach_it(hosts: Any) -> None:
    """The directory has mode 0700 and the socket 0600, whatever the umask says."""
    host = hosts.start()
    host.do("import os; os.umask(0o777 ^ 0o700 ^ 0o200)")
    path = Path(host.take_hook())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_directory_that_others_can_enter_is_refused(hosts: Any) -> None:
    """Who could replace the socket could answer for the process: no hook, and the reason is kept."""
    host = hosts.start()
    directory = host.directory / "open"
    directory.mkdir(mode=0o755)
    host.do(f"import os\nhook={{'__name__':'x'}}\nexec(open({str(hosts.hook_source)!r}).read(), hook)")
    assert host.value(f"hook['start']({str(directory)!r})") is None
    assert "not a private directory" in host.value("hook['why_not']()")
    assert list(directory.iterdir()) == []
    assert host.value("[type(f).__name__ for f in __import__('sys').meta_path].count('Finder')") == 0


def test_a_second_start_finds_the_first(hosts: Any) -> None:
    """Attaching twice is attaching once, also when it comes as another text."""
    host = hosts.start()
    path = host.take_hook()
    wire = hosts.talk(path)
    wire.ask("ping")
    assert host.take_hook(directory=host.directory / "elsewhere") == path
    assert wire.ask("hello")["requests"] == 2


def test_a_cleaner_may_take_the_socket(hosts: Any) -> None:
    """Where the socket is gone, the next start makes a new one."""
    host = hosts.start()
    path = host.take_hook()
    Path(path).unlink()
    assert host.take_hook() == path
    assert hosts.talk(path).ask("ping")["ok"]


def test_a_newer_hook_takes_over_and_an_older_one_does_not(hosts: Any) -> None:
    """The version decides, so that two dstops on one machine do not fight."""
    host = hosts.start()
    path = host.take_hook()
    text = hosts.hook_source.read_text()
    newer = host.directory / "newer.py"
    newer.write_text(text.replace("\nVERSION = 1\n", "\nVERSION = 2\n"))
    host.do(f"newer={{'__name__':'x'}}\nexec(open({str(newer)!r}).read(), newer)")
    assert host.value(f"newer['start']({str(host.directory / 'sock')!r})") == path
    wire = hosts.talk(path)
    assert wire.ask("ping")["version"] == 2
    assert host.value(f"hook['start']({str(host.directory / 'sock')!r})") == path
    assert wire.ask("ping")["version"] == 2


def test_two_threads_that_start_it_at_once_make_one_hook(hosts: Any) -> None:
    """PEP 768 arms every thread: whichever comes second finds the first."""
    host = hosts.start()
    host.do(f"""
import threading
text = open({str(hosts.hook_source)!r}).read()
found, gate = [], threading.Barrier(8)
def one():
    space = {{"__name__": "_dstop_bootstrap"}}
    exec(text, space)
    gate.wait()
    found.append(space["start"]({str(host.directory / "sock")!r}))
threads = [threading.Thread(target=one) for _ in range(8)]
for each in threads: each.start()
for each in threads: each.join()
""")
    found = host.value("found")
    assert len(found) == 8
    assert len(set(found)) == 1
    assert hosts.talk(found[0]).ask("hello")["errors"] == 0
    hosts.wait_until(lambda: len(list(Path(f"/proc/{host.pid}/task").iterdir())) == 2)


def test_the_user_can_keep_it_out(hosts: Any) -> None:
    """DSTOP_HOOK=0 means no, whichever way the hook comes."""
    host = hosts.start(DSTOP_HOOK="0")
    host.do(f"hook={{'__name__':'x'}}\nexec(open({str(hosts.hook_source)!r}).read(), hook)")
    assert host.value("hook['start']()") is None
    assert "DSTOP_HOOK=0" in host.value("hook['why_not']()")
    host.do("import dstop.pytorch.hook")
    assert host.value("'_dstop_hook' in __import__('sys').modules") is False


def test_a_line_of_code_is_enough(hosts: Any, tmp_path: Path) -> None:
    """`import dstop.pytorch.hook` starts it, in the directory that the environment names."""
    host = hosts.start(DSTOP_DIR=str(tmp_path / "d"))
    host.do("import dstop.pytorch.hook")
    (path,) = (tmp_path / "d").iterdir()
    assert hosts.talk(str(path)).ask("hello")["how"] == "import"


def test_sockets_lie_in_the_run_time_directory(hosts: Any, tmp_path: Path) -> None:
    """$XDG_RUNTIME_DIR/dstop where that exists, else /tmp/dstop-UID."""
    host = hosts.start(XDG_RUNTIME_DIR=str(tmp_path))
    host.do(f"hook={{'__name__':'x'}}\nexec(open({str(hosts.hook_source)!r}).read(), hook)")
    assert host.value("hook['default_directory']()") == f"{tmp_path}/dstop"
    host.do("import os; os.environ['XDG_RUNTIME_DIR'] = '/nowhere'")
    assert host.value("hook['default_directory']()") == f"/tmp/dstop-{os.geteuid()}"  # noqa: S108 - a name


def test_a_forked_child_has_no_hook(hosts: Any) -> None:
    """A DataLoader worker keeps neither socket, thread nor finder; its parent's is unharmed; it can have its own."""
    host = hosts.start()
    path = host.take_hook()
    wire = hosts.talk(path)
    wire.ask("ping")
    host.do(
        """
import os, sys
read, write = os.pipe()
child = os.fork()
if child == 0:
    import json
    fds = ["/proc/self/fd/" + n for n in os.listdir("/proc/self/fd")]
    links = [os.readlink(fd) for fd in fds if os.path.lexists(fd)]
    state = [sum(link.startswith("socket:") for link in links), "_dstop_hook" in sys.modules,
             sum(type(f).__name__ == "Finder" for f in sys.meta_path)]
    path = hook["start"](hook["default_directory"]() + "-test-%d" % os.getppid())
    os.unlink(path)
    os.rmdir(os.path.dirname(path))
    os.write(write, json.dumps([*state, path]).encode())
    os._exit(0)
said = os.read(read, 4096).decode()
status = os.waitpid(child, 0)[1]
"""
    )
    assert host.value("status") == 0
    sockets, has_hook, finders, child_path = host.value("__import__('json').loads(said)")
    assert (sockets, has_hook, finders) == (0, False, 0)
    assert child_path != path
    assert wire.ask("ping")["pid"] == host.pid
    assert Path(path).exists()


def test_signals_reach_the_main_thread(hosts: Any) -> None:
    """The hook's thread takes no signal: Ctrl-C interrupts the program as before."""
    host = hosts.start()
    hosts.talk(host.take_hook()).ask("ping")
    host.send("exec", "import time\nprint('asleep', flush=True)\ntime.sleep(600)")
    hosts.wait_until(lambda: "nanosleep" in Path(f"/proc/{host.pid}/wchan").read_text())
    os.kill(host.pid, signal.SIGINT)
    with pytest.raises(hosts.error, match="KeyboardInterrupt"):
        host._result()


def test_an_idle_hook_never_wakes_up(hosts: Any) -> None:
    """Between two requests its thread does not run once: only the requests themselves are seen."""
    host = hosts.start()
    wire = hosts.talk(host.take_hook())
    wire.ask("ping")
    hosts.wait_until(lambda: Path(f"/proc/{host.pid}/syscall").exists())
    first = wakeups(host.pid)
    host.do("import time; time.sleep(1.0)")
    assert wakeups(host.pid) - first <= 3


def test_a_hundred_visits_leave_no_trace(hosts: Any) -> None:
    """Threads, descriptors and finders are as before."""
    host = hosts.start()
    path = host.take_hook()
    hosts.talk(path).ask("detach")
    hosts.wait_until(lambda: not Path(path).exists())
    hosts.wait_until(lambda: len(list(Path(f"/proc/{host.pid}/task").iterdir())) == 1)
    before = descriptors(host.pid)
    for _ in range(100):
        wire = hosts.talk(host.take_hook())
        assert wire.ask("ping")["ok"]
        wire.ask("detach")
        wire.close()
    hosts.wait_until(lambda: len(list(Path(f"/proc/{host.pid}/task").iterdir())) == 1)
    hosts.wait_until(lambda: descriptors(host.pid) == before)
    assert host.value("[type(f).__name__ for f in __import__('sys').meta_path].count('Finder')") == 0


def test_the_text_can_travel(hosts: Any) -> None:
    """It is one file without NUL, of the syntax of Python 3.9, that imports the standard library alone."""
    import ast

    text = hosts.hook_source.read_text()
    assert "\0" not in text
    tree = ast.parse(text, feature_version=(3, 9))
    for node in ast.walk(tree):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        for name in names:
            assert name.split(".")[0] in sys.stdlib_module_names, name
            assert name not in {"threading", "asyncio", "subprocess", "logging"}
