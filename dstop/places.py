"""Where programs keep their files (XDG Base Directory Specification). Text, because `pathlib` costs a start-up much."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def state_home(environ: Mapping[str, str]) -> str:
    """Give dstop's own directory for what is kept between runs: `$XDG_STATE_HOME/dstop`.

    A relative XDG_STATE_HOME is ignored, as the specification asks.
    """
    state = environ.get("XDG_STATE_HOME", "")
    if not state.startswith("/"):
        home = environ.get("HOME", "")
        state = f"{home if home.startswith('/') else os.path.expanduser('~')}/.local/state"  # noqa: PTH111 - as said
    return f"{state.rstrip('/')}/dstop"
