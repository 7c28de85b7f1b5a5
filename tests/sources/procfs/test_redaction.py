"""No secret passes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dstop.sources.procfs.redaction import REDACTED, redact, redact_cmdline

SECRET = "zq7XkP0vW2mB9"  # noqa: S105 - it opens nothing


@pytest.mark.parametrize(
    "name",
    [
        "HF_TOKEN",
        "HUGGING_FACE_HUB_TOKEN",
        "WANDB_API_KEY",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_ACCESS_KEY_ID",
        "PGPASSWORD",
        "MYSQL_PWD",
        "DB_PASSWD",
        "GITHUBTOKEN",
        "SESSION_COOKIE",
        "GOOGLE_CREDENTIALS",
        "SSH_PRIVATE_KEY",
        "BASIC_AUTH",
        "apiKey",
        "SENTRY_DSN",
        "OPENAI_APIKEY",
        "MASTER_KEY",
        "token",
        "DOCKER_AUTH_CONFIG",
        "KEY_PASSPHRASE",
    ],
)
def test_variables_with_secret_names_are_hidden(name: str) -> None:
    """The name stays, the value does not."""
    assert redact({name: SECRET}) == {name: REDACTED}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TOKENIZERS_PARALLELISM", "false"),
        ("MAX_TOKENS", "4096"),
        ("MAX_TOKEN_LEN", "4096"),
        ("AUTHOR", "Ada"),
        ("GIT_AUTHOR_NAME", "Ada"),
        ("PWD", "/home/me"),
        ("OLDPWD", "/home/me"),
        ("HF_TOKEN_PATH", "/root/.cache/token"),
        ("PASSENGER_COUNT", "4"),
        ("KEYBOARD", "us"),
        ("MONKEY", "yes"),
        ("MASTER_ADDR", "10.0.0.1"),
        ("CUDA_VISIBLE_DEVICES", "0,1"),
        ("HTTP_PROXY", "http://proxy:3128"),
        ("URL", "https://example.org/a?b=c"),
        ("SECRET", ""),
    ],
)
def test_harmless_variables_stay(name: str, value: str) -> None:
    """Names that only sound like secrets, and empty ones, are shown."""
    assert redact({name: value}) == {name: value}


@pytest.mark.parametrize(
    "value",
    [
        "postgres://me:" + SECRET + "@db/x",
        "https://host/?token=" + SECRET,
        "https://ghp_abcDEF123456789012345678@github.com/x",
        "hf_AbCdEfGhIjKlMnOpQrStUv123456",
        "sk-proj-AbCdEf1234567890abcdef",
        "eyJhbGciOi.eyJzdWIiOi.c2lnbmF0dXJl",
        "Bearer " + SECRET,
        "-----BEGIN RSA PRIVATE KEY----- MIIE",
    ],
)
def test_values_that_give_themselves_away_are_hidden(value: str) -> None:
    """A token is a token whatever the variable is called."""
    assert redact({"X": value}) == {"X": REDACTED}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (["x", "--hf-token", SECRET, "--tp", "8"], ("x", "--hf-token", REDACTED, "--tp", "8")),
        (["x", f"--api-key={SECRET}"], ("x", f"--api-key={REDACTED}")),
        (["x", "--password", SECRET], ("x", "--password", REDACTED)),
        (["env", f"HF_TOKEN={SECRET}", "python"], ("env", f"HF_TOKEN={REDACTED}", "python")),
        (["x", f"wandb.api_key={SECRET}"], ("x", f"wandb.api_key={REDACTED}")),
        (["x", "--use-auth-token", "--tp", "8"], ("x", "--use-auth-token", "--tp", "8")),
        (["x", "--max-num-batched-tokens", "8192"], ("x", "--max-num-batched-tokens", "8192")),
        (["x", "--tokenizer", "t5", "--author", "Ada"], ("x", "--tokenizer", "t5", "--author", "Ada")),
        (["x", "--eos-token", "</s>"], ("x", "--eos-token", "</s>")),
        (["python", "/home/token/train.py"], ("python", "/home/token/train.py")),
        (["python", "/mnt/secret/run=3/train.py"], ("python", "/mnt/secret/run=3/train.py")),
        (
            ["sh", "-c", f"HF_TOKEN={SECRET} python a.py --api-key {SECRET} -x"],
            ("sh", "-c", f"HF_TOKEN={REDACTED} python a.py --api-key {REDACTED} -x"),
        ),
        (["x", f"--db=postgres://u:{SECRET}@h/d"], ("x", f"--db={REDACTED}")),
        (["x", f'{{"api_key": "{SECRET}", "n": 1}}'], ("x", f'{{ "api_key": {REDACTED}  "n": 1}}')),
    ],
)
def test_arguments_are_redacted(before: list[str], after: tuple[str, ...]) -> None:
    """Values of secret options go, everything else stays."""
    assert redact_cmdline(before) == after


@pytest.mark.parametrize(
    "cmdline",
    [
        ["sh", "-c", f"login --password '{SECRET} {SECRET}' now"],
        ["curl", "-H", f"Authorization: Bearer {SECRET}"],
        ["curl", "-H", f"X-Api-Key: {SECRET}"],
        ["x", f'{{"a":1,"password":"{SECRET}"}}'],
        ["x", f'{{"token": "{SECRET} {SECRET}"}}'],
        ["x", f"--header=Authorization: Basic {SECRET}"],
        ["sh", "-c", f"export DB_PASSWORD='a {SECRET} b'; ./run"],
    ],
)
def test_a_secret_among_words_is_gone(cmdline: list[str]) -> None:
    """Headers, JSON and shell commands keep no secret, quoted or not."""
    assert SECRET not in " ".join(redact_cmdline(cmdline))


NAMES = st.sampled_from(
    ["--token", "--hf-token", "--api_key", "--password", "--client-secret", "--auth.password"]
)


@given(NAMES, st.booleans(), st.lists(st.text("abc -=/:'\"{}", max_size=9), max_size=3))
def test_a_secret_after_its_option_never_shows(name: str, joined: bool, around: list[str]) -> None:
    """Whatever else stands on the line, the value of a secret option is hidden."""
    pair = [f"{name}={SECRET}"] if joined else [name, SECRET]
    shown = redact_cmdline([*around, *pair, *around])
    assert SECRET not in " ".join(shown)
    assert len(shown) == 2 * len(around) + len(pair)


@given(st.lists(st.text(max_size=60), max_size=6))
def test_any_line_is_redacted_without_error(cmdline: list[str]) -> None:
    """No argument makes it fail, and redacting twice changes nothing more in length."""
    once = redact_cmdline(cmdline)
    assert len(once) == len(cmdline)
    assert set(redact({f"A{n}": word for n, word in enumerate(cmdline)}).values()) <= {*cmdline, REDACTED}


@pytest.mark.parametrize(
    "word",
    [
        f'--config={{"api_key":"{SECRET}"}}',
        f'{{"a":{{"b":[1,2],"password":"{SECRET}"}}}}',
        f'{{"a": 1, "login":{{"token": "{SECRET}"}}}}',
    ],
)
def test_a_secret_in_compact_json_is_gone(word: str) -> None:
    """JSON needs no spaces to hold a secret."""
    assert SECRET not in " ".join(redact_cmdline(["x", word]))


def test_json_without_secrets_stays_as_it_is() -> None:
    """Nothing is reformatted that hides nothing."""
    word = '{"a":1,"b":{"max_tokens":5}}'
    assert redact_cmdline([word]) == (word,)


HF = "hf_" + "aBcDeFgHiJkLmNoPqRsTuVwXyZaBcDeFgH"
"""A Hugging Face token as they are: letters alone, of both cases."""


@pytest.mark.parametrize(
    "word",
    [
        HF,
        f"--x={HF}",
        f"login('{HF}')",
        f'login(token="{HF}"); train()',
        f"import x; login('{HF}'); train()",
        f"['--token', '{HF}']",
        f"['--token', '{SECRET}']",
        f"X-Api-Key:{SECRET}",
        f"Server=h;Password={SECRET};User=u",
        f"--conn=Server=h;Password={SECRET};User=u",
        f"AccountName=a;AccountKey={SECRET}==;EndpointSuffix=x",
        f"https://hooks.slack.com/services/T0/B0/{SECRET}",
        f"https://h/file?X-Amz-Signature={SECRET}&x=1",
    ],
)
def test_a_secret_is_found_wherever_it_stands(word: str) -> None:
    """In quotes, in a connection string, in a signed URL: as an argument and as a variable."""
    for shown in (*redact_cmdline(["python", word]), *redact({"OPTS": word}).values()):
        assert SECRET not in shown
        assert HF not in shown


def test_a_key_that_looks_drawn_by_lot_is_hidden_behind_its_option() -> None:
    """`--wandb_key X` is as secret as `--wandb_key=X`; the key of a dictionary is not."""
    lot = "0123456789abcdef" * 2
    assert redact_cmdline(["x", "--wandb_key", lot]) == ("x", "--wandb_key", REDACTED)
    assert redact_cmdline(["x", "--sort-key", "name"]) == ("x", "--sort-key", "name")


def test_values_without_a_secret_stay_as_they_are() -> None:
    """Commands, JSON and lists of colours in the environment are shown whole."""
    plain = {
        "LS_COLORS": "rs=0:di=01;34:*.tar=01;31",
        "JSON": '{"a": 1, "b": [2, 3]}',
        "CMD": "python -m train --lr 1e-4 --max-tokens 10",
        "PATH": "/usr/bin:/bin",
        "MODEL": "hf_internal_testing_tiny_random_llama",
    }
    assert redact(plain) == plain
