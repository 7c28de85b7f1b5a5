"""The framing between dstop and its hook."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dstop.errors import AttachError
from dstop.pytorch.wire import HEADER_BYTES, MOST_DEPTH, MOST_REPLY_BYTES, Reader, encode

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
messages = st.dictionaries(st.text(), values, max_size=5)


def _framed(body: bytes) -> bytes:
    return len(body).to_bytes(HEADER_BYTES, "big") + body


@settings(suppress_health_check=[HealthCheck.too_slow])  # a busy machine is no fault of the messages
@given(st.lists(messages, max_size=4), st.integers(1, 50))
def test_messages_come_out_as_they_went_in(sent: list[dict[str, Any]], piece: int) -> None:
    """However the bytes arrive, the messages are the same, in order, and nothing is left over."""
    data, reader = b"".join(map(encode, sent)), Reader()
    got = [m for start in range(0, len(data), piece) for m in reader.feed(data[start : start + piece])]
    assert got == sent
    assert reader.is_empty


def test_a_part_of_a_message_waits_for_the_rest() -> None:
    """Half a message is no message, and the reader knows that it has begun."""
    reader = Reader()
    assert reader.feed(encode({"ok": True})[:-1]) == []
    assert not reader.is_empty


@given(st.binary(max_size=300))
def test_garbage_is_an_error_and_nothing_else(data: bytes) -> None:
    """Whatever a socket says, the reader waits, gives objects, or raises AttachError."""
    try:
        got = Reader().feed(data)
    except AttachError:
        return
    assert all(type(message) is dict for message in got)


@given(st.binary(max_size=60))
def test_a_whole_frame_of_garbage_is_an_error_or_an_object(body: bytes) -> None:
    """A complete frame is decided upon at once."""
    try:
        (message,) = Reader().feed(_framed(body))
    except AttachError:
        return
    assert type(message) is dict


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"1",
        b'"text"',
        b'{"a": NaN}',
        b'{"a": -Infinity}',
        b'{"a": 1e999}',
        b'{"a": "\xff"}',
        b'{"a": 1} {}',
        '{"a": 1}'.encode("utf-16"),
        b'{"a": ' + b"9" * 5000 + b"}",
        b'{"a":' * 100_000,
    ],
    ids=range(12),
)
def test_what_is_no_plain_object_is_refused(body: bytes) -> None:
    """Other values, numbers that are none, other encodings, more than one value, endless nesting."""
    with pytest.raises(AttachError):
        Reader().feed(_framed(body))


def test_a_message_that_is_too_long_is_refused_by_its_length() -> None:
    """Nobody has to send 4 GiB before dstop stops listening."""
    with pytest.raises(AttachError, match="announces"):
        Reader().feed((MOST_REPLY_BYTES + 1).to_bytes(HEADER_BYTES, "big"))
    with pytest.raises(AttachError, match="announces"):
        Reader(most_bytes=10).feed(_framed(b'{"a": "long"}'))


def _nested(depth: int) -> bytes:
    return b'{"a":' + b"[" * (depth - 1) + b"]" * (depth - 1) + b"}"


def test_depth_is_bounded() -> None:
    """One level too many is refused; the last allowed one is not."""
    assert Reader().feed(_framed(_nested(MOST_DEPTH)))
    with pytest.raises(AttachError, match="deep"):
        Reader().feed(_framed(_nested(MOST_DEPTH + 1)))


@given(st.text(alphabet='[]{}"\\ a', max_size=80))
def test_brackets_in_texts_are_no_depth(text: str) -> None:
    """A file name or a summary may hold any brackets and quotes."""
    message = {text * 3: [text]}
    assert Reader().feed(_framed(json.dumps(message).encode())) == [message]


def test_no_number_that_is_none_is_sent() -> None:
    """NaN is no JSON: whoever would send it hears so."""
    with pytest.raises(ValueError, match="JSON"):
        encode({"a": float("nan")})


def test_nothing_longer_than_a_reply_is_sent() -> None:
    """What no reader takes is not sent."""
    with pytest.raises(ValueError, match="bytes"):
        encode({"a": "x" * MOST_REPLY_BYTES})
