"""Who we are to the server: a token or a name with a password, from a file or the environment, never from argv."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING

from dstop.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

TOKEN, BASIC = "DSTOP_PROMETHEUS_TOKEN", "DSTOP_PROMETHEUS_BASIC"
_MOST = 16_384
"""A token of OpenID Connect has some kilobytes."""


def authorization(
    token_file: str | None, basic_file: str | None, environ: Mapping[str, str]
) -> Callable[[], str | None]:
    """Give what gives the Authorization header; files are read each time, so that a token can be renewed.

    Args:
        token_file: its first line is a bearer token (RFC 6750).
        basic_file: its first line is `name:password` (RFC 7617).
        environ: `DSTOP_PROMETHEUS_TOKEN` or `DSTOP_PROMETHEUS_BASIC`, where no file is named.

    Raises:
        UsageError: both are named; or, when asked, a file cannot be read, or holds none.
    """
    if token_file is not None and basic_file is not None:
        raise UsageError("--token-file and --basic-file are two answers", fix="choose one")
    if token_file is not None:
        return lambda: _bearer(_first_line(token_file, "--token-file"), "--token-file")
    if basic_file is not None:
        return lambda: _basic(_first_line(basic_file, "--basic-file"), "--basic-file")
    token, basic = environ.get(TOKEN, "").strip(), environ.get(BASIC, "").strip()
    if token and basic:
        raise UsageError(f"{TOKEN} and {BASIC} are two answers", fix="unset one")
    if token:
        said = _bearer(_checked(token, TOKEN), TOKEN)
        return lambda: said
    if basic:
        said = _basic(_checked(basic, BASIC), BASIC)
        return lambda: said
    return lambda: None


def _first_line(path: str, option: str) -> str:
    try:
        with Path(path).expanduser().open("rb") as file:
            data = file.read(_MOST + 1)
    except OSError as error:
        raise UsageError(f"{option} {path}: {error.strerror}", fix="name a file that can be read") from None
    if len(data) > _MOST:
        raise UsageError(f"{option} {path}: it is no secret of one line", fix="put it alone into a file")
    return _checked(data.partition(b"\n")[0].strip().decode("utf-8", "replace"), f"{option} {path}")


def _checked(text: str, where: str) -> str:
    """Refuse what could not stand in a header: a line break in it would begin another one."""
    if not text or len(text) > _MOST or not text.isprintable() or "\ufffd" in text:
        raise UsageError(f"{where}: there is no secret in its first line", fix="write it there alone")
    return text


def _bearer(token: str, where: str) -> str:
    if not token.isascii() or " " in token:
        raise UsageError(f"{where}: it is no bearer token", fix="write the token there alone")
    return f"Bearer {token}"


def _basic(pair: str, where: str) -> str:
    if ":" not in pair:
        raise UsageError(f"{where}: it is no NAME:PASSWORD", fix="write both with a colon between")
    return f"Basic {base64.b64encode(pair.encode()).decode('ascii')}"
