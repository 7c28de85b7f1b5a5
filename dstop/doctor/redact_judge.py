"""What in a log is a secret or an address, and what only looks like one: versions, language models' tokens, code."""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache

from dstop.sources.procfs.reading import words
from dstop.sources.procfs.redaction import (
    is_drawn_by_lot,
    is_secret_name,
    is_secret_pair,
    is_signature_name,
    name_words,
)

_LEAST_TOKEN = 16
_STRONG = ("password", "passwd", "passphrase", "secret", "apikey", "accesskey", "secretkey", "credentials")
_STRONG_WORDS = words("key pwd passcode dsn authorization")
"""Names of nothing else than secrets: a number behind them is hidden, too."""
_PROSE = words("pass private auth bearer pat sas")
"""Words that also end a phrase: `Forward pass: train`."""

_OF_MODELS = words(
    "embd embed embedding embeddings emb weight bias shift mixer permute unpermute dispatch dispatcher combine drop"
    " dropping choice expert experts router throughput second sec ms rate speed total generated prompt decoded output"
    " input batch batched padding special added usage cost ttft tpot latency mode class cls norm special routing score"
    " scores logits gradient capacity pool pools bytes mib gib classification"
)
"""Words beside which `token`, `pass` or `private` tell of a model or of memory: `token_embd.weight`."""

_FIGURE = re.compile(r"[-+]?\d[\d.,_/:eE+-]*[A-Za-z%]{0,3}", re.ASCII)
_CODE = re.compile(
    r"(?:self|args|cfg|config|os|opt|kwargs|settings)\.\w.*"
    r"|\$\{?[A-Z_][A-Z0-9_]*\}?|\$\(.*|%s|%\(\w+\)s|\{\w*\}?|\*+|<\w*>?"
    r"|(?:str|int|bool|bytes|object|float|Any|Optional\b.*|Union\b.*)"
    r"|None|null|nil|true|false|True|False|yes|no|on|off|none|unset|required|missing|not|n/a|N/A|\(?empty\)?|-",
    re.DOTALL,
)
"""What stands for a value, or says that there is none."""

_VERSIONED = re.compile(
    r"(?i:[=<>!~]=[ ]?|\bv(?:er(?:sion)?s?)?\.?[ :=\"'(]{0,4}"
    r"|(?:cu\d{1,3}|cuda|cudnn|cublas|cufft|curand|cusolver|cusparse|cusparselt|nccl|nvjitlink|nvtx|nvrtc|cufile"
    r"|nvshmem|cupti|tensorrt)(?:_v)?[ \t:=(\"'-]{1,60})$"
)
_WHEEL = re.compile(r"-(?:py\d|cp\d|none|manylinux)|\.(?:whl|tar)|\+cu")
_LOCAL = ("127.", "0.0.0.0")  # noqa: S104 - it is what a log says
_FIRST_GROUP = re.compile(r"(?i)[23][0-9a-f]{3}|f[cd][0-9a-f]{2}|fe[89ab][0-9a-f]|ff[0-9a-f]{2}|64|")
_GROUPS = 8


@lru_cache(maxsize=4096)
def may_hide(name: str, *, in_query: bool = False) -> bool:
    """Whether any value of this name can be a secret; asked before the value is looked for."""
    if in_query and (is_signature_name(name) or name.lower() == "key"):
        return True
    parts = name_words(name)
    if is_secret_name(name):
        return _is_strong(parts) or _OF_MODELS.isdisjoint(parts)
    return len(parts) > 1 and parts[-1] == "key"


def hides_value(name: str, value: str, sign: str) -> bool:
    """Whether this value of this name, which may hide one, is to be hidden.

    Args:
        name: as it stands in the text, without dashes and quotes.
        value: what follows it, without quotes.
        sign: what stands between: `=`, `:`, ` ` of an option, `?` in a URL's query, `prose` for a colon in a sentence.
    """
    if not is_secret_name(name):
        return sign == "?" or ("://" not in value and is_secret_pair(name, value))
    if not is_secret_pair(name, value) or _CODE.fullmatch(value) or value == name:
        return False
    parts = name_words(name)
    if _is_strong(parts):
        return parts != ["pwd"] or not value.startswith("/")
    if _FIGURE.fullmatch(value):
        return False
    return sign != "prose" or len(parts) > 1 or parts[0] not in _PROSE or is_drawn_by_lot(value)


def _is_strong(parts: list[str]) -> bool:
    return any(word.endswith(_STRONG) or word in _STRONG_WORDS for word in parts)


def is_token(text: str) -> bool:
    """Whether what begins like a well-known kind of token is one, and no name: `sk-learn-contrib`."""
    return len(text) >= _LEAST_TOKEN and is_drawn_by_lot(text)


def is_address(text: str, before: str, after: str) -> bool:
    """Whether this is the address of a machine, and not of every machine, and not a version.

    NVIDIA's libraries have versions of four numbers (cuDNN 9.1.0.70): what stands before them tells.
    """
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    if address.version == 4:  # noqa: PLR2004 - the protocol
        return not (text.startswith(_LOCAL) or _VERSIONED.search(before) or _WHEEL.match(after))
    if address.is_loopback or address.is_unspecified:
        return False
    groups = text.split(":")
    return len(groups) == _GROUPS or "." in text or bool(groups[0] and _FIRST_GROUP.fullmatch(groups[0]))
