"""The faces of a report that leave the machine: Markdown, a page, a bundle; nothing from outside is more than text in them."""

from __future__ import annotations

import html.parser
import io
import json
import re
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dstop.doctor.diagnose import diagnose, diagnose_logs
from dstop.doctor.sources.incidents import case_of_incidents
from dstop.doctor.text.read import log_of_text
from dstop.export.doctor_bundle import bundle_bytes
from dstop.export.doctor_html import report_html
from dstop.export.doctor_markdown import code, escaped, report_markdown
from dstop.model.diagnosis import Balance, Confidence, Diagnosis, Evidence, Fix, Report
from dstop.pytorch.incident.values import Incident
from dstop.units import GIB

CRASH = (
    "[rank0]: torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 996.00 MiB. GPU 0 has a total capacity of"
    " 44.43 GiB of which 120.50 MiB is free. Process 2102129 has 37.54 GiB memory in use. Including non-PyTorch memory,"
    " this process has 6.81 GiB memory in use. Of the allocated memory 6.24 GiB is allocated by PyTorch, and 59.88 MiB is"
    " reserved by PyTorch but unallocated.\n"
    "File /home/alice/train.py with HF_TOKEN=hf_abcdefghijklmnopqrstuvwxyz012345 on 10.1.2.3\n"
)
HOSTILE = st.one_of(
    st.text(max_size=60),
    st.sampled_from(
        [
            "<script>alert(1)</script>",
            '"><img src=x onerror=alert(1)>',
            "</style><script>x</script>",
            "javascript:alert(1)",
            "&lt;b&gt;",
            "`` ``` ` |",
            "@everyone #1 https://x",
            "[a](http://b)",
            "\n## no heading\n",
            "</summary></details>",
        ]
    ),
).map(lambda text: text or "x")


def report_of(text):
    """Make a report whose every text is this one."""
    one = Diagnosis(
        rule="DS201",
        cause=text,
        subcause=text,
        title=text,
        confidence=Confidence.LIKELY,
        evidence=(Evidence(source=text, says=text, value=text),),
        against=(text,),
        balance=Balance(total_bytes=8 * GIB, allocated_bytes=6 * GIB, free_bytes=GIB, tried_bytes=2 * GIB),
        fixes=(Fix(id="a", title=text, command=text, recovers_bytes=GIB, short_bytes=GIB, cost=text),),
        phase=text,
    )
    return Report(diagnoses=(one, one), facts={"framework": text}, sources=(text,), notes=(text,))


class _Tags(html.parser.HTMLParser):
    """Collects what a browser would see as elements."""

    def __init__(self):
        super().__init__()
        self.seen = []
        self.attributes = []

    def handle_starttag(self, tag, attrs):
        """Note the element and its attributes."""
        self.seen.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]


def tags(page):
    """Give the elements of a page in their order."""
    parser = _Tags()
    parser.feed(page)
    return parser


@given(HOSTILE)
def test_no_text_becomes_an_element_or_an_attribute(text):
    """The page of hostile texts has just the elements and attributes that a plain one has."""
    plain, hostile = tags(report_html(report_of("plain"))), tags(report_html(report_of(text)))
    assert hostile.seen == plain.seen
    assert [(tag, name) for tag, name, _ in hostile.attributes] == [
        (tag, name) for tag, name, _ in plain.attributes
    ]


def test_the_page_needs_no_network_and_allows_none():
    """No address is fetched; the policy names the page's own style and script by their hash, and nothing else."""
    page = report_html(diagnose_logs([log_of_text(CRASH, "crash.log")]))
    for tag, name, value in tags(page).attributes:
        assert name not in {"src", "href", "onclick", "style"}, (tag, name, value)
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page)[1]
    assert policy.startswith("default-src &#x27;none&#x27;; style-src &#x27;sha256-")
    assert "unsafe" not in policy
    assert "37.54 GiB" in page
    assert "kill 2102129" in page
    assert "When it is wrong" in page


def test_a_page_of_nothing():
    """Without a finding there is a page that says so."""
    assert "No failure that dstop knows was found" in report_html(Report(facts={}))
    assert "No failure that dstop knows was found" in report_markdown(Report(facts={}))


@given(HOSTILE)
def test_no_text_is_markup_in_an_issue(text):
    """Neither headings, nor tables, nor mentions, nor elements come from outside."""
    lines = report_markdown(report_of(text)).splitlines()
    headings = [line for line in lines if line.startswith("#")]
    assert len(headings) == 2
    assert sum(line.startswith("<details>") for line in lines) == 1
    assert len([line for line in lines if line.startswith("|---")]) == 3
    assert not re.search(r"(?<!`)[@#]\w", escaped(text))


@pytest.mark.parametrize("text", ["", "`", "a`b", "``", "a|b", "x" * 50])
def test_code_is_code_whatever_is_in_it(text):
    """The fence is longer than any run of backticks within."""
    shown = code(text)
    fence = re.match(r"`+", shown)[0]
    assert shown.endswith(fence)
    assert fence not in shown[len(fence) : -len(fence)].strip()


def members(packed):
    """Open a bundle."""
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        return {info.filename: archive.read(info).decode() for info in archive.infolist()}


def test_a_bundle_has_the_report_and_the_lines_without_secrets():
    """Figures stay; tokens, people and addresses go, in every member."""
    log = log_of_text(CRASH, "/home/alice/logs/crash.log")
    packed = bundle_bytes(diagnose_logs([log]), [log], [])
    found = members(packed)
    assert set(found) == {"README.txt", "report.html", "report.json", "report.md", "logs/00-crash.log.txt"}
    for name, text in found.items():
        assert "hf_abc" not in text, name
        assert "alice" not in text, name
        assert "10.1.2.3" not in text, name
    assert "37.54 GiB" in found["logs/00-crash.log.txt"]
    assert json.loads(found["report.json"])["diagnoses"][0]["cause"] == "other_process"
    assert packed == bundle_bytes(diagnose_logs([log]), [log], [])


def test_a_private_key_goes_whole():
    """From its first line to its last."""
    text = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\nBKcwggSjAgEAAoIBAQC7\n-----END PRIVATE KEY-----\nloss 1.0\n"
    log = log_of_text(text, "x.log")
    shown = members(bundle_bytes(diagnose_logs([log]), [log], []))["logs/00-x.log.txt"]
    assert "MIIE" not in shown
    assert "BKcw" not in shown
    assert "loss 1.0" in shown


def test_an_incident_is_written_anew():
    """What was understood of it, with its texts redacted; not the file that somebody left."""
    incident = Incident(
        name="20261124T002756.300-7-oom",
        directory=Path("/home/alice/.local/state/dstop/incidents/20261124T002756.300-7-oom"),
        kind="oom",
        cmdline=("python", "/home/alice/train.py"),
        environment={"NCCL_SOCKET_IFNAME": "eth0"},
    )
    found = members(bundle_bytes(diagnose(case_of_incidents([incident])), [], [incident]))
    record = json.loads(found["incidents/00-20261124T002756.300-7-oom.json"])
    assert record["environment"] == {"NCCL_SOCKET_IFNAME": "eth0"}
    assert "alice" not in json.dumps(record)


@given(st.text(max_size=80))
def test_names_of_members_are_names(name):
    """Neither a path, nor a way up, nor anything that a file system would trip over."""
    log = log_of_text("x\n", name)
    for member in members(bundle_bytes(Report(facts={}), [log], [])):
        assert ".." not in member.split("/")
        assert re.fullmatch(r"[A-Za-z0-9._/-]+", member)
