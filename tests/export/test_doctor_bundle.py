"""A bundle explains the failure to a stranger, and tells the stranger nothing else."""

from __future__ import annotations

import io
import json
import re
import zipfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from dstop.doctor.diagnose import diagnose_logs
from dstop.doctor.rules import rule_of
from dstop.doctor.text.read import log_of_text
from dstop.doctor.text.values import LogLine, LogText
from dstop.export.doctor_bundle import LOGS_BYTES, MOST_INCIDENTS, MOST_LOGS, bundle_bytes
from dstop.export.incident_json import LONGEST
from dstop.model.diagnosis import Confidence, Diagnosis, Evidence, Report
from dstop.pytorch.incident.read import read_incident
from dstop.pytorch.incident.values import Exit, Incident, ThreadStack
from dstop.sources.procfs.redaction import REDACTED
from dstop.units import MIB

SECRET = "zq7XkP0vW2mB9"  # noqa: S105 - it opens nothing
NAME = "20261124T002756.300-29869-r3-oom"
CRASH = (
    f"launch: HF_TOKEN={SECRET} python /home/alice/train.py --api-key {SECRET} on 10.1.2.3 by alice@example.com\n"
    + (rule_of("DS201").fires[0])
)
TOLD = {
    "schema": 1,
    "at_ns": 1795480076300388802,
    "host": "node7",
    "pid": 29869,
    "name": "llama",
    "rank": 3,
    "cmdline": ["python", "/home/alice/train.py", "--hf-token", SECRET],
    "cwd": "/home/alice",
    "versions": {"torch": "2.7.1.post1"},
    "environment": {"RANK": "3", "WANDB_API_KEY": SECRET, "MASTER_ADDR": "10.1.2.3"},
    "thread": {"id": 7, "name": "MainThread"},
    "request": {
        "device": 0,
        "gpu_uuid": "GPU-1",
        "segment_bytes": 300,
        "total_bytes": 2000,
        "free_bytes": 10,
    },
    "devices": [{"index": 0, "uuid": "GPU-1", "stats": {"allocated_bytes": {"all": {"current": 5}}}}],
    "card": {
        "uuid": "GPU-1",
        "total_bytes": 2000,
        "processes": [{"pid": 1, "bytes": 2, "command": "python"}],
    },
    "threads": [
        {"id": 7, "name": "MainThread", "current": True, "frames": [["/home/alice/a.py", 4, "main"]]}
    ],
    "files": {"snapshot": "snapshot.pickle.gz", "output": "output.txt"},
    "took_ms": 3.5,
}


def _members(data):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        return {info.filename: archive.read(info).decode() for info in archive.infolist()}


def _bundle(text=CRASH, name="/home/alice/logs/crash.log", incidents=()):
    log = log_of_text(text, name)
    return _members(bundle_bytes(diagnose_logs([log]), [log], incidents))


def _incident(folder):
    """Write an incident with a snapshot and an output, and read it as dstop does."""
    folder.mkdir(parents=True)
    (folder / "incident.json").write_text(json.dumps(TOLD))
    (folder / "snapshot.pickle.gz").write_bytes(b"s" * 3 * MIB)
    (folder / "output.txt").write_text(f"step 10 loss 2.31\nlogin password={SECRET}\n\x1b[31mKilled\x1b[0m\n")
    return read_incident(folder)


def test_a_bundle_explains_itself_and_the_failure():
    """The report in three faces, the lines with their numbers, and a page that says what is what."""
    found = _bundle()
    assert sorted(found) == ["README.txt", "logs/00-crash.log.txt", "report.html", "report.json", "report.md"]
    assert json.loads(found["report.json"])["diagnoses"][0]["rule"] == "DS201"
    assert "8.70 GiB is reserved by PyTorch but unallocated" in found["logs/00-crash.log.txt"]
    assert re.search(r"^2 +\| torch\.OutOfMemoryError", found["logs/00-crash.log.txt"], re.MULTILINE)
    for name in set(found) - {"README.txt"}:
        assert name in found["README.txt"]


def test_nobody_and_no_secret_leaves_with_it():
    """In no file is the token, the person, the address."""
    found = _bundle()
    for text in found.values():
        for hidden in (SECRET, "alice", "10.1.2.3", "example.com"):
            assert hidden not in text
    log = found["logs/00-crash.log.txt"]
    assert (
        f"HF_TOKEN={REDACTED} python /home/<user1>/train.py --api-key {REDACTED} on <ip1> by <email1>" in log
    )
    assert "secrets, 2 times, shown as •••" in found["README.txt"]
    assert "IP addresses, once, shown as <ip1>" in found["README.txt"]


