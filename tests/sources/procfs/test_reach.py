"""What can be reached of a real process: its own files, and never more than it could read itself."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dstop.model.guest import ProcessId
from dstop.sources.procfs.facts import read_facts
from dstop.sources.procfs.reach import HostReach


@pytest.fixture
def child(tmp_path):
    """Give the identity of a process that sits in a folder with one file, and waits."""
    (tmp_path / "config.json").write_text('{"model_type": "llama"}')
    process = subprocess.Popen(
        [sys.executable, "-c", "import sys; print(); sys.stdin.read()"],
        cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, "DSTOP_TEST_WORD": "here"},
    )  # fmt: skip
    process.stdout.readline()
    facts = read_facts(process.pid)
    yield ProcessId(facts.pid, facts.started_at_s)
    process.stdin.close()
    process.stdout.close()
    process.wait()


def test_a_path_is_the_processes_own(child, tmp_path):
    """Relative to where it sits, or absolute in its own root; no more than was asked for."""
    reach = HostReach()
    assert reach.read(child, "config.json", 1000) == b'{"model_type": "llama"}'
    assert reach.read(child, f"{tmp_path}/config.json", 4) == b'{"mo'


def test_its_environment_and_its_parents_are_told(child):
    """Who started it, nearest first, and what it was started with."""
    reach = HostReach()
    assert reach.environ(child)["DSTOP_TEST_WORD"] == "here"
    assert any("pytest" in " ".join(words) for words in reach.parents(child))


def test_another_process_with_its_number_is_not_read(child):
    """The PID alone is nobody."""
    other = ProcessId(child.pid, 1.0)
    reach = HostReach()
    assert reach.parents(other) == ()
    assert reach.environ(other) == {}
    with pytest.raises(ProcessLookupError):
        reach.read(other, "config.json", 10)


def test_what_is_no_plain_file_is_refused_at_once(child, tmp_path):
    """A pipe that nobody writes to would be waited for forever."""
    os.mkfifo(tmp_path / "pipe")
    for path in ("pipe", ".", "missing", "a\0b", "/dev/zero"):
        with pytest.raises(OSError):  # noqa: PT011 - of any kind: what matters is that it comes back
            HostReach().read(child, path, 10)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a process to somebody else")
def test_a_link_to_what_only_others_may_read_is_not_followed(tmp_path):
    """For dstop may be root: a process that points to a secret does not have it read."""
    secret = tmp_path / "secret"
    secret.write_text('{"model_type": "x"}')
    secret.chmod(0o600)
    folder = tmp_path / "4242"
    (folder / "cwd").mkdir(parents=True)
    (folder / "cwd" / "config.json").symlink_to(secret)
    own = Path("/proc/self/stat").read_bytes()
    (folder / "stat").write_bytes(b"4242" + own[own.index(b" ") :])
    os.chown(folder, 12_345, 12_345)
    reach = HostReach(str(tmp_path))
    with pytest.raises(PermissionError):
        reach.read(ProcessId(4242, None), "config.json", 100)
    secret.chmod(0o644)
    assert reach.read(ProcessId(4242, None), "config.json", 100) == b'{"model_type": "x"}'
