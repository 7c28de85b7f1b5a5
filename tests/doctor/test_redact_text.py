"""No secret and no person leaves with a log, and what explains the failure stays in it."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dstop.doctor.redact_text import Redactor, redact_line
from dstop.sources.procfs.redaction import REDACTED

SECRET = "zq7XkP0vW2mB9"  # noqa: S105 - it opens nothing
HF = "hf_" + "aBcDeFgHiJkLmNoPqRsTuVwXyZaBcDeFgH"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJlc2ln"


@pytest.mark.parametrize(
    "text",
    [
        HF,
        f"login('{HF}')",
        f"rank0-{HF}: ready",
        "sk-proj-AbCdEf1234567890abcdef",
        "key sk-ant-api03-AbCdEf1234567890abcdef used",
        "ghp_abcDEF123456789012345678",
        "github_pat_11ABCDEFG0abcdefghij_klmnopqrstuvw",
        "glpat-AbCdEf1234567890abcd",
        "xoxb-1234567890-abcdefGHIJ",
        "AKIAIOSFODNN7EXAMPLE",
        "ASIAIOSFODNN7EXAMPLE",
        "nvapi-AbCdEf1234567890abcdefGHIJ",
        "AIzaSyA-1234567890abcdefghijklmnopqrstu",
        JWT,
        f"id={JWT};",
    ],
)
def test_well_known_tokens_vanish(text: str) -> None:
    """A token is a token wherever it stands."""
    shown = redact_line(text)
    assert REDACTED in shown
    longest = max(text.replace("'", " ").replace(";", " ").replace("=", " ").split(), key=len)
    assert longest[-12:].rstrip(")") not in shown


@pytest.mark.parametrize(
    "text",
    [
        f"HF_TOKEN={SECRET}",
        f"export WANDB_API_KEY={SECRET}",
        f"docker run -e HF_TOKEN={SECRET} image",
        f"--api-key {SECRET} --tp 8",
        f"--api-key={SECRET} --tp 8",
        f"--password '{SECRET} {SECRET}' --tp 8",
        f"['--hf-token', '{SECRET}', '--tp', '8']",
        f'{{"password": "{SECRET}", "n": 1}}',
        f'{{"password":"{SECRET}"}}',
        f"{{'api_key': '{SECRET}'}}",
        f'{{\\"api_key\\": \\"{SECRET}\\", \\"n\\": 1}}',
        f"api_key: {SECRET}",
        f"token = {SECRET}",
        f"password=b'{SECRET}'",
        f"config.auth.password={SECRET}",
        f"Authorization: Bearer {SECRET}",
        f'"Authorization": "Bearer {SECRET}"',
        f'{{\\"Authorization\\": \\"Bearer {SECRET}\\"}}',
        f"authorization: Basic {SECRET}==",
        f"Authorization: {SECRET}",
        f'Authorization: Digest username="x", response="{SECRET}"',
        f"X-Authorization: Bearer {SECRET}",
        f"X-Api-Key: {SECRET}",
        f"sending Bearer {SECRET} to the server",
        f"Cookie: a=b; session={SECRET}; c=d",
        f"postgres://me:{SECRET}@db:5432/x",
        f"https://me:p@{SECRET}@host/x",
        f"https://{SECRET}@github.com/x",
        f"https://host/path?a=1&token={SECRET}&b=2",
        f"https://host/path?sig={SECRET}",
        f"https://h/f?X-Amz-Signature={SECRET}&X-Amz-Expires=60",
        f"https://host/token={SECRET}",
        f"https://hooks.slack.com/services/T0/B0/{SECRET}",
        f"Server=h;Password={SECRET};User=u",
        f"password=ab,{SECRET}",
        "password=7382910",
        f"-----BEGIN RSA PRIVATE KEY----- {SECRET}",
        f"my pass: {SECRET}",
        f"netrc password = {SECRET}",
    ],
)
def test_named_secrets_vanish(text: str) -> None:
    """Settings, options, JSON, headers, URLs: the value goes, the name stays."""
    shown = redact_line(text)
    assert SECRET not in shown
    assert "7382910" not in shown
    assert REDACTED in shown


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("File /home/alice/proj/train.py", "File /home/<user1>/proj/train.py"),
        ("/Users/alice/x /home/alice/y /home/bob/z", "/Users/<user1>/x /home/<user1>/y /home/<user2>/z"),
        (r"C:\Users\Alice B\x", r"C:\Users\<user1> B\x"),
        (r'"C:\\Users\\alice\\x"', r'"C:\\Users\\<user1>\\x"'),
        ("USER=alice SLURM_JOB_USER=alice", "USER=<user1> SLURM_JOB_USER=<user1>"),
        ("alice@gpu01:~/x$ python", "<user1>@gpu01:~/x$ python"),
        ("[alice@gpu01 x]$ python", "[<user1>@gpu01 x]$ python"),
        ("mail alice.b+c@mail.example.com.", "mail <email1>."),
        ("tcp://10.1.2.3:29500", "tcp://<ip1>:29500"),
        ("rank 0:10.1.2.3:29500", "rank 0:<ip1>:29500"),
        ("worker-10.1.2.3: up", "worker-<ip1>: up"),
        ("from 10.1.2.3 to 10.1.2.4, 10.1.2.3.", "from <ip1> to <ip2>, <ip1>."),
        ("ip-10-1-2-3.ec2.internal 10.1.2.3", "ip-<ip1>.ec2.internal <ip1>"),
        ("[2001:db8::1]:29500", "[<ip1>]:29500"),
        ("fe80::42:acff:fe11:2%eth0 and 2001:db8:0:0:0:0:0:1: up", "<ip1>%eth0 and <ip2>: up"),
        ("::ffff:10.1.2.3", "<ip1>"),
        ("ether 02:42:ac:11:00:02 txqueuelen", "ether <mac1> txqueuelen"),
        ("https://me:pw@host/x?a=1", f"https://{REDACTED}@host/x?a=1"),
        ("a?token=abc&b=2", f"a?token={REDACTED}&b=2"),
        ("--hf-token abc --tp 8", f"--hf-token {REDACTED} --tp 8"),
        ("Authorization: Bearer abc, x=1", f"Authorization: Bearer {REDACTED}, x=1"),
        ('{"token": "abc", "n": 1}', f'{{"token": "{REDACTED}", "n": 1}}'),
    ],
)
def test_only_what_is_secret_goes(before: str, after: str) -> None:
    """What stands around it stays, and the same person or address has the same number."""
    assert redact_line(before) == after


USEFUL = """\
torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 1.50 GiB. GPU 0 has a total capacity of 39.39 GiB of which 300.50 MiB is free.
Process 4242 has 10.81 MiB memory in use. Including non-PyTorch memory, this process has 39.08 GiB memory in use.
Of the allocated memory 29.80 GiB is allocated by PyTorch, with 2.10 GiB allocated in private pools (e.g., CUDA Graphs)
tokens=8192 max_tokens=4096 num_tokens: 12 max_num_batched_tokens=8192
eos_token_id: 2
"eos_token_id": 2, "bos_token": "<s>", "pad_token": null
--max-num-batched-tokens 8192 --eos-token </s>
token_embd.weight: [4096, 32000, 1, 1]
llama_model_loader: - tensor 0: token_embd.weight q4_K [ 4096, 32000 ]
token_dispatcher=alltoall moe_token_dispatcher_type=alltoall
10.81 MiB
torch==2.7.1.post1 and 2.7.1.post1, triton 3.3.1, driver 575.57.08
nvidia-cudnn-cu12==9.1.0.70
nvidia-cudnn-cu12        9.1.0.70
nvidia_cublas_cu12-12.4.5.8-py3-none-manylinux2014_x86_64.whl
libcudnn.so.9.1.0.70 cuDNN version 9.1.0.70 v9.1.0.70
GPU-8f5b7a64-0c1e-4f0e-9d5f-3b1c7f2a9e10 MIG-8f5b7a64-0c1e-4f0e-9d5f-3b1c7f2a9e10
NVRM: Xid (PCI:0000:65:00): 31, pid=4242, name=python
at::native::add c10::cuda::CUDACachingAllocator::raw_alloc c10::Error std::bad_alloc
frame #4: c10::cuda::ExchangeDevice(signed char) + 0x9f (0x7f10c2a10b5f in /opt/conda/lib/libc10_cuda.so)
listening on 127.0.0.1:8000 and 0.0.0.0:8000 and [::]:8000 and [::1]:8000
2026-11-28 10:38:32,123 INFO [train.py:12] step=10 loss=2.31 tokens/s=12000
PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True,max_split_size_mb:128
private_pool_bytes=2048 private pools: 3.00 GiB
Forward pass: train; backward pass: 10.81 ms
File "/root/.local/lib/python3.11/site-packages/torch/nn/modules/module.py", line 1511, in _wrapped_call_impl
    model = AutoModel.from_pretrained(name, token=self.token, use_auth_token=use_auth_token)
