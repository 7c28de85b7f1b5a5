"""What a bundle hides, and what it must not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dstop.doctor.redact_text import Redactor, redact_line


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("Authorization: Bearer abcdefghijklmnop1234567890", "abcdefghijklmnop"),
        ("HF_TOKEN=hf_abcdefghijklmnopqrstuvwxyz012345", "hf_abc"),
        ("--api-key sk-abcdefghijklmnopqrstuvwxyz0123456789", "sk-abc"),
        ('{"password": "hunter2hunter2"}', "hunter2"),
        ("git clone https://bob:s3cr3tpw@host/x.git", "s3cr3tpw"),
        ("GET /v1?token=abcdef0123456789abcdef", "abcdef0123456789"),
        ("AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY", "wJalr"),
        ("key AKIAIOSFODNN7EXAMPLE in use", "AKIAIOSF"),
        ("glpat-abcdefghij0123456789", "glpat-abc"),
        ("mail alice.smith@example.com about it", "alice.smith"),
        ("connect to 192.168.17.4:29500", "192.168.17.4"),
        ("File /home/alice/train.py", "alice"),
        ("C:\\Users\\alice\\train.py", "alice"),
    ],
)
def test_secrets_and_people_vanish(text, secret):
    """Tokens by their shape, values by their name, people in paths, addresses."""
    assert secret not in redact_line(text)


@pytest.mark.parametrize(
    "text",
    [
        "CUDA out of memory. Tried to allocate 10.81 MiB. GPU 0 has a total capacity of 22.05 GiB",
        "max_num_batched_tokens=8192 eos_token_id: 2 tokens/s 99123.4",
        "blk.0.token_embd.weight f16 256 MiB",
        "torch 2.7.1.post1 driver 570.86.15 NCCL version 2.27.5+cuda12.9",
        "listening on 127.0.0.1:8000 and 0.0.0.0:8000",
        "GPU-63756461-7369-6d2d-6465-766963650000 pid 4100 at 0000:b3:00.0",
        '  File "/opt/venv/lib/python3.11/site-packages/torch/optim/adamw.py", line 209, in step',
        "[rank3]: WorkNCCL(SeqNum=1580, OpType=ALLREDUCE, NumelIn=466119168, Timeout(ms)=600000)",
        "NVRM: Xid (PCI:0000:18:00): 79, pid=1234, GPU has fallen off the bus.",
    ],
)
def test_what_explains_a_crash_stays(text):
    """Figures, versions, libraries, buses, PIDs and ranks: without them the bundle explains nothing."""
    assert redact_line(text) == text


def test_one_person_has_one_name_throughout():
    """So that a reader can still tell two of them apart."""
    redactor = Redactor()
    first, second, third = (redactor.line(f"/home/{name}/x") for name in ("alice", "bob", "alice"))
    assert first == third != second


@given(st.text(max_size=300))
def test_any_line_is_redacted_and_stays_so(text):
    """Nothing is raised, and what is hidden once is not hidden again."""
    once = redact_line(text)
    assert redact_line(once) == once
    assert len(once) <= 20 * len(text) + 100
