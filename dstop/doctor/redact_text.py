"""Secrets and people out of log text, so that it can be handed to a stranger and still explain the failure.

What is hidden: tokens, passwords and keys, and who and where somebody is: user names, e-mail, IP and MAC addresses.
What stays: figures, pids, paths below a home, library names, versions, GPU UUIDs. Each pattern is
bounded, or never looks at a character twice: a hostile line costs no more than a long one.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from dstop.doctor.evidence.prefix import strip_prefixes
from dstop.doctor.redact_judge import hides_value, is_address, is_token, may_hide
from dstop.sources.procfs.redaction import REDACTED

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_PLACEHOLDER = rf"{re.escape(REDACTED)}|<(?:user|ip|email|mac)\d{{1,9}}>"
_VALUE = r"""[^\s"'&;,)\]}]++(?:[,)\]}]++(?![\w.-]{1,40}[=:])[^\s"'&;,)\]}]++)*+"""
"""To a blank, a quote, or what parts one setting from the next; a comma or bracket within it belongs to it."""
_HOST = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,62}\.){1,8}[A-Za-z]{2,24}(?![\w-])"

_PATTERNS: Mapping[str, str] = {
    "placeholder": _PLACEHOLDER,
    "pem": r"-----BEGIN [A-Z ]{1,40}-----",
    "authorization": r"(?i:(?<![\w-])(?:proxy-)?authorization\b\\?[\"']?[ \t]{0,3}[=:][ \t]{0,3}\\?[\"']?)",
    "bearer": r"(?i:(?<![\w-])bearer[ \t]{1,3}(?=\S))",
    "user_info": r"(?<=://)[^\s/\"'<>?#@]{1,256}+(?:@[^\s/\"'<>?#@]{1,256}+){0,4}@(?=[\w.\[-])",
    "webhook": r"(?:hooks\.slack\.com/services|/api/webhooks)/(?=[^\s\"'])",
    "home": r"(?:/home|/[Uu]sers)/(?=[^/\\\s\"'<>$*:])|(?i:\\{1,2}users\\{1,2})(?=[^/\\\s\"'<>$*:])",
    "account": r"(?<![0-9A-Za-z])(?:(?:[A-Z]{1,12}_){0,3}USER|LOGNAME|USERNAME)=(?=[^/\\\s\"'<>$*:])",
    "prompt": r"(?<![\w.@/-])(?P<who>[A-Za-z_][\w.-]{0,31}+)(?=@[\w-]{1,63}(?::[~/]| [^ ]{1,64}\][$#]))",
    "email": rf"(?<![\w.+-])(?!git@)[\w.+-]{{1,256}}+@{_HOST}",
    "mac": r"(?<![\w:.-])[0-9A-Fa-f]{2}(?:[:-][0-9A-Fa-f]{2}){5}+(?:(?::[0-9A-Fa-f]{2}){14})?+(?![\w:]|-\w)",
    "ipv4": r"(?<![0-9A-Za-z.])\d{1,3}+(?:\.\d{1,3}+){3}+(?![0-9A-Za-z]|\.\d)",
    "ipv6": r"(?<![\w:.])(?=[0-9A-Fa-f]{0,4}:)[0-9A-Fa-f:]{2,39}+(?:(?:\.\d{1,3}){3})?+(?![\w:])",
    "aws_host": r"(?<![0-9A-Za-z])ip-\d{1,3}+(?:-\d{1,3}+){3}+(?![\w-])",
    "token": r"(?<![0-9A-Za-z])(?:hf_[A-Za-z0-9]{16,}+|gh[opsru]_[A-Za-z0-9]{16,}+|github_pat_\w{20,}+"
    r"|A[KS]IA[A-Z0-9]{12,}+|AIza[\w-]{20,}+|eyJ[\w-]{5,}+\.[\w-]{4,}+(?:\.[\w-]*+)?|npm_[A-Za-z0-9]{20,}+|ya29\.[\w-]{16,}+)",
    "likely": r"(?<![0-9A-Za-z])(?:api_org_|sk-|glpat-|xox[a-z]-|xapp-|nvapi-|pypi-|dop_v1_)[\w-]{8,}+",
    "option": r"(?<![\w-])-{1,2}(?P<option>[A-Za-z][\w.-]{0,200}+)(?:[\"'],?)?[ \t]{1,3}[\"']?(?=[^\s\-\"'=:])",
    "named": r"(?<![\w-])(?<!\w\.)(?P<name>-{0,2}[A-Za-z_][\w.-]{0,200}+)\\?[\"']?[ \t]{0,3}(?P<sign>=>|:=|=(?!=)|:(?!:|//))[ \t]{0,3}",  # noqa: E501
}
_ANY = re.compile("|".join(f"(?P<{name}_>{pattern})" for name, pattern in _PATTERNS.items()), re.ASCII)
_NAMED = re.compile(_PATTERNS["named"], re.ASCII)
_MARK = re.compile(_PLACEHOLDER)
_BARE = re.compile(_VALUE)
_SCHEME = re.compile(r"(?i:(?:bearer|basic|token|negotiate|apikey)[ \t]{1,3})(?=\S)")
_GIVES = re.compile(r"[=:>][ \t]{0,3}\Z")
_REST = re.compile(r"[^\"']*+")
_NAME = re.compile(r"[^/\\\s\"'<>:;,()\[\]{}|*?$]++")
_PATH = re.compile(r"[^\s\"'<>)\]]*+")
_TELLING = re.compile(r"(?=[\w.~+/-]*[\d.A-Z])[\w.~+/=-]{8,}+|[\w.~+/=-]{20,}+", re.ASCII)
_WHOLE = frozenset({"placeholder", "likely"})
"""What nothing else can begin within, or need not be looked for."""
_LONGEST_JUDGED = 2048
"""What is longer is hidden unseen, so that no line is read again and again."""
_TO_THE_END = re.compile(r"(?i:digest|aws4|oauth)")
_LITERAL = re.compile(r"(?i:[bfru]{1,2})(?=[\"'])")
_ESCAPED_QUOTES = ('\\"', "\\'")
_PEM_BODY = re.compile(r"[A-Za-z0-9+/]{1,76}={0,2}|(?:Proc-Type|DEK-Info): .*")
_MOST_PASSES = 8
_MOST_PEM_LINES = 128
"""A key has some fifty lines; what goes on longer was never closed."""