def login(token: str = None, password: Optional[str] = None)
HF_TOKEN=$HF_TOKEN python train.py --token ${HF_TOKEN}
use_auth_token=True, password=None, token=None
Missing key(s) in state_dict: "lm_head.weight". Unexpected key(s): a
RuntimeError: NCCL error in: ../torch/csrc/distributed/c10d/ProcessGroupNCCL.cpp:1275, NCCL version 2.21.5
hf_internal_testing_tiny_random_llama hf_quantizer_bnb_4bit task-0123456789abcdef disk-1
commit 50691afd2c3b4a5968778695a4b3c2d1e0f01234
git@github.com:deepseek-ai/x.git https://github.com/pytorch/pytorch/issues/123?a=b#c
Tokenizer: LlamaTokenizer, author: Ada, tokenizer=t5
map@0.5 precision@k recall@10 @torch.no_grad()
input_ids shape torch.Size([8, 4096]) dtype=torch.bfloat16 device='cuda:0'
[rank3]:[E1128 10:38:32.123456 ProcessGroupNCCL.cpp:629] [Rank 3] Watchdog caught collective operation timeout
slurmstepd: error: Detected 1 oom_kill event in StepId=123.0. Some of the step tasks have been OOM Killed.
/data/runs/2026-11-28/ckpt-1000/model-00001-of-00030.safetensors
PWD=/workspace pwd: /workspace cwd=/workspace USER=root
12:34:56 up 3 days, load average: 0.00, 0.00, 0.08
uuid 8f5b7a64-0c1e-4f0e-9d5f-3b1c7f2a9e10"""


@pytest.mark.parametrize("text", USEFUL.splitlines())
def test_what_explains_the_failure_stays(text: str) -> None:
    """Figures, pids, versions, code, UUIDs, and language models' tokens are no secrets."""
    assert redact_line(text) == text


