"""Secrets and people out of log text, so that it can be handed to a stranger and still explain the failure.

What is hidden: tokens, passwords and keys, and who and where somebody is: user names, e-mail, IP and MAC addresses.
What stays: figures, pids, paths below a home, library names, versions, GPU UUIDs. One pass from left to right, in which
each pattern is bounded or never looks at a character twice: a hostile line costs no more than a long one.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from dstop.doctor.evidence.prefix import strip_prefixes
from dstop.doctor.redact_judge import hides_value, is_address, is_token
from dstop.sources.procfs.redaction import REDACTED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

_PLACEHOLDER = rf"{re.escape(REDACTED)}|<(?:user|ip|email|mac)\d{{1,9}}>"
_VALUE = r"""[^\s"'&;,)\]}]++(?:[,)\]}]++(?![\w.-]{1,40}[=:])[^\s"'&;,)\]}]++)*+"""
"""To a blank, a quote, or what parts one setting from the next; a comma or bracket within it belongs to it."""
_HOST = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,62}\.){1,8}+[A-Za-z]{2,24}(?![\w-])"

_PATTERNS: Mapping[str, str] = {
    "placeholder": _PLACEHOLDER,
    "pem": r"-----BEGIN [A-Z ]{1,40}-----",
    "authorization": r"(?i:(?<![\w-])(?:proxy-)?authorization\b[\"']?[ \t]{0,3}[=:][ \t]{0,3}[\"']?)",
    "bearer": r"(?i:(?<![\w-])bearer[ \t]{1,3}(?=\S))",
    "user_info": r"(?<=://)[^\s/\"'<>?#@]{1,256}+(?:@[^\s/\"'<>?#@]{1,256}+)*?@(?=[\w.\[-])",
    "webhook": r"(?:hooks\.slack\.com/services|/api/webhooks)/(?=[^\s\"'])",
    "home": r"(?:/home|/[Uu]sers)/(?=[^/\\\s\"'<>$*:])|(?i:\\{1,2}users\\{1,2})(?=[^/\\\s\"'<>$*:])",
    "account": r"\b(?:USER|LOGNAME|USERNAME|[A-Z]{2,12}_USER)=(?=[^/\\\s\"'<>$*:])",
    "prompt": r"(?<![\w.@/-])(?P<who>[A-Za-z_][\w.-]{0,31}+)(?=@[\w-]{1,63}(?::[~/]| [^ ]{1,64}\][$#]))",
    "email": rf"(?<![\w.+-])[\w.+-]{{1,64}}+@{_HOST}",
    "mac": r"(?<![\w:.-])[0-9A-Fa-f]{2}(?:[:-][0-9A-Fa-f]{2}){5}+(?:(?::[0-9A-Fa-f]{2}){14})?+(?![\w:]|-\w)",
    "ipv4": r"(?<![0-9A-Za-z.])\d{1,3}+(?:\.\d{1,3}+){3}+(?![0-9A-Za-z]|\.\d)",
    "ipv6": r"(?<![\w:.])(?=[0-9A-Fa-f]{0,4}:)[0-9A-Fa-f:]{3,39}+(?:(?<=:)\d{1,3}(?:\.\d{1,3}){3})?+(?![\w:])",
    "aws_host": r"(?<![0-9A-Za-z])ip-\d{1,3}+(?:-\d{1,3}+){3}+(?![\w-])",
    "token": r"(?<![0-9A-Za-z])(?:hf_|api_org_|sk-|gh[opsru]_|github_pat_|glpat-|xox[a-z]-|xapp-|nvapi-|AKIA|ASIA|AIza|eyJ|npm_|pypi-|dop_v1_|ya29\.)[\w-]{4,}+(?:\.[\w-]{2,}+){0,4}+",  # noqa: E501 - one list
    "option": r"(?<![\w-])-{1,2}(?P<option>[A-Za-z][\w.-]{0,200}+)(?:[\"'],?)?[ \t]{1,3}[\"']?(?=[^\s\-\"'=:])",
    "named": r"(?<![\w-])(?P<name>-{0,2}[A-Za-z_][\w.-]{0,200}+)\\?[\"']?[ \t]{0,3}(?P<sign>=>|:=|=(?!=)|:(?!:|//))[ \t]{0,3}",  # noqa: E501
}
_ANY = re.compile("|".join(f"(?P<{name}_>{pattern})" for name, pattern in _PATTERNS.items()), re.ASCII)
_NAMED = re.compile(_PATTERNS["named"], re.ASCII)
_MARK = re.compile(_PLACEHOLDER)
_BARE = re.compile(_VALUE)
_SCHEME = re.compile(r"(?i:(?:bearer|basic|token|negotiate|apikey)[ \t]{1,3})(?=\S)")
_REST = re.compile(r"[^\"']*+")
_NAME = re.compile(r"[^/\\\s\"'<>:;,()\[\]{}|*?$]++")
_PATH = re.compile(r"[^\s\"'<>)\]]*+")
_TELLING = re.compile(r"(?=[\w.~+/-]*[\d.A-Z])[\w.~+/=-]{8,}+|[\w.~+/=-]{20,}+", re.ASCII)
_ESCAPED_QUOTES = ('\\"', "\\'")
_PEM_BODY = re.compile(r"[A-Za-z0-9+/]{1,76}={0,2}|(?:Proc-Type|DEK-Info): .*")
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
        self._known: dict[tuple[str, str], str] = {}
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
        """Redact one line."""
        if text.isalpha():
            return text
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
                found = named
                change = _named(self, named)
            if change is None:
                following = found.end()
            else:
                start, following, instead = change
                shown += (text[done:start], instead)
                done = following
            found = _ANY.search(text, max(following, found.start() + 1))
        return "".join((*shown, text[done:]))

    def name_for(self, kind: str, what: str) -> str:
        """Give the placeholder of a person or an address."""
        self.counts[kind] += 1
        key = (kind, what.lower())
        if key not in self._known:
            number = sum(known == kind for known, _ in self._known) + 1
            self._known[key] = f"<{kind}{number}>"
        return self._known[key]

    def secret(self) -> str:
        """Give what stands for a secret."""
        self.counts["secret"] += 1
        return REDACTED

    def _within_pem(self, text: str) -> str:
        bare = strip_prefixes(text).text.strip()
        if _PEM_BODY.fullmatch(bare):
            return text[: text.rindex(bare)] + REDACTED
        return self.line(text)


