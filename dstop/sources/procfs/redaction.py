"""Secrets out of environments and command lines, before anything else of dstop sees them.

People pass tokens as arguments and variables; a monitor is what they screenshot. Hiding too much is
the cheaper mistake.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.sources.procfs.reading import words

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

REDACTED = "••• (redacted)"

_WORDS = words(
    "token secret secrets password passwd passphrase pass passcode pwd credential credentials cred creds auth"
    " authorization"
    " bearer cookie cookies private apikey apitoken accesskey secretkey dsn netrc jwt sas pat"
)
_ENDINGS = (
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "apikey",
    "accesskey",
    "secretkey",
    "credentials",
)
_KEYS = words("api access secret private encryption signing account ssh master license auth storage service")
"""What makes a following `key` a secret one."""

_OF_TEXT = words(
    "eos bos pad unk sep cls mask stop max min num per image video audio id ids type types index count limit"
    " len length"
    " new first last prompt level parallel budget dim size dropout pooling merging"
    " loss accuracy ratio time step"
)
"""Words that make `token` one of a language model's: `--eos-token`, `--time-per-token`."""

_PATHS = words("file path dir sock socket")
_STARTS = (
    "hf_",
    "sk-",
    "ghp_",
    "gho_",
    "ghs_",
    "github_pat_",
    "glpat-",
    "xoxb-",
    "xoxp-",
    "nvapi-",
    "AKIA",
    "ASIA",
    "AIza",
)
"""How well-known tokens begin."""

_TOKEN_LENGTH = 16
_RUN_LENGTH = 20
"""From here on, upper and lower case mixed without a break are no word: Hugging Face's tokens have no digit."""

_WEBHOOKS = ("://hooks.slack.com/services/", "/api/webhooks/")
"""Addresses that are secrets as a whole: whoever has one may post."""

_QUERY = words("sig signature")
"""Names that make a signed URL, beside those of secrets."""

_SCHEMES = ("bearer ", "basic ", "token ")
_OWN_DIRECTORY = frozenset({"PWD", "OLDPWD"})
_QUOTES = "'\""


def redact(environ: Mapping[str, str]) -> dict[str, str]:
    """Give the environment with the values of secrets replaced; names stay, so that one sees what is set.

    A value that is itself a command or a piece of JSON is treated word by word.
    """
    return {name: REDACTED if _hidden(name, value) else _argument(value) for name, value in environ.items()}


def redact_cmdline(cmdline: Sequence[str]) -> tuple[str, ...]:
    """Give the arguments with secrets replaced: `--hf-token abc`, `--api-key=abc`, `HF_TOKEN=abc`, `postgres://u:p@h`.

    An argument that is itself a command (`sh -c "…"`) is treated word by word.
    """
    shown: list[str] = []
    option = ""
    for word in cmdline:
        if option and word and not _is_option(word) and _hidden(option.lstrip("-"), word):
            shown.append(REDACTED)
            option = ""
            continue
        shown.append(_argument(word))
        if word:
            option = word if _is_option(word) and "=" not in word and " " not in word else ""
    return tuple(shown)


def is_secret_name(name: str) -> bool:
    """Whether what has this name holds a secret: `HF_TOKEN`, `--api-key`; not `MAX_TOKENS`, `AUTHOR`."""
    if name in _OWN_DIRECTORY:
        return False
    parts = _words(name)
    for position, word in enumerate(parts):
        if word == "key" and position and parts[position - 1] in _KEYS:
            return True
        if word in {"token", "tokens"} and (word == "tokens" or not _OF_TEXT.isdisjoint(parts)):
            continue
        if word in _WORDS or word.endswith(_ENDINGS):
            return True
    return False


def is_secret_value(value: str) -> bool:
    """Whether a value gives itself away: a known kind of token, or a URL with a password in it."""
    if value.lower().startswith(_SCHEMES) and len(value) > len("basic ") + 4:
        return True
    if value.startswith(_STARTS) and len(value) >= _TOKEN_LENGTH and (_is_opaque(value) or _is_run(value)):
        return True
    if value.startswith("eyJ") and value.count(".") == 2:  # noqa: PLR2004 - the three parts of a JSON web token
        return True
    if "PRIVATE KEY-----" in value:
        return True
    if "://" not in value:
        return False
    return any(place in value for place in _WEBHOOKS) or any(
        _url_has_secret(part) for part in value.split("://")[1:]
    )


def is_secret_pair(name: str, value: str) -> bool:
    """Whether this value of this name is to be hidden; a path, and an empty value, never is."""
    return _hidden(name, value)


def is_signature_name(name: str) -> bool:
    """Whether a URL's parameter of this name signs it: `sig`, `X-Amz-Signature`."""
    return not _QUERY.isdisjoint(_words(name))


def is_drawn_by_lot(value: str) -> bool:
    """Whether a value is no word that anybody chose: letters and digits mixed, or one long run of mixed case."""
    return _is_opaque(value) or _is_run(value)