def redact_line(text: str) -> str:
    """Hide what is secret or personal in one line; each person and address gets a number within the line."""
    return Redactor().line(text)


class Redactor:
    """Hides over many lines, and gives the same person or address the same placeholder in all of them."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        """What was hidden how often: secret, user, ip, email, mac."""
        self._known: dict[str, dict[str, str]] = {}
        self._pem_lines = 0

    def lines(self, texts: Iterable[str]) -> Iterator[str]:
        """Redact lines that follow each other: a private key goes from its first line to its last."""
        self._pem_lines = 0
        for text in texts:
            yield self._within_pem(text) if self._pem_lines else self.line(text)
            begin, end = text.rfind("-----BEGIN "), text.rfind("-----END ")
            if end > begin:
                self._pem_lines = 0
            elif begin >= 0:
                self._pem_lines = _MOST_PEM_LINES
            elif self._pem_lines:
                self._pem_lines -= 1

    def line(self, text: str) -> str:
        """Redact one line; again while that shows more, as when a token stood glued to an address."""
        for _ in range(_MOST_PASSES):
            before, text = text, self._pass(text)
            if text == before:
                break
        return text

    def _pass(self, text: str) -> str:
        shown: list[str] = []
        done = 0
        found = _ANY.search(text)
        while found is not None:
            kind = (found.lastgroup or "").removesuffix("_")
            change = _HANDLERS[kind](self, found)
            if (
                change is None
                and kind != "named"
                and (named := _NAMED.match(text, found.start())) is not None
            ):
                change = _named(self, named)
            if change is not None:
                start, following, instead = change
                shown += (text[done:start], instead)
                done = following
            elif kind in _WHOLE:
                following = found.end()
            else:
                following = found.start() + 1
            found = _ANY.search(text, following)
        return "".join((*shown, text[done:]))

    def name_for(self, kind: str, what: str) -> str:
        """Give the placeholder of a person or an address."""
        self.counts[kind] += 1
        names = self._known.setdefault(kind, {})
        return names.setdefault(what.lower(), f"<{kind}{len(names) + 1}>")

    def secret(self) -> str:
        """Give what stands for a secret."""
        self.counts["secret"] += 1
        return REDACTED

    def _within_pem(self, text: str) -> str:
        bare = strip_prefixes(text).text.strip()
        if _PEM_BODY.fullmatch(bare):
            return text[: text.rindex(bare)] + REDACTED
        return self.line(text)


_Change: TypeAlias = tuple[int, int, str]
"""From where to where, and what stands there instead."""
_Handler: TypeAlias = Callable[[Redactor, "re.Match[str]"], _Change | None]


def _kept(_: Redactor, __: re.Match[str]) -> _Change | None:
    return None


def _pem(redactor: Redactor, found: re.Match[str]) -> _Change:
    text, start = found.string, found.end()
    end = text.find("-----END ", start)
    end = len(text) if end < 0 else end
    within = text[start:end]
    if not within.strip() or within == REDACTED:
        return start, end, within
    return start, end, redactor.secret()


def _authorization(redactor: Redactor, found: re.Match[str]) -> _Change | None:
    text, start = found.string, found.end()
    scheme = _SCHEME.match(text, start)
    start = start if scheme is None else scheme.end()
    value = _BARE.match(text, start)
    if value is None or _MARK.match(text, start) or _announces(text, start):
        return None
    if len(value[0]) <= _LONGEST_JUDGED and not hides_value("authorization", value[0], "="):
        return None
    if _TO_THE_END.match(text, start):
        return start, len(text), redactor.secret()
    rest = value if scheme is not None else _REST.match(text, start)
    end = value.end() if rest is None else max(value.end(), rest.end())
    return start, _with_quoted(text, start, end), redactor.secret()


def _bearer(redactor: Redactor, found: re.Match[str]) -> _Change | None:
    value = _TELLING.match(found.string, found.end())
    if value is None or _announces(found.string, found.end()):
        return None
    return found.end(), value.end(), redactor.secret()


def _user_info(redactor: Redactor, found: re.Match[str]) -> _Change | None:
    return None if found[0] == "git@" else (found.start(), found.end() - 1, redactor.secret())


def _webhook(redactor: Redactor, found: re.Match[str]) -> _Change | None:
    value = _PATH.match(found.string, found.end())
    if value is None or _MARK.match(found.string, found.end()):
        return None
    return found.end(), value.end(), redactor.secret()


def _person(redactor: Redactor, found: re.Match[str]) -> _Change | None:
    name = _NAME.match(found.string, found.end())
    if name is None or name[0] == "root" or name[0].isdigit():
        return None
    return found.end(), name.end(), redactor.name_for("user", name[0])


def _prompt(redactor: Redactor, found: re.Match[str]) -> _Change:
    return found.start(), found.end(), redactor.name_for("user", found["who"])


def _address(redactor: Redactor, found: re.Match[str]) -> _Change | None:
    text, start = found.string, found.start()
    what = found[0]
    if what.endswith(":") and not what.endswith("::"):
        what = what[:-1]
    end = start + len(what)
    if not is_address(what, text[max(0, start - 64) : start], text[end : end + 16]):
        return None
    return start, end, redactor.name_for("ip", what)


def _aws_host(redactor: Redactor, found: re.Match[str]) -> _Change:
    dotted = found[0].removeprefix("ip-").replace("-", ".")
    return found.end() - len(dotted), found.end(), redactor.name_for("ip", dotted)


def _whole(kind: str) -> _Handler:
    return lambda redactor, found: (found.start(), found.end(), redactor.name_for(kind, found[0]))


def _token(redactor: Redactor, found: re.Match[str]) -> _Change:
    return found.start(), found.end(), redactor.secret()


def _likely(redactor: Redactor, found: re.Match[str]) -> _Change | None:
    return _token(redactor, found) if is_token(found[0]) else None


def _option(redactor: Redactor, found: re.Match[str]) -> _Change | None:
    return _value(redactor, found, found["option"], " ") if may_hide(found["option"]) else None


def _named(redactor: Redactor, found: re.Match[str]) -> _Change | None:
    name, sign = found["name"].lstrip("-"), found["sign"]
    text, start = found.string, found.start()
    before = text[start - 1] if start else ""
    if before in {"/", "\\"} and not sign.startswith("="):
        return None
    if before and before in "?&" and sign == "=":
        sign = "?"
    if not may_hide(name, in_query=sign == "?"):
        return None
    if sign == ":" and before == " " and text[max(0, start - 2)].isalpha():
        sign = "prose"
    return _value(redactor, found, name, sign)


def _value(redactor: Redactor, found: re.Match[str], name: str, sign: str) -> _Change | None:
    start, end = _bounds(found.string, found.end(), is_option=sign == " ")
    text = found.string
    if start == end or _MARK.match(text, start):
        return None
    if end - start <= _LONGEST_JUDGED and not hides_value(name, text[start:end], sign):
        return None
    if "cookie" in name.lower() and (rest := _REST.match(text, start)) is not None:
        end = _with_quoted(text, start, max(end, rest.end()))
    return start, end, redactor.secret()


def _with_quoted(text: str, start: int, end: int) -> int:
    """Go on to the end of a quotation whose name is hidden: what is left alone would be a secret without a name."""
    if text[end : end + 1] not in {"'", '"'} or _GIVES.search(text, start, end) is None:
        return end
    closing = text.find(text[end], end + 1)
    return len(text) if closing < 0 else closing + 1


def _announces(text: str, start: int) -> bool:
    """Whether the value is itself the name of a secret: `--use-auth-token HF_TOKEN=…`."""
    named = _NAMED.match(text, start)
    return named is not None and may_hide(named["name"].lstrip("-"))


def _bounds(text: str, start: int, *, is_option: bool) -> tuple[int, int]:
    """Give where a value begins and ends, without its quotes and the word that names its scheme."""
    if is_option and text[start - 1] in "\"'":
        start -= 1
    literal = _LITERAL.match(text, start)
    start = start if literal is None else literal.end()
    quote = text[start : start + 2] if text.startswith(_ESCAPED_QUOTES, start) else text[start : start + 1]
    if quote and quote[-1] in "\"'":
        end = text.find(quote, start + len(quote))
        return start + len(quote), len(text) if end < 0 else end
    scheme = _SCHEME.match(text, start)
    start = start if scheme is None else scheme.end()
    value = None if _announces(text, start) else _BARE.match(text, start)
    return start, start if value is None else value.end()


_HANDLERS: Mapping[str, _Handler] = {
    "placeholder": _kept,
    "pem": _pem,
    "authorization": _authorization,
    "bearer": _bearer,
    "user_info": _user_info,
    "webhook": _webhook,
    "home": _person,
    "account": _person,
    "prompt": _prompt,
    "email": _whole("email"),
    "mac": _whole("mac"),
    "ipv4": _address,
    "ipv6": _address,
    "aws_host": _aws_host,
    "token": _token,
    "likely": _likely,
    "option": _option,
    "named": _named,
}