def test_the_same_person_has_the_same_name_in_all_lines() -> None:
    """Who ran what stays readable across a log, and across logs."""
    redactor = Redactor()
    shown = [redactor.line(text) for text in ("/home/bob/a", "/home/ann/b", "USER=bob", "/Users/Ann/c")]
    assert shown == ["/home/<user1>/a", "/home/<user2>/b", "USER=<user1>", "/Users/<user2>/c"]
    assert redactor.counts == {"user": 4}


def test_a_private_key_goes_from_its_first_line_to_its_last() -> None:
    """Lines of a key say nothing of themselves; what another process writes between them stays."""
    body = "MIIEowIBAAKCAQEA" + "Ab9" * 16
    lines = [
        "[rank0]: -----BEGIN RSA PRIVATE KEY-----",
        f"[rank0]: {body}",
        "[rank1]: step 10 loss 2.31",
        "[rank0]: Qd8=",
        "[rank0]: -----END RSA PRIVATE KEY-----",
        "Killed",
    ]
    shown = list(Redactor().lines(lines))
    assert shown[0] == lines[0]
    assert shown[1] == f"[rank0]: {REDACTED}"
    assert shown[2] == lines[2]
    assert shown[3] == f"[rank0]: {REDACTED}"
    assert shown[4:] == lines[4:]