def test_the_report_itself_is_redacted():
    """Evidence quotes a log: a secret that it quotes goes, too, and its figures stay."""
    says = f"api_key={SECRET} tried 10.81 MiB"
    one = Diagnosis(
        rule="DS201",
        cause="fragmentation",
        title="t",
        confidence=Confidence.CERTAIN,
        evidence=(Evidence(source="/home/bob/x.log:3", says=says, value=5),),
        against=(f"password: {SECRET}",),
    )
    report = Report(
        diagnoses=(one,),
        facts={"tried_bytes": 7, "token": SECRET},
        sources=("/home/bob/x.log",),
        notes=(says,),
    )
    found = _members(bundle_bytes(report, [], []))
    told = json.loads(found["report.json"])
    assert all(SECRET not in text and "bob" not in text for text in found.values())
    assert told["diagnoses"][0]["evidence"] == [
        {"source": "/home/<user1>/x.log:3", "says": f"api_key={REDACTED} tried 10.81 MiB", "value": 5}
    ]
    assert told["facts"] == {"tried_bytes": 7, "token": REDACTED}
    assert told["diagnoses"][0]["confidence"] == "certain"


def test_an_incident_is_written_anew_and_can_be_read_again(tmp_path):
    """What dstop parsed is what it writes: secrets gone, figures there, and the snapshot left where it was."""
    incident = _incident(tmp_path / "home" / "alice" / NAME)
    found = _bundle(incidents=[incident])
    for name in ("incident.json", "output.txt"):
        path = tmp_path / "unpacked" / NAME / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(found[f"incidents/{NAME}/{name}"])
    again = read_incident(tmp_path / "unpacked" / NAME)
    for name in (
        "at_ns",
        "host",
        "pid",
        "rank",
        "run_name",
        "versions",
        "thread",
        "request",
        "devices",
        "card",
        "took_ms",
    ):
        assert getattr(again, name) == getattr(incident, name), name
    assert again.cmdline == ("python", "/home/<user1>/train.py", "--hf-token", REDACTED)
    assert again.environment == {"RANK": "3", "WANDB_API_KEY": REDACTED, "MASTER_ADDR": "<ip1>"}
    assert again.threads[0].frames == (("/home/<user1>/a.py", 4, "main"),)
    assert again.files == {"output": "output.txt"}
    assert found[f"incidents/{NAME}/output.txt"] == f"step 10 loss 2.31\nlogin password={REDACTED}\nKilled\n"
    assert f"the memory snapshot of {NAME} (3 MiB)" in found["README.txt"]
    assert "directory" not in json.loads(found[f"incidents/{NAME}/incident.json"])
    assert all(SECRET not in text and "alice" not in text for text in found.values())


def test_what_lies_beside_an_incident_is_left_out_when_it_is_no_text_of_ours(tmp_path):
    """A link out of the directory, and a file without end, are not followed; the page says what is missing."""
    folder = tmp_path / NAME
    incident = _incident(folder)
    (folder / "output.txt").unlink()
    (folder / "output.txt").symlink_to("/etc/hostname")
    found = _bundle(incidents=[incident])
    assert not any(name.endswith("output.txt") for name in found)
    assert f"the output of {NAME}" in found["README.txt"]
    gone = Incident(
        name=NAME, directory=tmp_path / "gone", kind="oom", files={"snapshot": "../../etc/passwd"}
    )
    assert f"the memory snapshot of {NAME}: " in _bundle(incidents=[gone])["README.txt"]


