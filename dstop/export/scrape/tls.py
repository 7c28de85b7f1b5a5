"""TLS for the server: certificate, key, and the authority that clients must be of."""

from __future__ import annotations

import os
import ssl
import time
from typing import TYPE_CHECKING, NoReturn

from dstop.errors import ExportError

if TYPE_CHECKING:
    from collections.abc import Callable

RENEW_S = 60.0
"""How often the files of a certificate are looked at: they are renewed days before they end."""


def server_context(cert: str, key: str | None, client_ca: str | None) -> ssl.SSLContext:
    """Give the context of a server.

    Args:
        cert: a PEM file of the certificate and those between it and its authority.
        key: a PEM file of its private key; None where it is in the same file.
        client_ca: a PEM file of the authorities whose clients alone are let in; None for all clients.

    Raises:
        ExportError: a file cannot be read, is none, or key and certificate do not belong together.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    load_pair(context, cert, key)
    if client_ca is not None:
        try:
            context.load_verify_locations(client_ca)
        except (OSError, ssl.SSLError) as error:
            raise ExportError(
                f"--client-ca {client_ca}: {_reason(error)}", fix="name a PEM file of certificates"
            ) from None
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def load_pair(context: ssl.SSLContext, cert: str, key: str | None) -> None:
    """Load certificate and key into a context.

    Raises:
        ExportError: they cannot be.
    """
    named = f"--cert {cert}" if key is None else f"--cert {cert} --key {key}"
    for path, option in ((cert, "--cert"), (key, "--key")):
        if path is not None:
            _check_readable(path, option)
    try:
        context.load_cert_chain(cert, key, password=_refuse)
    except _EncryptedError:
        raise ExportError(
            f"the key of {named} is encrypted", fix="decrypt it: openssl pkey -in KEY -out PLAIN"
        ) from None
    except (OSError, ssl.SSLError) as error:
        raise ExportError(
            f"{named}: {_reason(error)}", fix="name PEM files of a certificate and of its own key"
        ) from None


class Renewal:
    """Loads a certificate again when its files have changed: new connections then get the new one.

    Args:
        context: the server's.
        cert: its certificate's file.
        key: its key's file.
        monotonic: a clock that does not jump.
    """

    def __init__(
        self,
        context: ssl.SSLContext,
        cert: str,
        key: str | None,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._context, self._cert, self._key, self._monotonic = context, cert, key, monotonic
        self._known = self._stamps()
        self._due_s = monotonic() + RENEW_S

    def look(self) -> str | None:
        """Look, when it is time to; gives what is to be said of it."""
        now_s = self._monotonic()
        if now_s < self._due_s:
            return None
        self._due_s = now_s + RENEW_S
        stamps = self._stamps()
        if stamps == self._known:
            return None
        self._known = stamps
        try:
            # A pair that does not fit would be left in the context by halves.
            server_context(self._cert, self._key, None)
            load_pair(self._context, self._cert, self._key)
        except ExportError as error:
            return f"the certificate has changed and cannot be used, the old one stays: {error}"
        return "the certificate has been renewed"

    def _stamps(self) -> tuple[tuple[int, int] | None, ...]:
        return tuple(_stamp(path) for path in (self._cert, self._key) if path is not None)


def _stamp(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)  # noqa: PTH116 - no path to build
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino


class _EncryptedError(Exception):
    pass


def _refuse() -> NoReturn:
    """Take the place of OpenSSL's question for a password: a service has nobody who could answer."""
    raise _EncryptedError


def _check_readable(path: str, option: str) -> None:
    try:
        with open(path, "rb"):  # noqa: PTH123 - nothing but the attempt
            pass
    except OSError as error:
        raise ExportError(
            f"{option} {path}: {error.strerror}", fix="name a PEM file that dstop may read"
        ) from None


def _reason(error: OSError) -> str:
    reason = getattr(error, "reason", None)
    if isinstance(reason, str) and reason:
        return reason.replace("_", " ").lower()
    return error.strerror or "it is no certificate"