def name_words(name: str) -> list[str]:
    """Split a name where people split them: `wandb.api_key`, `--hf-token`, `apiKey`; in lower case."""
    return _words(name)


def _hidden(name: str, value: str) -> bool:
    if not value:
        return False
    if is_secret_value(value):
        return True
    parts = _words(name)
    if parts and parts[-1] in _PATHS and value.startswith(("/", "~", "./")):
        return False
    if is_secret_name(name):
        return True
    return len(parts) > 1 and parts[-1] == "key" and len(value) >= _TOKEN_LENGTH and _is_opaque(value)


def _words(name: str) -> list[str]:
    """Split a name where people split them: `wandb.api_key`, `--hf-token`, `apiKey`."""
    spaced: list[str] = []
    before = ""
    for letter in name[:200]:
        if letter.isupper() and before.islower():
            spaced.append(" ")
        spaced.append(letter.lower() if letter.isalnum() else " ")
        before = letter
    return "".join(spaced).split()


def _is_opaque(value: str) -> bool:
    """Whether it looks drawn by lot: letters and digits mixed, nothing of a path or a sentence."""
    body = value.replace("-", "").replace("_", "").rstrip("=").replace("+", "")
    return (
        body.isalnum()
        and any(letter.isdigit() for letter in body)
        and any(letter.isalpha() for letter in body)
    )


def _is_run(value: str) -> bool:
    """Whether what follows the start of a known kind of token is one long run of mixed case."""
    body = value.replace("-", "_").rpartition("_")[2]
    return (
        len(body) >= _RUN_LENGTH
        and body.isalnum()
        and any(letter.isupper() for letter in body)
        and any(letter.islower() for letter in body)
    )


def _url_has_secret(rest: str) -> bool:
    """Judge what follows `scheme://`: `user:password@host`, `host/?token=abc`."""
    place, _, query = rest.partition("?")
    user = place.split("/", 1)[0].rpartition("@")[0]
    if ":" in user and not user.endswith(":"):
        return True
    if user and is_secret_value(user):
        return True
    pairs = (pair.partition("=") for pair in query.split("&"))
    return any(
        value and (is_secret_name(name) or not _QUERY.isdisjoint(_words(name))) for name, _, value in pairs
    )


def _is_option(word: str) -> bool:
    return word.startswith("-") and len(word) > 1 and not word[1].isdigit()


def _argument(word: str) -> str:
    if "{" in word and ":" in word:
        shown = _sentence(word.replace("{", "{ ").replace(",", ", "))
        return shown if REDACTED in shown else word
    if " " in word:
        return _sentence(word)
    if ";" in word and "://" not in word:
        return ";".join(_argument(part) for part in word.split(";"))
    for separator in ("=", ":"):
        name, found, value = word.partition(separator)
        if found and value and "/" not in name and _hidden(name.lstrip("-+"), value):
            return f"{name}{separator}{REDACTED}"
    return REDACTED if is_secret_value(word) or _has_token(word) else word


def _has_token(word: str) -> bool:
    """Whether a known kind of token stands in it between quotes: `login('hf_…')`."""
    return any(is_secret_value(part) for quote in _QUOTES if quote in word for part in word.split(quote))


def _sentence(text: str) -> str:
    """Redact within an argument of many words: a shell's command, a header, a piece of JSON."""
    shown: list[str] = []
    following = iter(text.split(" "))
    expected = False
    for word in following:
        bare = word.strip("{}[](),;\"'")
        if expected and bare.lower() in {"bearer", "basic", "token"}:
            shown.append(word)
            continue
        if expected and word and not _is_option(word):
            _skip_quoted(word, following)
            shown.append(REDACTED)
            expected = False
            continue
        shown.append(word if not word else _word(word, following))
        expected = (expected and not word) or _announces(word, bare)
    return " ".join(shown)


def _announces(word: str, bare: str) -> bool:
    """Whether the next word is a secret's value: `--token`, `"api_key":`, `Authorization:`, `Bearer`."""
    if bare.lower() == "bearer":
        return True
    option = _is_option(bare) and "=" not in bare
    return (option or word.rstrip(",").endswith(":")) and "/" not in bare and is_secret_name(bare.rstrip(":"))


def _word(word: str, following: Iterator[str]) -> str:
    for separator in ("=", ":"):
        name, found, value = word.partition(separator)
        if found and value and "/" not in name and _hidden(name.strip("{}[](),;\"'-+"), value.strip(_QUOTES)):
            _skip_quoted(value, following)
            return f"{name}{separator}{REDACTED}"
    return REDACTED if is_secret_value(word.strip("{}[](),;\"'")) or _has_token(word) else word


def _skip_quoted(value: str, following: Iterator[str]) -> None:
    """Drop the other words of a value in quotes: the password may have spaces."""
    quote = value[0]
    closed = len(value) > 1 and value.rstrip(",;})]").endswith(quote)
    if quote not in _QUOTES or closed:
        return
    for word in following:
        if word.rstrip(",;})]").endswith(quote):
            return