def test_the_same_input_gives_the_same_bytes():
    """Two bundles can be compared."""
    log = log_of_text(CRASH, "crash.log")
    first = bundle_bytes(diagnose_logs([log]), [log], [])
    assert bundle_bytes(diagnose_logs([log]), [log], []) == first
    with zipfile.ZipFile(io.BytesIO(first)) as archive:
        names = archive.namelist()
        assert names == sorted(names)
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_a_bundle_has_a_bound():
    """Of a log that is too long the beginning and the end stay; of too many things the first."""
    lines = tuple(LogLine(number=number, text=f"{number} " + "x" * 400) for number in range(1, 16_000))
    log = LogText(name="big.log", lines=lines, total_lines=20_000)
    found = _members(bundle_bytes(Report(facts={}), [log], []))
    text = found["logs/00-big.log.txt"]
    assert len(text) <= LOGS_BYTES + 1_000
    assert "\n1       | 1 xxx" in text
    assert "15999 xxx" in text
    assert "lines are left out here" in text
    many = [log_of_text("x", "a.log")] * (MOST_LOGS + 2)
    some = [Incident(name=NAME, directory=Path("/nowhere"), kind="oom")] * (MOST_INCIDENTS + 1)
    found = _members(bundle_bytes(Report(facts={}), many, some))
    assert len(found) == 4 + MOST_LOGS + MOST_INCIDENTS
    assert "2 of the logs: only the first 64 are kept" in found["README.txt"]
    assert "1 of the incidents" in found["README.txt"]


def test_a_huge_incident_loses_its_stacks_first():
    """Its request and its counters are worth more than the stacks of ten thousand threads."""
    frames = (("/a/" + "b" * 200, 1, "f"),) * 20
    threads = tuple(ThreadStack(id=number, frames=frames) for number in range(1_000))
    incident = Incident(
        name=NAME, directory=Path("/nowhere"), kind="oom", threads=threads, pid=7, took_ms=float("nan")
    )
    text = _bundle(incidents=[incident])[f"incidents/{NAME}/incident.json"]
    told = json.loads(text)
    assert len(text) <= LONGEST
    assert (told["pid"], told["threads"], told["took_ms"]) == (7, None, None)


def test_how_a_run_ended_is_in_it():
    """An exit has lines of the kernel, which name hosts and people as logs do."""
    ended = Exit(
        code=1,
        kernel_lines=("oom-kill: task=python,pid=7,uid=1000 cwd=/home/alice",),
        memory_events={"oom": 1},
    )
    incident = Incident(
        name="20261124T002756.300-7-exit", directory=Path("/nowhere"), kind="exit", exit=ended
    )
    told = json.loads(_bundle(incidents=[incident])["incidents/20261124T002756.300-7-exit/incident.json"])
    assert told["exit"]["kernel_lines"] == ["oom-kill: task=python,pid=7,uid=1000 cwd=/home/<user1>"]
    assert told["exit"]["memory_events"] == {"oom": 1}


NAMES = st.lists(
    st.sampled_from(
        ["..", "/", "\\", "C:", "a", ".log", " ", "\x00", "~", "-", "con", "\n", "é", "🙂", "a" * 90]
    )
    | st.text(max_size=3),
    max_size=6,
).map("".join)


@settings(max_examples=80, deadline=None)
@given(st.lists(NAMES, max_size=4))
def test_no_name_leaves_the_directory_where_it_is_unpacked(names):
    """Whatever a log or an incident is called, members are plain, distinct, and below their folder."""
    logs = [log_of_text("x", name) for name in names]
    incidents = [Incident(name=name, directory=Path("/nowhere"), kind="oom") for name in names]
    with zipfile.ZipFile(io.BytesIO(bundle_bytes(Report(facts={}), logs, incidents))) as archive:
        found = archive.namelist()
    assert len(found) == len(set(found)) == 4 + 2 * len(names)
    for name in found:
        *folders, last = name.removesuffix("/incident.json").split("/")
        assert folders in ([], ["logs"], ["incidents"])
        assert re.fullmatch(r"\d\d-\w[\w.-]*" if folders else r"[\w.]+", last, re.ASCII)
        assert len(name) < 100


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=200), st.text(max_size=40))
def test_any_text_can_be_packed(text, name):
    """No log, fact or name makes it fail, lone surrogates included."""
    report = Report(facts={name: text, "x": float("inf")}, notes=(text,), sources=(name,))
    log = LogText(name=name, lines=(LogLine(number=None, text=text),), notes=(text,))
    found = _members(bundle_bytes(report, [log], []))
    assert json.loads(found["report.json"])["schema"] == 1


def test_the_lines_of_a_bundle_still_tell_what_happened():
    """Whoever gets the bundle can ask dstop again, and hears the same."""
    text = _bundle()["logs/00-crash.log.txt"]
    again = diagnose_logs([log_of_text(text, "bundle.txt")])
    assert again.diagnoses[0].rule == "DS201"
    assert again.facts == diagnose_logs([log_of_text(CRASH, "crash.log")]).facts
