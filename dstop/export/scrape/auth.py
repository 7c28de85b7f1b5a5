"""Who may have the page: HTTP basic authentication (RFC 7617), with names and passwords from a file.

prometheus-client has none. A password never stands on a command line: everybody on the machine can read those.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from dstop.errors import ExportError

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST_BYTES = 64 * 1024
MOST_USERS = 64
_MOST_HEADER = 8192


class Gate:
    """Names and passwords, compared so that the time it takes says nothing of them.

    Args:
        pairs: each `name:password`.
    """

    def __init__(self, pairs: Iterable[str]) -> None:
        self._digests = tuple(_digest(pair.encode()) for pair in pairs)

    def lets_in(self, header: str | None) -> bool:
        """Whether an `Authorization` header has a name and the password that belongs to it."""
        if header is None or len(header) > _MOST_HEADER:
            return False
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "basic":
            return False
        try:
            given = _digest(base64.b64decode(token.strip(), validate=True))
        except (binascii.Error, ValueError):
            return False
        # All are compared, whether one has matched or not.
        return sum(hmac.compare_digest(given, known) for known in self._digests) > 0


def gate_from_file(path: str) -> Gate:
    """Read a file of lines `name:password`; empty lines and those that begin with # are none.

    Raises:
        ExportError: it cannot be read, or has a line that is none, or no user.
    """
    try:
        with Path(path).open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise ExportError(
            f"--auth-file {path}: {error.strerror}", fix="name a file of lines NAME:PASSWORD"
        ) from None
    pairs = _pairs(path, data)
    if not pairs:
        raise ExportError(f"--auth-file {path} names nobody", fix="write a line NAME:PASSWORD into it")
    return Gate(pairs)


def others_can_read(path: str) -> bool:
    """Whether users of this machine can read the passwords who should not."""
    try:
        return bool(Path(path).stat().st_mode & stat.S_IROTH)
    except OSError:
        return False


def _pairs(path: str, data: bytes) -> list[str]:
    if len(data) > MOST_BYTES:
        raise ExportError(
            f"--auth-file {path} is larger than 64 KiB", fix="name a file of lines NAME:PASSWORD"
        )
    try:
        lines = data.decode().splitlines()
    except UnicodeDecodeError:
        raise ExportError(f"--auth-file {path} is not text in UTF-8", fix="save it as UTF-8") from None
    pairs = []
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.startswith("#"):
            continue
        name, colon, password = line.partition(":")
        if not (name and colon and password):
            # The line itself is not told: it may be a password.
            raise ExportError(f"--auth-file {path}: line {number} is not NAME:PASSWORD", fix="mend that line")
        pairs.append(line)
    if len(pairs) > MOST_USERS:
        raise ExportError(f"--auth-file {path} names more than {MOST_USERS} users", fix="name fewer")
    return pairs


def _digest(pair: bytes) -> bytes:
    """Give a text of one length for every pair: `compare_digest` tells lengths apart."""
    return hashlib.sha256(pair).digest()