PIECES = st.sampled_from(
    [
        "token", "HF_TOKEN", "--api-key", "password", "Authorization", "Bearer ", "Basic ", "Cookie", "eos_token_id",
        "=", ":", ": ", " ", "  ", "=>", "'", '"', '\\"', ",", ";", "&", "?", "/", "\\", "@", "://", "(", ")", "[", "]",
        "{", "}", "<", ">", "-", ".", "_", "#", "%", "b'",
        SECRET, HF, JWT, "10.1.2.3", "127.0.0.1", "2001:db8::1", "::", "c10::", "02:42:ac:11:00:02", "ip-10-1-2-3",
        "a@b.cc", "alice@gpu:~", "/home/", "/home/alice", "\\Users\\", "USER=", "sk-", "hf_", "AKIA", "eyJ", "https://",
        "hooks.slack.com/services/", "-----BEGIN X KEY-----", "-----END X KEY-----", REDACTED, "•••", "<user1>", "<ip2>",
        "git@", "key", "sig", "1", "a", "None", "self.x", "cu12 ", "9.1.0.70", "é",
    ]
)  # fmt: skip
LINES = st.lists(PIECES | st.text(max_size=4), max_size=24).map("".join)


@settings(max_examples=600, deadline=None)
@given(LINES)
def test_any_line_can_be_redacted_and_twice_is_once(text: str) -> None:
    """It never fails, changes nothing of what it wrote itself, and does not blow up a line."""
    once = redact_line(text)
    assert redact_line(once) == once
    assert len(once) <= 4 * len(text) + 2 * len(REDACTED)


NAMES = st.sampled_from(
    ["--token", "HF_TOKEN", "api_key", "db.password", "client-secret", "AWS_SECRET_ACCESS_KEY"]
)


OTHER = "Vq81TtRw5Kz3N"


@settings(max_examples=600, deadline=None)
@given(NAMES, st.sampled_from(["=", ": ", "='", ': "', "=>"]), LINES)
def test_a_named_secret_never_shows_whatever_stands_before(name: str, sign: str, before: str) -> None:
    """What stands before it cannot make it visible; only of a quote that was left open, nobody knows what it holds."""
    before = before.replace("'", "").replace('"', "")
    assert OTHER not in redact_line(f"{before} {name}{sign}{OTHER}")


@pytest.mark.parametrize(
    "piece",
    [
        "a", "a.", "a-", "a_", "-", "--a ", ".", ":", "a:", "f:", "::", "1.", "1.1.1.1.", "1-", "ip-1-", "sk-", "hf_",
        "eyJa.", "token=", "token: ", "authorization:self.a ", "authorization: ", "bearer ", "a@", "a@b.", "@", "://",
        "://a", "://a@", "/home/", "\\users\\", "password='", 'password="', '\\"', "'", "cookie: ", "-----BEGIN A-----",
        "-----BEGIN A----- ", "(", "a,", "key=", "?key=", "?a=", "a_key=", "input_token=b=", "token_file=/", "pwd=/", "token=self.a", "--token token=", "USER=", "A_", "00:", "x@y:~", "hooks.slack.com/services/",
        "[a@b ", "é", " ", "https://a:b@", "x=1,y=2,", "sk-a.sk-b", "token=a,)]}",
    ],
)  # fmt: skip
def test_time_grows_with_the_length_alone(piece: str) -> None:
    """No line makes it slow: eight times the length takes far less than sixty-four times as long."""

    def took(length: int) -> float:
        text = piece * (length // len(piece))
        best = float("inf")
        for _ in range(2):
            start = time.process_time()
            redact_line(text)
            best = min(best, time.process_time() - start)
        return best

    assert took(48_000) <= 20 * took(6_000) + 0.02


def test_a_log_is_redacted_at_a_useful_speed() -> None:
    """Ten thousand ordinary lines take seconds at most."""
    chosen = random.Random(4).choices(USEFUL.splitlines(), k=2_000)
    start = time.process_time()
    assert list(Redactor().lines(chosen)) == chosen
    assert time.process_time() - start < 4
