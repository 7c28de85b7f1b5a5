"""Who may have the page: a token, in the address once and in a cookie from then on.

The cookie is there because a browser's websocket has no headers of its own, and because an address stays in histories.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

QUERY = "token"
_LONGEST = 256


class Gate:
    """Knows the token, and compares so that the time it takes says nothing of it.

    Args:
        port: of the server; part of the cookie's name, for a browser sends the cookies of one port to all others.
        token: what whoever comes must have; made here unless given.
    """

    def __init__(self, port: int, token: str | None = None) -> None:
        self.token = secrets.token_urlsafe(32) if token is None else token
        self.cookie = f"dstop_{port}"
        self._digest = _digest(self.token)

    def lets_in(self, query: Mapping[str, str], cookies: Mapping[str, str]) -> bool:
        """Whether a request brings the token, in its address or as a cookie."""
        # Both are compared, whether the first has matched or not.
        by_query = self.knows(query.get(QUERY))
        by_cookie = self.knows(cookies.get(self.cookie))
        return by_query or by_cookie

    def knows(self, given: str | None) -> bool:
        """Whether this is the token."""
        if given is None or len(given) > _LONGEST:
            return False
        return hmac.compare_digest(_digest(given), self._digest)


def same_origin(origin: str | None, host: str) -> bool:
    """Whether a websocket was opened by a page of ours.

    A page at another port of the same machine is of the same site for cookies, and would be let in by them. Programs
    that are no browsers send no origin.
    """
    if origin is None:
        return True
    try:
        return urlsplit(origin).netloc.casefold() == host.casefold()
    except ValueError:
        return False


def _digest(text: str) -> bytes:
    """Give bytes of one length for every text: `compare_digest` tells lengths apart."""
    return hashlib.sha256(text.encode("utf-8", "replace")).digest()
