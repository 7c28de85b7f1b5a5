"""Asks a Prometheus server: so many seconds and so many bytes an answer, verified TLS, no redirects."""

from __future__ import annotations

import http.client
import ssl
import urllib.error
import urllib.request
import zlib
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit, urlunsplit

from dstop import __version__
from dstop.errors import SourceError, UsageError
from dstop.one_request import OneRequest
from dstop.sources.prometheus.answer import read_answer, refusal, words

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import IO

    from dstop.sources.prometheus.answer import Series

MOST_BYTES = 64 * 2**20
"""Of one answer, unpacked: some two hundred thousand series."""
MOST_SERIES = 200_000
"""Asked for as `limit`, which Prometheus knows since 2.55 (3.0); older ones go on, and `MOST_BYTES` ends it."""
TIMEOUT_S = 10.0
_CHUNK = 1 << 16
_PORTS = {"http": 80, "https": 443}


def server_address(text: str) -> str:
    """Give the base address of a server, as it was typed or in the environment.

    Raises:
        UsageError: it is none of http or https, or has a password in it, which everybody on the machine could read.
    """
    address = text.strip() if "://" in text else f"http://{text.strip()}"
    fix = "such as http://prometheus:9090"
    if not address.isascii() or not address.isprintable() or " " in address:
        raise UsageError("--prometheus: the address has characters that no address has", fix=fix)
    try:
        parts = urlsplit(address)
        _ = parts.port
    except ValueError:
        raise UsageError(f"--prometheus: {words(text)} is no address", fix=fix) from None
    if parts.scheme not in _PORTS or not parts.hostname:
        raise UsageError(f"--prometheus: {words(text)} is no address of http or https", fix=fix)
    if parts.username is not None or parts.password is not None:
        raise UsageError(
            "--prometheus: a password in an address can be read by everybody here",
            fix="use --basic-file or DSTOP_PROMETHEUS_BASIC",
        )
    path = parts.path.rstrip("/")
    return urlunsplit((parts.scheme, parts.netloc, path.removesuffix("/api/v1"), "", ""))


def tls_context(ca: str | None, cert: str | None, key: str | None) -> ssl.SSLContext:
    """Give what verifies the server, against the system's authorities or those of a file.

    Raises:
        UsageError: a file cannot be used.
    """
    if key is not None and cert is None:
        raise UsageError("--key is the key of a certificate", fix="add --cert")
    try:
        context = ssl.create_default_context(cafile=ca)
        if cert is not None:
            context.load_cert_chain(cert, key, password=_no_password)
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or str(error)
        raise UsageError(
            f"the certificates cannot be used: {words(str(reason))}", fix="name PEM files, without a password"
        ) from None
    return context


def _no_password() -> str:
    raise ValueError("the key has a password")


