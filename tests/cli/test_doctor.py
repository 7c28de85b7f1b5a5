"""`dstop doctor` and `dstop explain` as a user types them."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

from dstop.cli.doctor import seconds_of
from dstop.doctor.rules import RULES
from dstop.errors import UsageError

CRASH = (
    "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 996.00 MiB. GPU 0 has a total capacity of 44.43 GiB of"
    " which 120.50 MiB is free. Process 2102129 has 37.54 GiB memory in use. Including non-PyTorch memory, this process has"
    " 6.81 GiB memory in use. Of the allocated memory 6.24 GiB is allocated by PyTorch, and 59.88 MiB is reserved by PyTorch"
    " but unallocated.\n"
)


@pytest.fixture
def nowhere(monkeypatch, tmp_path):
    """Stand in an empty folder, with no incidents anywhere, and a terminal for input."""
    monkeypatch.chdir(tmp_path)
    for name in ("DSTOP_INCIDENTS", "DSTOP_DIR", "XDG_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "empty"))
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: True))
    return tmp_path


def test_a_log_gives_cause_proof_and_fixes(dstop, tmp_path):
    """The exit code says that there is a finding; every figure has its place."""
    log = tmp_path / "crash.log"
    log.write_text(CRASH)
    said = dstop("doctor", str(log))
    assert said.code == 3
    assert "Somebody else holds 37.54 GiB of this card" in said.out
    assert f"{log}:1:" in said.out
    assert "kill 2102129" in said.out
    assert "\x1b" not in said.out


def test_json_keeps_the_contract(dstop, tmp_path):
    """Keys as house and README name them; the balance in bytes; best first."""
    log = tmp_path / "crash.log"
    log.write_text(CRASH)
    said = dstop("doctor", str(log), "--json")
    report = json.loads(said.out)
    assert said.code == 3
    assert report["schema"] == 1
    first = report["diagnoses"][0]
    assert (first["cause"], first["rule"], first["confidence"]) == ("other_process", "DS401", "certain")
    assert set(first["evidence"][0]) == {"source", "says", "value"}
    assert set(first["fixes"][0]) == {"id", "title", "command", "recovers_bytes", "short_bytes", "cost"}
    assert first["balance"]["others_bytes"] == round(37.54 * 2**30)
    assert report["facts"]["tried_bytes"] == 996 * 2**20
    assert report["facts"]["process_bytes"] == round(6.81 * 2**30)


def test_what_goes_to_an_issue_tracker_names_nobody(dstop, tmp_path):
    """Figures stay; people in paths do not."""
    log = tmp_path / "crash.log"
    log.write_text('  File "/home/alice/train.py", line 3, in forward\n' + CRASH)
    said = dstop("doctor", str(log), "--markdown")
    assert said.code == 3
    assert "37.54 GiB" in said.out
    assert "alice" not in said.out


def test_a_clean_log_is_no_finding(dstop, tmp_path):
    """No diagnosis, exit 0, and what was read is named."""
    log = tmp_path / "fine.log"
    log.write_text("step 1 loss 2.0\nstep 2 loss 1.9\ndone\n")
    said = dstop("doctor", str(log))
    assert said.code == 0
    assert "No failure that dstop knows was found" in said.out
    assert "fine.log" in said.out
    assert json.loads(dstop("doctor", str(log), "--json").out)["diagnoses"] == []


def test_what_is_piped_in_is_read(dstop, monkeypatch):
    """`-` names standard input."""
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(CRASH.encode())))
    said = dstop("doctor", "-")
    assert said.code == 3
    assert "standard input:1:" in said.out


def _piped(text, folder, *, closes):
    """Run without naming a log, with a pipe for standard input."""
    child = subprocess.Popen(
        [sys.executable, "-m", "dstop", "doctor", "--no-kernel", "--json"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=folder,
        text=True,
        env=os.environ | {"DSTOP_INCIDENTS": str(folder / "i"), "XDG_RUNTIME_DIR": str(folder)},
    )
    if text:
        child.stdin.write(text)
        child.stdin.flush()
    if closes:
        child.stdin.close()
        child.stdin = None
        out, _ = child.communicate(timeout=60)
    else:
        out = child.stdout.read()
        child.communicate(timeout=60)
    return json.loads(out)


def test_a_pipe_is_read_unasked(tmp_path):
    """`kubectl logs pod | dstop doctor` needs no `-` where the log is there."""
    assert _piped(CRASH, tmp_path, closes=True)["sources"] == ["standard input"]


@pytest.mark.parametrize("closes", [True, False])
def test_a_pipe_that_gives_nothing_is_no_log(tmp_path, closes):
    """Over ssh standard input stays open and says nothing: what lies nearby is looked at, and nothing hangs."""
    assert "standard input" not in _piped("", tmp_path, closes=closes)["sources"]


def test_several_logs_are_one_case(dstop, tmp_path):
    """One log a rank: the failure of one explains the timeout of the others."""
    (tmp_path / "rank0.log").write_text("[rank0]: fine so far\n")
    (tmp_path / "rank1.log").write_text("[rank1]: " + CRASH)
    said = dstop("doctor", str(tmp_path / "rank0.log"), str(tmp_path / "rank1.log"), "--json")
    report = json.loads(said.out)
    assert report["diagnoses"][0]["rank"] == 1
    assert len(report["sources"]) == 2


def test_the_jobs_own_log_is_found(dstop, nowhere):
    """Nothing is named: the newest log here is read."""
    (nowhere / "slurm-4242.out").write_text(CRASH)
    said = dstop("doctor", "--no-kernel")
    assert said.code == 3
    assert "slurm-4242.out:1:" in said.out


@pytest.mark.usefixtures("nowhere")
def test_nothing_anywhere(dstop):
    """An empty folder is no finding and no error."""
    said = dstop("doctor", "--no-kernel")
    assert (said.code, said.err) == (0, "")


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("nothing-there.log",), 1, "nothing-there.log"),
        (("/",), 1, "directory"),
        (("--since", "soon"), 2, "no age"),
        (("--environment", "x.log"), 2, "--environment"),
        (("2000000",), 1, "no process 2000000"),
    ],
)
@pytest.mark.usefixtures("nowhere")
def test_what_cannot_be_done_is_one_line(dstop, words, code, says):
    """Each names what is wrong and what to do."""
    said = dstop("doctor", *words)
    assert (said.code, said.out) == (code, "")
    assert says in said.err
    assert said.err.count("\n") == 1


@pytest.mark.parametrize(
    ("text", "seconds"), [("90m", 5400), ("6h", 21600), ("2d", 172800), (" 1.5 H ", 5400), ("1w", 604800)]
)
def test_ages(text, seconds):
    """As people write them."""
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "5", "h", "-1h", "1y", "1h30m", "9" * 40 + "h"])
def test_what_is_no_age(text):
    """Anything else is refused."""
    with pytest.raises(UsageError):
        seconds_of(text)


def test_a_running_process_is_diagnosed_by_its_log(dstop, nowhere):
    """What its standard error goes to is its own log."""
    log = nowhere / "job.err"
    with log.open("w") as errors:
        child = subprocess.Popen(
            [
                sys.executable,
                "-c",
                f"import sys, time; print({CRASH!r}, file=sys.stderr, flush=True); time.sleep(60)",
            ],
            stderr=errors,
            stdout=subprocess.PIPE,
        )
    try:
        while not log.read_text():
            pass
        said = dstop("doctor", str(child.pid), "--no-kernel")
    finally:
        child.kill()
        child.communicate()
    assert said.code == 3
    assert "job.err:1:" in said.out


def test_explain_prints_the_page(dstop):
    """By number, by name, and by cause; the same text as in the rule's file."""
    page = dstop("explain", "DS201")
    assert page.code == 0
    assert "When it is wrong" in page.out
    assert dstop("explain", "fragmented-cache").out == page.out
    assert page.out in dstop("explain", "fragmentation").out


def test_explain_lists_every_rule(dstop):
    """The catalogue has a line for each; as JSON also its page."""
    said = dstop("explain")
    for rule in RULES:
        assert f"{rule.id}  {rule.name}" in said.out
    rows = json.loads(dstop("explain", "--json").out)["rules"]
    assert {row["rule"] for row in rows} == {rule.id for rule in RULES}


def test_explain_knows_no_other_rule(dstop):
    """A wrong name is wrong usage."""
    said = dstop("explain", "DS999999")
    assert (said.code, said.out) == (2, "")
    assert "dstop explain lists them all" in said.err


def test_the_doctor_loads_neither_the_screen_nor_torch(tmp_path):
    """A small log is answered before anybody looks up."""
    log = tmp_path / "crash.log"
    log.write_text(CRASH)
    code = (
        "import sys; from dstop.cli.program import run; code = run(['doctor', sys.argv[1]]);"
        " heavy = {'textual', 'torch', 'rich', 'pynvml', 'psutil', 'asyncio', 'multiprocessing', 'numpy'} & set(sys.modules);"
        " assert code == 3, code; assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code, str(log)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