_Change = tuple[int, int, str]
"""From where to where, and what stands there instead."""


def _kept(_: Redactor, __: re.Match[str]) -> _Change | None:
    return None


def _pem(redactor: Redactor, found: re.Match[str]) -> _Change:
    text = found.string
    end = text.find("-----END ", found.end())
    end = len(text) if end < 0 else end
    return (
        found.end(),
        end,
        "" if not text[found.end() : end].strip() else _once(redactor, text[found.end() : end]),
    )


def _once(redactor: Redactor, text: str) -> str:
    return text if text == REDACTED else redactor.secret()


def _authorization(redactor: Redactor, found: re.Match[str]) -> _Change | None:
    text, start = found.string, found.end()
    scheme = _SCHEME.match(text, start)
    start = start if scheme is None else scheme.end()
    if _MARK.match(text, start):
        return None
    value = _BARE.match(text, start) if scheme is not None else _REST.match(text, start)
    if value is None or not hides_value("password", value[0].strip(), "="):
        return None
    return start, value.end(), redactor.secret()


def _bearer(redactor: Redactor, found: re.Match[str]) -> _Change | None:
    value = _TELLING.match(found.string, found.end())
    return None if value is None else (found.end(), value.end(), redactor.secret())


def _user_info(redactor: Redactor, found: re.Match[str]) -> _Change | None:
    return None if found[0] in {"git@", "•••@"} else (found.start(), found.end() - 1, redactor.secret())


def _webhook(redactor: Redactor, found: re.Match[str]) -> _Change | None:
    value = _PATH.match(found.string, found.end())
    if value is None or _MARK.match(found.string, found.end()):
        return None
    return found.end(), value.end(), redactor.secret()


def _person(redactor: Redactor, found: re.Match[str]) -> _Change | None:
    name = _NAME.match(found.string, found.end())
    return None if name is None else (found.end(), name.end(), redactor.name_for("user", name[0]))


def _prompt(redactor: Redactor, found: re.Match[str]) -> _Change:
    return found.start(), found.end(), redactor.name_for("user", found["who"])


def _address(kind: str) -> Callable[[Redactor, re.Match[str]], _Change | None]:
    def change(redactor: Redactor, found: re.Match[str]) -> _Change | None:
        before = found.string[max(0, found.start() - 64) : found.start()]
        after = found.string[found.end() : found.end() + 16]
        if not is_address(found[0], before, after):
            return None
        return found.start(), found.end(), redactor.name_for(kind, found[0])

    return change


def _token(redactor: Redactor, found: re.Match[str]) -> _Change | None:
    return (found.start(), found.end(), redactor.secret()) if is_token(found[0]) else None


def _option(redactor: Redactor, found: re.Match[str]) -> _Change | None:
    return _value(redactor, found, found["option"], " ")


def _named(redactor: Redactor, found: re.Match[str]) -> _Change | None:
    before = found.string[: found.start()][-1:]
    if before in {"/", "\\"} and not found["sign"].startswith("="):
        return None
    name = found["name"].lstrip("-")
    sign = "?" if before in {"?", "&"} and found["sign"] == "=" else found["sign"]
    if sign == ":" and before == " " and found.string[: found.start() - 1][-1:].isalpha():
        sign = "prose"
    return _value(redactor, found, name, sign)


def _value(redactor: Redactor, found: re.Match[str], name: str, sign: str) -> _Change | None:
    text, start = found.string, found.end()
    quote = text[start : start + 2] if text.startswith(_ESCAPED_QUOTES, start) else text[start : start + 1]
    if sign == " " and text[start - 1] in "\"'":
        quote, start = text[start - 1], start - 1
    if quote and quote[-1] in "\"'":
        start += len(quote)
        end = text.find(quote, start)
        end = len(text) if end < 0 else end
    else:
        value = _BARE.match(text, start)
        end = start if value is None else value.end()
    if start == end or _MARK.match(text, start) or not hides_value(name, text[start:end], sign):
        return None
    if "cookie" in name.lower() and sign != " ":
        rest = _REST.match(text, start)
        end = end if rest is None else max(end, rest.end())
    return start, end, redactor.secret()


_HANDLERS: Mapping[str, Callable[[Redactor, re.Match[str]], _Change | None]] = {
    "placeholder": _kept,
    "pem": _pem,
    "authorization": _authorization,
    "bearer": _bearer,
    "user_info": _user_info,
    "webhook": _webhook,
    "home": _person,
    "account": _person,
    "prompt": _prompt,
    "email": lambda redactor, found: (found.start(), found.end(), redactor.name_for("email", found[0])),
    "mac": lambda redactor, found: (found.start(), found.end(), redactor.name_for("mac", found[0])),
    "ipv4": _address("ip"),
    "ipv6": _address("ip"),
    "aws_host": lambda redactor, found: (found.start() + 3, found.end(), redactor.name_for("ip", found[0])),
    "token": _token,
    "option": _option,
    "named": _named,
}
