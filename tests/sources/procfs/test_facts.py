"""What does not change while a process lives."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from dstop.sources.procfs.environment import (
    ANOTHER_USER,
    LARGEST_BYTES,
    NONE,
    parse_environ,
    read_environment,
)
from dstop.sources.procfs.facts import LARGEST_CMDLINE_BYTES, read_cmdline, read_facts, user_name

if TYPE_CHECKING:
    from conftest import Live, Tree

HEX = "3f2a1b9c0d4e5f60718293a4b5c6d7e8f90123456789abcdef0123456789abcd"


def test_all_facts_of_a_rank(tree: Tree) -> None:
    """One rank of a torchrun job in a container has everything a row shows."""
    tree.add(
        42,
        "python",
        "-u",
        "train.py",
        "--model_name_or_path",
        "org/m",
        environ={"RANK": "3", "LOCAL_RANK": "3", "WORLD_SIZE": "8", "TORCHELASTIC_RUN_ID": "r1"},
        cgroup=f"0::/system.slice/docker-{HEX}.scope\n",
        nspid="42 17",
        ppid=7,
        start=150,
    )
    facts = read_facts(42, tree.root)
    assert (facts.pid, facts.ppid, facts.inner_pid, facts.started_at_s) == (42, 7, 17, 1700000001.5)
    assert (facts.uid, facts.user) == (os.getuid(), pwd.getpwuid(os.getuid()).pw_name)
    assert (facts.command, facts.container) == ("train.py", "docker:3f2a1b9c0d4e")
    assert (facts.rank, facts.local_rank, facts.world_size, facts.job) == (3, 3, 8, "r1")
    assert (facts.framework, facts.model) == ("pytorch", "org/m")
    assert facts.unavailable == {}


def test_no_secret_gets_into_the_facts(tree: Tree) -> None:
    """A token on the command line is gone before the facts are made."""
    tree.add(42, "vllm", "serve", "org/m", "--api-key", "s3cr3tvalue")
    assert "s3cr3tvalue" not in repr(read_facts(42, tree.root))


def test_a_process_that_is_gone_says_so(tree: Tree) -> None:
    """Nothing is made up for a number nobody has."""
    facts = read_facts(4711, tree.root)
    assert (facts.command, facts.started_at_s, facts.unavailable) == (None, None, {"command": "gone"})


def test_a_zombie_is_called_by_its_short_name(tree: Tree) -> None:
    """A process without a command line keeps the kernel's name for it, and says why there is no line."""
    tree.add(42, comm="python3", state="Z")
    facts = read_facts(42, tree.root)
    assert (facts.command, facts.cmdline) == ("python3", ())
    assert "cmdline" in facts.unavailable


def test_a_process_that_ends_under_the_reader_is_half_known(tree: Tree) -> None:
    """Files that vanish between two reads leave reasons, not exceptions."""
    folder = tree.add(42, "python", "x.py")
    for name in ("cmdline", "environ", "cgroup", "status"):
        (folder / name).unlink()
    facts = read_facts(42, tree.root)
    assert facts.unavailable["cmdline"] == "gone"
    assert facts.unavailable["rank"] == "the process is gone"
    assert facts.command == "python"


def test_command_lines_are_bounded_and_clean(tree: Tree) -> None:
    """Megabytes, escape sequences and broken UTF-8 become a bounded, printable line."""
    folder = tree.add(42)
    (folder / "cmdline").write_bytes(b"a\x1b[31m\0\xff\xfe\0b\nc\xe2\x80\xae\0" + b"x" * (1 << 20))
    words = read_cmdline(42, tree.root)
    assert words[0] == "a [31m"
    assert words[2] == "b c "
    assert all(word.isprintable() for word in words)
    assert sum(len(word) + 1 for word in words) <= LARGEST_CMDLINE_BYTES + 1


def test_a_title_padded_with_zeros_is_one_word(tree: Tree) -> None:
    """A setproctitle leaves zeros behind the name."""
    folder = tree.add(42)
    (folder / "cmdline").write_bytes(b"VLLM::Worker_TP3" + b"\0" * 200)
    facts = read_facts(42, tree.root)
    assert (facts.cmdline, facts.framework, facts.rank) == (("VLLM::Worker_TP3",), "vLLM", 3)


def test_facts_of_a_live_process(live: Live) -> None:
    """A real process' arguments and environment are read from the kernel."""
    code = "import sys; sys.stdin.read()"
    pid = live.python(code, "--hf-token", "abc", environ={"RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "h"})
    facts = read_facts(pid)
    assert facts.ppid == os.getpid()
    assert facts.cmdline[1:] == ("-c", code, "--hf-token", "••• (redacted)")
    assert (facts.rank, facts.world_size, facts.job) == (1, 2, f"pid:{os.getpid()}")


def test_an_unknown_user_is_a_number() -> None:
    """A user of a container that the host does not know is shown by number."""
    assert user_name(4_000_123_456) == "4000123456"


def test_the_environment_of_a_live_process(live: Live) -> None:
    """Names and values are those it was started with."""
    pid = live.python("import sys; sys.stdin.read()", environ={"A": "1=2", "EMPTY": ""})
    found = read_environment(pid)
    assert found.values is not None
    assert (found.values["A"], found.values["EMPTY"], found.reason) == ("1=2", "", None)


def test_environments_are_bounded(tree: Tree) -> None:
    """A quarter of a megabyte is read, not more."""
    folder = tree.add(42)
    (folder / "environ").write_bytes(b"A=" + b"x" * (1 << 20))
    values = read_environment(42, tree.root).values
    assert values is not None
    assert len(values["A"]) == LARGEST_BYTES - 2


def test_what_is_no_pair_is_left_out() -> None:
    """Garbage in an environment hides no variable, and the first of two counts, as for getenv(3)."""
    assert parse_environ(b"x\0=y\0A=1\0A=2\0\xff=\x1b\0") == {"A": "1", "\ufffd": " "}


@pytest.mark.usefixtures("no_root")
def test_our_own_protected_environment_has_a_reason(tree: Tree) -> None:
    """What the kernel refuses is None with the reason, and the row stays."""
    (tree.add(42, "python", "x.py") / "environ").chmod(0)
    assert read_facts(42, tree.root).unavailable["rank"] == "environment refused: the process protects itself"


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_a_stranger_is_told_who_could_read_it() -> None:
    """Asking as nobody for root's environment gives the reason, in a process of its own."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:  # pragma: no cover - another process
        try:
            os.setgid(65534)
            os.setuid(65534)
            facts = read_facts(os.getppid())
            os.write(write, f"{facts.rank} {facts.unavailable.get('rank')}|{facts.command}".encode())
        finally:
            os._exit(0)
    os.close(write)
    os.waitpid(child, 0)
    said = os.read(read, 4096).decode()
    os.close(read)
    assert said.startswith(f"None {ANOTHER_USER}|")
    assert not said.endswith(("|", "|None"))


def test_a_zombie_is_not_gone() -> None:
    """Its row stays until its parent asks for it, and the reason that it has no environment is its own."""
    child = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    before = read_environment(child.pid)
    child.wait()
    assert before.reason == NONE or before.values == {}
    assert before.reason != "the process is gone"
    assert read_environment(child.pid).reason == "the process is gone"
