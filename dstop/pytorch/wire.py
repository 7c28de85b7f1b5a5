"""The framing between dstop and its hook: a 4-byte big-endian length, then that many bytes of JSON, one object.

What comes out of a watched process is hostile until parsed: the reader bounds its size and depth before anybody looks.
"""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING, Any, NoReturn

from dstop.errors import AttachError

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST_REPLY_BYTES = 32 << 20
"""No reply is longer: a process with 100,000 blocks fills a quarter of it."""

MOST_REQUEST_BYTES = 64 << 10
"""The hook hangs up on longer requests."""

MOST_DEPTH = 32
"""Objects within lists within objects: the replies of a hook nest eight deep, a model's configuration a little more."""

HEADER_BYTES = 4


def encode(message: Mapping[str, Any]) -> bytes:
    """Give one message as it goes over the socket.

    Raises:
        ValueError: when it holds NaN or infinity, or is longer than any reply may be.
    """
    body = json.dumps(dict(message), separators=(",", ":"), allow_nan=False).encode()
    if len(body) > MOST_REPLY_BYTES:
        raise ValueError(f"{len(body)} bytes are more than a message may have")
    return len(body).to_bytes(HEADER_BYTES, "big") + body


class Reader:
    """Cuts a stream of bytes into messages, however the bytes arrive; of no use once it has raised."""

    def __init__(self, most_bytes: int = MOST_REPLY_BYTES) -> None:
        """Start with nothing read.

        Args:
            most_bytes: of one message; a longer one is refused as soon as its length is known.
        """
        self._most_bytes = most_bytes
        self._buffer = bytearray()

    @property
    def is_empty(self) -> bool:
        """Whether no part of a message is waiting for the rest of it."""
        return not self._buffer

    def feed(self, data: bytes) -> list[dict[str, Any]]:
        """Take more bytes; give the messages that are complete now.

        Raises:
            AttachError: when a message is too long, or is not one JSON object of finite numbers and bounded depth.
        """
        self._buffer += data
        messages = []
        while len(self._buffer) >= HEADER_BYTES:
            length = int.from_bytes(self._buffer[:HEADER_BYTES], "big")
            if length > self._most_bytes:
                raise _garbage(f"it announces {length} bytes")
            if len(self._buffer) < HEADER_BYTES + length:
                break
            body = bytes(self._buffer[HEADER_BYTES : HEADER_BYTES + length])
            del self._buffer[: HEADER_BYTES + length]
            messages.append(_decode(body))
        return messages


def _garbage(why: str) -> AttachError:
    return AttachError(
        f"what the hook says cannot be understood ({why})", fix="restart the process, or leave it alone"
    )


def _decode(body: bytes) -> dict[str, Any]:
    try:
        message = _DECODER.decode(body.decode())
    except (ValueError, RecursionError) as error:
        raise _garbage("no JSON of finite numbers") from error
    if type(message) is not dict:
        raise _garbage("no JSON object")
    if _is_deeper(body, MOST_DEPTH):
        raise _garbage("it nests too deep")
    return message


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


def _no_constant(text: str) -> NoReturn:
    raise ValueError(text)


_DECODER = json.JSONDecoder(parse_float=_finite, parse_constant=_no_constant)

_STRINGS = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"')
_BRACKETS = bytes.maketrans(b"{}", b"[]")
_ALL_ELSE = bytes(set(range(256)) - set(b"[]{}"))


def _is_deeper(body: bytes, most: int) -> bool:
    """Whether valid JSON nests deeper than `most`: take the innermost pairs of brackets away, that many times."""
    brackets = _STRINGS.sub(b"", body).translate(_BRACKETS, _ALL_ELSE)
    for _ in range(most):
        if not brackets:
            return False
        brackets = brackets.replace(b"[]", b"")
    return bool(brackets)
