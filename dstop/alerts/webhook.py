"""POST a notice to an address: no redirects, no other schemes, so many seconds in all."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from dstop import __version__
from dstop.alerts.courier import DeliveryError
from dstop.one_request import OneRequest

if TYPE_CHECKING:
    from dstop.alerts.notice import Notice

STEP_S, ALL_S = 5.0, 15.0
"""How long one step of a request may take (connecting, sending, the next bytes of the answer), and all of it."""
_MOST_SECRET = 4096
_AGAIN = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS})
"""Answers of 4xx that another try can change (RFC 9110 15.5.9, RFC 6585 4)."""


def name_of(address: str) -> str:
    """Give what to call an address in the event log: its path can be a secret, its host is none."""
    return f"webhook {urlsplit(address).hostname}"


class Webhook:
    """Posts notices to one address.

    Args:
        address: http or https; the proxies of the environment are used.
        secret_file: a file whose first line is sent as a bearer token; it is read each time, so it can be renewed.
        step_s: how long one step may take.
        all_s: how long all of it may take.
    """

    def __init__(
        self, address: str, secret_file: str | None = None, *, step_s: float = STEP_S, all_s: float = ALL_S
    ) -> None:
        self._address, self._secret_file = address, secret_file
        self._step_s, self._all_s = step_s, all_s

    def __call__(self, notice: Notice) -> None:
        """Post one.

        Raises:
            DeliveryError: it was not taken.
        """
        headers = {"Content-Type": "application/json", "User-Agent": f"dstop/{__version__}"}
        if self._secret_file is not None:
            headers["Authorization"] = f"Bearer {_secret(self._secret_file)}"
        request = urllib.request.Request(self._address, notice.as_json(), headers, method="POST")  # noqa: S310 - checked by the settings
        with OneRequest(self._all_s) as line:
            try:
                line.open(request, self._step_s).close()
            except urllib.error.HTTPError as error:
                error.close()
                raise _refused(error) from None
            except (OSError, http.client.HTTPException, ValueError) as error:
                raise DeliveryError(_reason(error, cut=line.was_cut, all_s=self._all_s)) from None


def _refused(error: urllib.error.HTTPError) -> DeliveryError:
    code = error.code
    if HTTPStatus.MULTIPLE_CHOICES <= code < HTTPStatus.BAD_REQUEST:
        return DeliveryError(
            f"the server redirects ({code}), which is not followed: name the final address", again=False
        )
    again = code >= HTTPStatus.INTERNAL_SERVER_ERROR or code in _AGAIN
    return DeliveryError(f"the server answers {code}", again=again)


def _reason(error: Exception, *, cut: bool, all_s: float) -> str:
    if cut:
        return f"no answer within {all_s:g} s"
    reason = getattr(error, "reason", error)
    if isinstance(reason, TimeoutError):
        return "the server does not answer in time"
    words = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
    return "".join(char if char.isprintable() else "?" for char in str(words)[:120])


def _secret(path: str) -> str:
    """Read the token.

    Raises:
        DeliveryError: there is none, or it could not stand in a header.
    """
    try:
        with Path(path).expanduser().open("rb") as file:
            data = file.read(_MOST_SECRET + 1)
    except OSError as error:
        raise DeliveryError(f"secret_file {path}: {error.strerror}", again=False) from None
    line = data.partition(b"\n")[0].strip()
    if len(data) > _MOST_SECRET or not line or not all(0x20 < byte < 0x7F for byte in line):  # noqa: PLR2004 - visible ASCII
        raise DeliveryError(f"secret_file {path} has no token in its first line", again=False)
    return line.decode("ascii")