class Client:
    """One server.

    Args:
        address: its base, as `server_address` gives it; the proxies of the environment are used.
        authorization: gives the header, or None.
        context: verifies it where the address is https.
        timeout_s: how long one query may take, from the first packet to the last byte.
        most_bytes: of one answer, unpacked.
    """

    def __init__(
        self,
        address: str,
        authorization: Callable[[], str | None] = lambda: None,
        context: ssl.SSLContext | None = None,
        *,
        timeout_s: float = TIMEOUT_S,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self.address = address
        self._authorization, self._context = authorization, context
        self.timeout_s, self._most = timeout_s, most_bytes

    def query(self, text: str) -> tuple[Sequence[Series], Sequence[str]]:
        """Ask an instant query; gives its series and the server's warnings.

        Raises:
            SourceError: no answer, or none that can be used.
            UsageError: the file of the secret cannot be read.
        """
        return read_answer(self.fetch(text))

    def fetch(self, text: str) -> bytes:
        """Ask an instant query, and give the answer as it came.

        Raises:
            SourceError: no answer, or one that is too long or cut off.
            UsageError: the file of the secret cannot be read.
        """
        body = urlencode({"query": text, "timeout": f"{self.timeout_s:g}s", "limit": MOST_SERIES}).encode()
        headers = {
            "User-Agent": f"dstop/{__version__}",
            "Accept": "application/json",
            "Accept-Encoding": "gzip",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        said = self._authorization()
        if said is not None:
            headers["Authorization"] = said
        request = urllib.request.Request(  # noqa: S310 - checked by server_address
            f"{self.address}/api/v1/query", body, headers, method="POST"
        )
        return self._ask(request)

    def _ask(self, request: urllib.request.Request) -> bytes:
        with OneRequest(self.timeout_s, self._context) as line:
            try:
                with line.open(request, self.timeout_s) as answer:
                    data = _body(answer, self._most)
                if line.was_cut:
                    raise TimeoutError
            except urllib.error.HTTPError as error:
                raise _refused(error) from None
            except (OSError, http.client.HTTPException, ValueError, zlib.error) as error:
                raise _unreached(error, cut=line.was_cut, timeout_s=self.timeout_s) from None
            return data


def _body(answer: http.client.HTTPResponse, most: int) -> bytes:
    """Read all of it, and no more than `most` bytes of what it unpacks to.

    Raises:
        SourceError: there is more.
    """
    packed = (answer.headers.get("Content-Encoding") or "").strip().lower() == "gzip"
    unpack = zlib.decompressobj(wbits=31) if packed else None
    parts: list[bytes] = []
    size = 0
    while chunk := answer.read1(_CHUNK):
        while chunk:
            part = chunk if unpack is None else unpack.decompress(chunk, _CHUNK)
            chunk = b"" if unpack is None else unpack.unconsumed_tail
            parts.append(part)
            size += len(part)
            if size > most:
                raise SourceError(
                    f"the server's answer has more than {most >> 20} MiB",
                    fix="choose some hosts: --match 'cluster=\"a\"'",
                )
    if answer.length or (unpack is not None and not unpack.eof):
        raise http.client.IncompleteRead(b"")
    return b"".join(parts)


_ADVICE = {
    HTTPStatus.UNAUTHORIZED: "name a secret: --token-file or --basic-file",
    HTTPStatus.FORBIDDEN: "use a token that may ask queries",
    HTTPStatus.NOT_FOUND: "name the address with its path prefix, such as http://host/prometheus",
    HTTPStatus.METHOD_NOT_ALLOWED: "let POST through to /api/v1/query",
}
_MOST_ERROR = 1 << 16


def _refused(error: urllib.error.HTTPError) -> SourceError:
    code = error.code
    if HTTPStatus.MULTIPLE_CHOICES <= code < HTTPStatus.BAD_REQUEST:
        error.close()
        return SourceError(
            f"the server redirects ({code}), which is not followed", fix="name the final address"
        )
    said = _said(error)
    text = f"the server answers {code}" + (f": {said}" if said else "")
    fix = _ADVICE.get(HTTPStatus(code)) if code in HTTPStatus._value2member_map_ else None
    return SourceError(
        text, fix=fix or ("look at its log" if code >= HTTPStatus.INTERNAL_SERVER_ERROR else None)
    )


def _said(error: urllib.error.HTTPError) -> str | None:
    """Give what Prometheus says in the body of an error."""
    body: IO[bytes] = error
    try:
        data = body.read(_MOST_ERROR)
        if (error.headers.get("Content-Encoding") or "").lower() == "gzip":
            data = zlib.decompressobj(wbits=31).decompress(data, _MOST_ERROR)
    except (OSError, http.client.HTTPException, ValueError, zlib.error):
        return None
    finally:
        error.close()
    return refusal(data)


def _unreached(error: Exception, *, cut: bool, timeout_s: float) -> SourceError:
    reason = getattr(error, "reason", error)
    if cut or isinstance(reason, TimeoutError):
        return SourceError(
            f"the server did not answer within {timeout_s:g} s",
            fix="give it longer: --timeout, or choose hosts: --match",
        )
    if isinstance(reason, ssl.SSLCertVerificationError):
        return SourceError(
            f"the server's certificate is not trusted: {words(reason.verify_message)}",
            fix="name the authority that signed it: --ca FILE",
        )
    if isinstance(reason, http.client.IncompleteRead | zlib.error):
        return SourceError("the server's answer is cut off", fix="look for a proxy between that has a limit")
    said = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
    return SourceError(f"the server cannot be reached: {words(str(said))}", fix="check --prometheus")
